import { signal } from "@preact/signals";
import { ApiError, type GenerateRequest, type JobView } from "@tellurstori/musicgen";
import { client } from "../api/gateway.ts";
import { announce, noteError, tell } from "./connection.ts";
import { look, readJob } from "./feed.ts";
import { change, form, formOf, problems, requestOf, rollSeed } from "./form.ts";
import { takes, updateJob } from "./takes.ts";

export const isSending = signal(false);
/** The job that was requested last: its card scrolls into view. */
export const newest = signal<string | null>(null);

/** The request that has no answer yet: the same key keeps a retry from making a second job. */
let unconfirmed: { body: string; key: string } | null = null;

/** Sends the form. */
export async function generate(): Promise<void> {
  if (isSending.peek()) return;
  const { seed, isSeedLocked } = form.peek();
  if (!form.peek().prompt.trim()) {
    problems.value = { prompt: "Describe the music first." };
    return;
  }
  if (!isSeedLocked && seed) change({ seed: "" });
  await request(requestOf(form.peek()));
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
  document.getElementById("prompt")?.focus();
}

/** Cancels a job, or stops it and keeps what was made. The page shows it at once; the gateway confirms it. */
export async function cancel(job: JobView, keep = false): Promise<void> {
  updateJob({ job_id: job.job_id, message: keep ? "Stopping…" : "Cancelling…" });
  try {
    await client.cancel(job.job_id, keep);
  } catch (error) {
    tell(noteError(error));
  }
  await readJob(job.job_id);
}

function requestFrom(job: JobView): GenerateRequest {
  const { recipe } = job;
  const isLossy = recipe.format === "ogg" || recipe.format === "mp3";
  return { ...recipe, sample_format: isLossy ? null : recipe.sample_format } as GenerateRequest;
}

async function request(wanted: GenerateRequest): Promise<void> {
  const body = JSON.stringify(wanted);
  // Not crypto.randomUUID: browsers offer it only over HTTPS and on localhost.
  if (unconfirmed?.body !== body) unconfirmed = { body, key: crypto.getRandomValues(new Uint32Array(4)).join("-") };
  isSending.value = true;
  problems.value = {};
  try {
    const { job_id } = await client.generate(wanted, unconfirmed.key);
    unconfirmed = null;
    newest.value = job_id;
    await readJob(job_id);
    announce("Queued.");
    if (!takes.peek().has(job_id)) void look();
  } catch (error) {
    showProblems(error);
  } finally {
    isSending.value = false;
  }
}

function showProblems(error: unknown): void {
  const message = noteError(error);
  if (error instanceof ApiError && error.errors.length > 0) {
    problems.value = Object.fromEntries(error.errors.map((each) => [each.field, each.message]));
  } else if (!(error instanceof ApiError && error.status === 401)) problems.value = { "": message };
}
