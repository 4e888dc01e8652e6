import { signal } from "@preact/signals";
import type { JobView } from "@tellurstori/musicgen";
import { client } from "../api/gateway.ts";
import { bounce } from "../audio/bounce.ts";
import { isHeard } from "../audio/mix.ts";
import { encodeWav } from "../audio/wav.ts";
import { announce, noteError, tell } from "../state/connection.ts";
import { barsOf, durationOf, player } from "../state/listening.ts";
import { mixOf, partsOf, stemsOf } from "../state/mixer.ts";
import { whenBack } from "../state/retry.ts";
import { save } from "./files.ts";
import { heardName } from "./heard-name.ts";

/** The job whose export is being rendered, or null. */
export const exporting = signal<string | null>(null);

/** Saves exactly what is heard of a take: its loop region, or all of it, with mutes, solos and gains. */
export async function exportHeard(job: JobView): Promise<void> {
  if (exporting.peek() !== null) return;
  exporting.value = job.job_id;
  try {
    const region = heardRegion(job);
    const rate = job.sample_rate ?? 44_100;
    const buffer = await bounce(partsOf(job), region, rate, (path) => whenBack(() => client.file(path)));
    const channels = Array.from({ length: buffer.numberOfChannels }, (_, index) => buffer.getChannelData(index));
    const url = URL.createObjectURL(encodeWav(channels, buffer.sampleRate));
    save(url, nameOf(job));
    setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser has read it by then
    announce("Saved what is heard.");
  } catch (error) {
    tell(`The audio cannot be saved: ${noteError(error)}`);
  } finally {
    exporting.value = null;
  }
}

/** The region that repeats, if it is a part of this take. */
function heardRegion(job: JobView) {
  const region = player.currentId.peek() === job.job_id ? player.loop.peek() : null;
  return region && region.end - region.start < durationOf(job) - 0.01 ? region : null;
}

function nameOf(job: JobView): string {
  const mix = mixOf(job);
  const stems = stemsOf(job).map(({ name }) => name);
  return heardName(job.file_name ?? job.job_id, {
    region: heardRegion(job),
    bars: barsOf(job, heardRegion(job)),
    heard: stems.filter((name) => isHeard(name, mix)),
    silent: stems.filter((name) => !isHeard(name, mix)),
    isMixed: Object.values(mix).some(({ gain }) => gain !== 0),
  });
}
