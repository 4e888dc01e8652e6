import { signal } from "@preact/signals";
import type { EditKind, JobAccepted, JobView, OutputKind } from "@tellurstori/musicgen";
import { client } from "../api/gateway.ts";
import { requestFrom, start } from "./actions.ts";
import { noteError, problemsOf, tell } from "./connection.ts";
import { countBars } from "./listening.ts";

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

/** A way to make another take of one. */
export interface EditItem {
  kind: FormKind;
  label: string;
  /** Whether a take can be changed so. The gateway knows exactly, and says so. */
  suits(job: JobView): boolean;
}

/** What a model has composed as a score, it can compose again. */
export const hasScore = (job: JobView) => job.instruments !== null && !job.recipe.score;

/** From audio that a model has made, it can go on. */
const isAudio = (job: JobView) => job.model !== "starter" && job.status === "completed" && !job.audio_expired;

const isSource = (job: JobView) => hasScore(job) || isAudio(job);
const hasBars = (job: JobView) => hasScore(job) || (isAudio(job) && countBars(job) !== null);

/** All ways that have a form. */
export const EDITS: readonly EditItem[] = [
  { kind: "vary", label: "More like this…", suits: isSource },
  { kind: "extend", label: "Extend…", suits: isSource },
  { kind: "replace", label: "Replace bars…", suits: hasBars },
];

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
  const outputs: OutputKind[] = ["midi", "stems"];
  const send = (key: string) =>
    job.recipe.score
      ? client.generate({ ...requestFrom(job), outputs }, key)
      : client.vary(job.job_id, { strength: 0, seed: job.seed, outputs }, key);
  try {
    await start(JSON.stringify([job.job_id, "parts"]), send);
  } catch (error) {
    tell(noteError(error));
  }
}
