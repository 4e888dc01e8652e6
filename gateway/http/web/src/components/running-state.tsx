import { useSignal } from "@preact/signals";
import type { JobView } from "@tellurstori/musicgen";
import { useEffect } from "preact/hooks";
import { cancel } from "../state/actions.ts";
import { wait } from "./format.ts";

/** The progress of a job that waits or is being made, and the ways to end it. */
export function RunningState({ job, name }: { job: JobView; name: string }) {
  const elapsed = useElapsed(job.started_at ?? null);
  const isStopping = /^(stopping|cancel)/i.test(job.message);
  return (
    <div class="running">
      <progress max={1} value={job.status === "queued" ? undefined : job.progress} aria-label={`Progress of ${name}`} />
      <span class="dim numbers">{isStopping ? job.message : describe(job, elapsed)}</span>
      <span class="spring" />
      {job.status === "processing" && (
        <button type="button" aria-disabled={isStopping} onClick={() => isStopping || cancel(job, true)}>
          Stop and keep
        </button>
      )}
      <button type="button" aria-disabled={isStopping} onClick={() => isStopping || cancel(job)}>
        Cancel
      </button>
    </div>
  );
}

function describe(job: JobView, elapsed: number): string {
  if (job.status === "queued") {
    const place =
      job.queue_position == null
        ? "Queued"
        : job.queue_position <= 1
          ? "Next in line"
          : `Number ${job.queue_position} in line`;
    // Without an estimate, the gateway's message may have the reason, such as a model that no worker serves.
    return job.eta_seconds == null ? job.message : `${place} · ready in about ${wait(job.eta_seconds)}`;
  }
  const percent = `${Math.floor(job.progress * 100)} %`;
  if (job.progress < 0.05) return `${percent} · ${wait(elapsed)}`;
  const left = (elapsed / job.progress) * (1 - job.progress);
  return `${percent} · ${wait(elapsed)} · ${wait(left)} left`;
}

/** Seconds since `start`; counts once a second. */
function useElapsed(start: string | null): number {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      now.value = Date.now();
    }, 1000);
    return () => clearInterval(timer);
  }, []);
  return start ? Math.max(0, (now.value - Date.parse(start)) / 1000) : 0;
}
