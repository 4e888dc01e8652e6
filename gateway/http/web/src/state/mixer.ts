import { type Signal, signal } from "@preact/signals";
import type { JobView } from "@tellurstori/musicgen";
import { KEPT_SECONDS } from "../audio/decoder.ts";
import { FLAT, factorOf, isFlat, type Mix, type Strip } from "../audio/mix.ts";
import type { Part } from "../audio/player.ts";
import { durationOf, player } from "./listening.ts";

/** A stem of a take, under the name that its MIDI track has as well. */
export interface Stem {
  name: string;
  path: string;
  /** Decibels that it needs to sum to the music. */
  gain: number;
}

/** What a person has changed in the mixers, by job. */
export const mixes: Signal<ReadonlyMap<string, Mix>> = signal(new Map());

/** The stems of a take that can be heard. */
export function stemsOf(job: JobView): Stem[] {
  if (job.audio_expired) return [];
  return job.outputs
    .filter(({ kind }) => kind === "stem")
    .map(({ name, download_url, gain_db }) => ({
      name: name.replace(/\.\w+$/, "").replaceAll("_", " "),
      path: download_url,
      gain: gain_db ?? 0,
    }));
}

export function mixOf(job: JobView): Mix {
  return mixes.value.get(job.job_id) ?? {};
}

/** What is heard of a take: its own file, or its stems if the mixer has changed one. */
export function partsOf(job: JobView): Part[] {
  const mix = mixOf(job);
  if (isFlat(mix)) return [{ path: job.audio_url!, factor: 1 }];
  return stemsOf(job).map(({ name, path, gain }) => ({ path, factor: factorOf(name, gain, mix) }));
}

/** Changes how a stem is heard. */
export function setStrip(job: JobView, name: string, change: Partial<Strip>): void {
  const mix = mixes.peek().get(job.job_id) ?? {};
  setMix(job, { ...mix, [name]: { ...FLAT, ...mix[name], ...change } });
}

/** Lets all stems be heard as they are. */
export function resetMix(job: JobView): void {
  setMix(job, {});
}

/** Fetches the stems ahead, so that a mute is instant, unless they would push out what was used last. */
export function prepareStems(job: JobView): void {
  const stems = stemsOf(job);
  if ((stems.length + 1) * durationOf(job) > KEPT_SECONDS) return;
  for (const { path } of stems) player.decode(path).catch(() => {}); // shown when it is played
}

function setMix(job: JobView, mix: Mix): void {
  mixes.value = new Map(mixes.peek()).set(job.job_id, mix);
  player.mix(job.job_id, isFlat(mix) ? null : partsOf(job));
}
