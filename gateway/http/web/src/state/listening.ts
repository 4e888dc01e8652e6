import { computed, effect } from "@preact/signals";
import type { JobView } from "@tellurstori/musicgen";
import { client } from "../api/gateway.ts";
import { Player, type Track } from "../audio/player.ts";
import type { Region } from "../audio/schedule.ts";
import { live, readJobs } from "./feed.ts";
import { whenBack } from "./retry.ts";
import { isRunning, takes } from "./takes.ts";

/** While the service is away, a file is awaited: the player stays in its state `loading`. */
export const player = new Player((path) => whenBack(() => client.file(path)));

/** The job that is in the player. */
export const currentJob = computed(() => takes.value.get(player.currentId.value ?? "")?.job.value ?? null);

effect(() => {
  const job = currentJob.value;
  if (!job || isRunning(job) || player.track.peek()?.path !== null) return;
  if (job.audio_url) player.update(trackOf(job));
  else player.pause();
});

effect(() => {
  // A file that is gone, for example: its job says why, and how to make it again.
  if (player.problem.value) void readJobs(player.problem.value.jobId);
});

/** Whether there is something to hear: a file, or live audio. */
export function isPlayable(job: JobView): boolean {
  if (job.audio_url) return !job.audio_expired;
  return (live.value.get(job.job_id)?.seconds.value ?? 0) > 0;
}

/** Plays a job from `at` seconds, or pauses it if it plays already. */
export function playOrPause(job: JobView): void {
  if (player.currentId.peek() === job.job_id)
    void (player.isPlaying.peek() ? player.pause() : player.play(trackOf(job)));
  else void player.play(trackOf(job));
}

/** Plays a job from `at` seconds. */
export function playFrom(job: JobView, at: number): void {
  if (player.currentId.peek() === job.job_id && !player.isPlaying.peek()) void player.seek(at);
  else void player.play(trackOf(job), at);
}

/** Seconds of a bar; null without a tempo. `bpm` counts quarter notes whatever the meter. */
export function barSeconds(job: JobView): number | null {
  if (!job.bpm) return null;
  const [beats, unit] = (job.meter ?? "4/4").split("/").map(Number);
  return (60 / job.bpm) * ((4 * (beats || 4)) / (unit || 4));
}

export function durationOf(job: JobView): number {
  return job.actual_duration ?? job.duration;
}

/** Moves by whole bars, or by two seconds where the music has no tempo. */
export function moveByBars(count: number): void {
  const job = currentJob.peek();
  if (!job) return;
  const step = barSeconds(job) ?? 2;
  // A little tolerance: just behind a bar line, ← goes to the bar before and not to the same line.
  const bar = player.position.peek() / step;
  const target = count > 0 ? Math.floor(bar + 0.02) + count : Math.ceil(bar - 0.25) + count;
  void player.seek(Math.max(0, target) * step);
}

/** Repeats the whole take, or plays it once. */
export function toggleLoop(): void {
  const job = currentJob.peek();
  if (!job) return;
  void player.setLoop(player.loop.peek() ? null : { start: 0, end: durationOf(job) });
}

/** Repeats a region, which snaps to bars where there are some. A very short one means the whole take. */
export function loopRegion(job: JobView, from: number, to: number): void {
  const region = snapped(job, Math.min(from, to), Math.max(from, to));
  if (player.currentId.peek() !== job.job_id)
    void player.play(trackOf(job), region.start).then(() => player.setLoop(region));
  else void player.setLoop(region);
}

/** The region between the bar lines that are nearest, at least one bar long. */
export function snapped(job: JobView, start: number, end: number): Region {
  const total = durationOf(job);
  const bar = barSeconds(job);
  if (!bar) return { start, end: Math.min(total, Math.max(end, start + 0.25)) };
  const last = Math.max(1, Math.round(total / bar));
  const first = Math.min(Math.round(start / bar), last - 1);
  const bars = Math.max(1, Math.round(end / bar) - first);
  return { start: first * bar, end: Math.min(total, (first + bars) * bar) };
}

/** The bars that a region covers, counted from 1; null for the whole take, and for takes without a tempo. */
export function barsOf(job: JobView, region: Region | null): { from: number; to: number } | null {
  const bar = barSeconds(job);
  if (!bar || !region || (region.start === 0 && region.end >= durationOf(job) - 0.01)) return null;
  const from = Math.round(region.start / bar) + 1;
  return { from, to: Math.max(from, Math.round(region.end / bar)) };
}

/** How many bars a take has, the last one perhaps cut short; null without a tempo. */
export function countBars(job: JobView): number | null {
  const bar = barSeconds(job);
  return job.bars ?? (bar && Math.max(1, Math.ceil(durationOf(job) / bar - 0.001)));
}

function trackOf(job: JobView): Track {
  return {
    jobId: job.job_id,
    path: job.audio_url,
    live: live.peek().get(job.job_id) ?? null,
    duration: durationOf(job),
    lufs: job.measured?.lufs ?? null,
    isLoop: job.loop && job.status !== "cancelled", // what is kept of a loop ends anywhere
  };
}
