import type { Part } from "./player.ts";
import { type Region, startVoice } from "./schedule.ts";

/** Renders what the player plays, at the sample rate of the files: the parts with their factors, from start to end. */
export async function bounce(
  parts: Part[],
  region: Region | null,
  sampleRate: number,
  fetchFile: (path: string) => Promise<Response>,
): Promise<AudioBuffer> {
  const heard = parts.filter(({ factor }) => factor > 0);
  const decoder = new OfflineAudioContext(1, 1, sampleRate); // does not resample files of its own rate
  const decode = async ({ path }: Part) => decoder.decodeAudioData(await (await fetchFile(path)).arrayBuffer());
  const buffers = await Promise.all((heard.length > 0 ? heard : parts.slice(0, 1)).map(decode));
  const { length, numberOfChannels } = buffers[0]!;
  // Whole samples, so that nothing is interpolated.
  const first = Math.round((region?.start ?? 0) * sampleRate);
  const last = region ? Math.min(length, Math.round(region.end * sampleRate)) : length;
  const context = new OfflineAudioContext(numberOfChannels, last - first, sampleRate);
  for (const [index, { factor }] of heard.entries()) {
    const strip = new GainNode(context, { gain: factor });
    strip.connect(context.destination);
    startVoice(context, slice(buffers[index]!, first, last), SCHEDULE, strip);
  }
  return context.startRendering();
}

const SCHEDULE = { startedAt: 0, offset: 0, loop: null, duration: 0 };

/** A part of a buffer. The graph starts at its first sample, so that no fade is added as at a jump. */
function slice(buffer: AudioBuffer, first: number, last: number): AudioBuffer {
  const { numberOfChannels, sampleRate } = buffer;
  const part = new AudioBuffer({ numberOfChannels, sampleRate, length: last - first });
  for (let channel = 0; channel < numberOfChannels; channel++)
    part.copyToChannel(buffer.getChannelData(channel).subarray(first, last), channel);
  return part;
}
