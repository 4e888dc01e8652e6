import type { AudioChunk } from "./schema.d.ts";

/** A chunk of live audio: its header and the samples of each channel, from -1 to 1. */
export interface AudioFrame {
  header: AudioChunk;
  channels: Float32Array<ArrayBuffer>[];
}

/**
 * Decodes a binary frame of the WebSocket: the length of the header in four bytes (little-endian), the header as JSON,
 * and interleaved float32 samples (little-endian).
 *
 * @throws RangeError if its size is not what its header says, or the samples are no float32.
 * @throws SyntaxError if the header is no JSON.
 */
export function decodeAudioFrame(frame: ArrayBuffer): AudioFrame {
  const view = new DataView(frame);
  const start = 4 + view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(frame, 4, start - 4))) as AudioChunk;
  if (header.format !== "f32le" || frame.byteLength !== start + 4 * header.frames * header.channels)
    throw new RangeError(`A chunk of live audio has ${frame.byteLength} bytes of ${header.format}.`);
  const channels = Array.from({ length: header.channels }, () => new Float32Array(header.frames));
  for (const [channel, samples] of channels.entries()) {
    for (let index = 0; index < header.frames; index++) {
      samples[index] = view.getFloat32(start + 4 * (index * header.channels + channel), true);
    }
  }
  return { header, channels };
}
