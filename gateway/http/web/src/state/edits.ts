import { signal } from "@preact/signals";
import type { EditKind, JobAccepted, JobView, VaryRequest } from "@tellurstori/musicgen";
import { client } from "../api/gateway.ts";
import { start } from "./actions.ts";
import { noteError, problemsOf, tell } from "./connection.ts";

/** What has a form: a score is played again by programs only. */
export type FormKind = Exclude<EditKind, "play">;

/** The form that is open below a take, to make another take of it. One at a time. */
export const openEdit = signal<{ jobId: string; kind: FormKind } | null>(null);
/** What the gateway found wrong, by field; "" holds what belongs to no field. */
export const editProblems = signal<Readonly<Record<string, string>>>({});
export const isSendingEdit = signal(false);

/** Opens a form; null closes it. */
export function showEdit(edit: { jobId: string; kind: FormKind } | null): void {
  editProblems.value = {};
  openEdit.value = edit;
}

/** Whether a take can be worked on: its model has written a score. The gateway knows exactly, and says so. */
export function isEditable(job: JobView): boolean {
  return job.instruments !== null;
}

/** The names of a take's instruments, each once. */
export function instrumentsOf(job: JobView): string[] {
  return [...new Set((job.instruments ?? []).map(({ name }) => name))];
}

/** Makes a child of a take, and closes the form if the gateway accepts it. */
export async function makeChild(body: object, send: (key: string) => Promise<JobAccepted>): Promise<void> {
  if (isSendingEdit.peek()) return;
  isSendingEdit.value = true;
  editProblems.value = {};
  try {
    await start(JSON.stringify([openEdit.peek(), body]), send);
    showEdit(null);
  } catch (error) {
    editProblems.value = problemsOf(error);
  } finally {
    isSendingEdit.value = false;
  }
}

/** Renders the score of a take again, with its parts as files: nothing is composed. */
export async function makeParts(job: JobView): Promise<void> {
  const body: VaryRequest = { strength: 0, seed: job.seed, outputs: ["midi", "stems"] };
  try {
    await start(JSON.stringify([job.job_id, body]), (key) => client.vary(job.job_id, body, key));
  } catch (error) {
    tell(noteError(error));
  }
}
