import { useComputed, useSignal } from "@preact/signals";
import type { JobView } from "@tellurstori/musicgen";
import { barSeconds, durationOf, isPlayable, loopRegion, player, playFrom } from "../state/listening.ts";
import type { TimelineProps } from "./timeline.tsx";

/** What the timelines of a take have in common: its waveform, its stems and its score show and set the same place. */
export function useTimeline(job: JobView): TimelineProps {
  const jobId = useSignal(job.job_id);
  return {
    duration: durationOf(job),
    bar: barSeconds(job),
    position: useComputed(() => (player.currentId.value === jobId.value ? player.position.value : null)),
    loop: useComputed(() => (player.currentId.value === jobId.value ? player.loop.value : null)),
    onSeek: (at) => isPlayable(job) && playFrom(job, at),
    onRegion: (from, to) => job.audio_url && isPlayable(job) && loopRegion(job, from, to),
  };
}
