import type { JobView } from "@tellurstori/musicgen";
import { makeAgain } from "../state/actions.ts";
import { player } from "../state/listening.ts";
import { factsOf } from "./format.ts";

/** The facts of a finished take that its request does not share: its instruments, and what went otherwise than asked. */
export function EndedState({ job, shared }: { job: JobView; shared: string[] }) {
  const own = factsOf(job).filter((fact) => !shared.includes(fact));
  const instruments = [...new Set((job.instruments ?? []).map(({ name }) => name))];
  const reason = reasonOf(job);
  return (
    <footer>
      {own.length > 0 && <span class="numbers">{own.join(" · ")}</span>}
      {instruments.length > 0 && <span class="dim">{instruments.join(", ")}</span>}
      {job.warnings.map((warning) => (
        <span key={warning} class="warning">
          {warning}
        </span>
      ))}
      {reason && <span class={job.status === "failed" ? "failure" : "warning"}>{reason}</span>}
      {(reason || !job.audio_url) && (
        <button type="button" onClick={() => makeAgain(job)}>
          Make again
        </button>
      )}
    </footer>
  );
}

function reasonOf(job: JobView): string {
  if (job.status === "failed") return job.error_message ?? job.message;
  if (job.audio_expired) return "The audio has expired.";
  if (job.status === "cancelled") return job.audio_url ? "Stopped early, and kept." : "Cancelled.";
  const problem = player.problem.value;
  if (problem?.jobId !== job.job_id) return "";
  return problem.error instanceof Error ? problem.error.message : "The audio cannot be played.";
}
