import { signal } from "@preact/signals";
import type { GenerateRequest, JobAccepted, JobView } from "@tellurstori/musicgen";
import { client } from "../api/gateway.ts";
import { announce, noteError, problemsOf, tell } from "./connection.ts";
import { look, readJobs } from "./feed.ts";
import { allows, change, form, formOf, mode, NOTHING, problems, requestOf, rollSeed } from "./form.ts";
import { whenAccepted } from "./retry.ts";
import type { Source } from "./sources.ts";
import { takes, updateJob } from "./takes.ts";

export const isSending = signal(false);
/** The job that was requested last: its card scrolls into view. */
export const newest = signal<string | null>(null);

/** The request that has no answer yet: the same key keeps a retry from making second jobs. */
let unconfirmed: { call: string; key: string } | null = null;

/** Sends the form. */
export async function generate(): Promise<void> {
  if (isSending.peek()) return;
  const { seed, isSeedLocked, source, prompt } = form.peek();
  if (source && !mode.peek()) {
    problems.value = { source: `Choose another model, or begin without ${source.name}.` };
    return;
  }
  if (allows("prompt") && !prompt.trim() && !mode.peek()?.isDescribed) {
    problems.value = { prompt: "Describe the music first." };
    return;
  }
  if (!isSeedLocked && seed) change({ seed: "" });
  await request(requestOf(form.peek(), mode.peek()));
}

/** Lets the form begin with a take. `at` is where its audio is left, in seconds. */
export function beginWith(source: Source, mode: string, model: string, at: number | null = null): void {
  const to = at === null ? "" : String(Math.round(at * 100) / 100);
  change({ ...NOTHING, source, mode, model, to });
  announce(`The form begins with ${source.name}.`);
  focusForm();
}

/** Leads a person to the form, once it shows what it now holds. */
function focusForm(): void {
  setTimeout(() => document.getElementById(form.peek().source ? "source" : "prompt")?.focus());
}

/** Makes another take of a job's request, with a new seed. */
export function makeAnother(job: JobView): Promise<void> {
  return request({ ...requestFrom(job), seed: rollSeed() });
}

/** Makes the same music again, for example because its audio has expired. */
export function makeAgain(job: JobView): Promise<void> {
  return request({ ...requestFrom(job), seed: job.seed });
}

/** Fills the form with the settings of a job. */
export function reuse(job: JobView): void {
  change(formOf(job.recipe));
  announce("The form has the settings of this take.");
  focusForm();
}

/** Cancels a job, or stops it and keeps what was made. The page shows it at once; the gateway confirms it. */
export async function cancel(job: JobView, keep = false): Promise<void> {
  updateJob({ job_id: job.job_id, message: keep ? "Stopping…" : "Cancelling…" });
  try {
    await client.cancel(job.job_id, { keep });
  } catch (error) {
    tell(noteError(error));
  }
  await readJobs(job.job_id);
}

/** Cancels all of these jobs, with one call for the takes of each request. */
export async function cancelAll(jobs: JobView[]): Promise<void> {
  for (const { job_id } of jobs) updateJob({ job_id, message: "Cancelling…" });
  const requests = new Set(jobs.map((job) => job.takes?.[0]?.job_id ?? job.job_id));
  try {
    await Promise.all([...requests].map((id) => client.cancel(id, { takes: true })));
  } catch (error) {
    tell(noteError(error));
  }
  await readJobs(...jobs.map(({ job_id }) => job_id));
}

/** The request that makes a take again. */
export function requestFrom(job: JobView): GenerateRequest {
  const { recipe } = job;
  const isLossy = recipe.format === "ogg" || recipe.format === "mp3";
  return { ...recipe, sample_format: isLossy ? null : recipe.sample_format } as GenerateRequest;
}

/** Starts the jobs of a request and shows them. `call` tells requests apart. Throws what `send` throws. */
export async function start(call: string, send: (key: string) => Promise<JobAccepted>): Promise<void> {
  // Not crypto.randomUUID: browsers offer it only over HTTPS and on localhost.
  if (unconfirmed?.call !== call) unconfirmed = { call, key: crypto.getRandomValues(new Uint32Array(4)).join("-") };
  const { key } = unconfirmed;
  const accepted = await whenAccepted(() => send(key));
  unconfirmed = null;
  const ids = accepted.takes?.map((take) => take.job_id) ?? [accepted.job_id];
  newest.value = ids.at(-1)!; // the youngest is on top of its request
  await readJobs(...ids);
  announce(ids.length > 1 ? `${ids.length} takes queued.` : "Queued.");
  if (!takes.peek().has(accepted.job_id)) void look();
}

async function request(wanted: GenerateRequest): Promise<void> {
  isSending.value = true;
  problems.value = {};
  try {
    await start(JSON.stringify(wanted), (key) => client.generate(wanted, key));
  } catch (error) {
    problems.value = problemsOf(error);
  } finally {
    isSending.value = false;
  }
}
