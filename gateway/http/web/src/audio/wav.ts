const IEEE_FLOAT = 3;

/** Encodes samples from -1 to 1, one array a channel, as a WAV file of 32-bit floats: nothing is rounded or clipped. */
export function encodeWav(channels: Float32Array[], sampleRate: number): Blob {
  const frames = channels[0]?.length ?? 0;
  const frameBytes = 4 * channels.length;
  const data = new Float32Array(frames * channels.length);
  for (const [channel, samples] of channels.entries()) {
    for (let frame = 0; frame < frames; frame++) data[frame * channels.length + channel] = samples[frame]!;
  }
  // Chunks of "Multimedia Programming Interface and Data Specifications 1.0"; a format other than PCM needs `fact`.
  const header = new DataView(new ArrayBuffer(58));
  const texts: [number, string][] = [
    [0, "RIFF"],
    [8, "WAVEfmt "],
    [38, "fact"],
    [50, "data"],
  ];
  for (const [place, text] of texts) {
    for (const [index, letter] of [...text].entries()) header.setUint8(place + index, letter.charCodeAt(0));
  }
  header.setUint32(4, 50 + data.byteLength, true);
  header.setUint32(16, 18, true);
  header.setUint16(20, IEEE_FLOAT, true);
  header.setUint16(22, channels.length, true);
  header.setUint32(24, sampleRate, true);
  header.setUint32(28, sampleRate * frameBytes, true);
  header.setUint16(32, frameBytes, true);
  header.setUint16(34, 32, true);
  header.setUint32(42, 4, true);
  header.setUint32(46, frames, true);
  header.setUint32(54, data.byteLength, true);
  return new Blob([header.buffer, data.buffer], { type: "audio/wav" });
}
