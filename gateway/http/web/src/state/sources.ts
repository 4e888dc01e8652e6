import type { GenerateRequest, JobView, Recipe, UploadedFile } from "@tellurstori/musicgen";

/** What new music can begin with: an uploaded file, or a take. */
export interface Source {
  /** A MIDI file has a score. A take of the starter has both, and is one or the other. */
  kind: "audio" | "score";
  /** How a request names it: `audio_id`, `job_id`, or the `sha256` of a recipe. */
  ref: Readonly<Record<string, unknown>>;
  name: string;
  /** In seconds. */
  duration: number;
  /** Of a take's score: single ones may play, and with other sounds. */
  instruments: readonly string[];
}

type Field = keyof GenerateRequest;

/** What can be done with a source. */
export interface Mode {
  /** Its name in the API: a field of `audio`, or a value of `score.as`. */
  name: string;
  of: Source["kind"];
  label: string;
  /** A sentence that says what becomes of it. */
  hint: string;
  /** Whether the source says enough, so that the music needs no description. */
  isDescribed?: boolean;
  /** Whether a request may have this field as well. */
  allows(field: Field, source: Source): boolean;
}

/** The fields that say how the file is made and sent, and nothing of the music. */
const OF_THE_FILE: ReadonlySet<Field> = new Set([
  ...(["outputs", "title", "format", "sample_rate", "sample_format", "loudness"] as const),
  ...(["priority", "cache", "webhook", "webhook_events"] as const),
]);
/** The fields that say what is composed, or who plays. Tempo and meter are those of the score. */
const OF_COMPOSING: ReadonlySet<Field> = new Set([
  ...OF_THE_FILE,
  ...(["prompt", "components", "negative_prompt", "seed", "variations", "model", "loop", "key"] as const),
]);
/** Fitting the music to a grid would cut and stretch the source. */
const ON_A_GRID: ReadonlySet<Field> = new Set(["bars", "bpm", "loop"]);

/** All modes. The form offers those that the model announces. */
export const MODES: readonly Mode[] = [
  {
    name: "play",
    of: "score",
    label: "play it note for note",
    hint: "Nothing is composed: its notes sound with the instruments of the model.",
    allows: (field, { ref }) => OF_THE_FILE.has(field) || (!ref.job_id && (field === "model" || field === "loop")),
  },
  {
    name: "orchestrate",
    of: "score",
    label: "give it to other instruments",
    hint: "The prompt names them: string quartet, 8-bit, with a trumpet. Rhythm and notes stay.",
    allows: (field) => OF_COMPOSING.has(field) && field !== "key",
  },
  {
    name: "accompany",
    of: "score",
    label: "accompany it",
    hint: "Its notes stay, and the prompt names the instruments or the genre that join them.",
    allows: (field) => OF_COMPOSING.has(field),
  },
  {
    name: "continue",
    of: "score",
    label: "continue it",
    hint: "New bars follow its last one. The length counts its own bars, too.",
    isDescribed: true,
    allows: (field) => OF_COMPOSING.has(field) || field === "bars" || field === "duration",
  },
  {
    name: "continue_from",
    of: "audio",
    label: "continue it",
    hint: "The file begins with this excerpt, and its length counts it.",
    allows: (field) => !ON_A_GRID.has(field),
  },
  {
    name: "melody",
    of: "audio",
    label: "follow its melody",
    hint: "Nothing of it is in the file. Its voice or lead alone is followed best.",
    allows: (field) => !ON_A_GRID.has(field),
  },
];

/** A file that was uploaded, as a source. */
export function sourceOfFile({ audio_id, kind, duration }: UploadedFile, name: string): Source {
  return { kind: kind === "midi" ? "score" : "audio", ref: { audio_id }, name, duration, instruments: [] };
}

/** A title that the gateway accepts, after a file's name; empty if nothing of it is visible. */
export function titleOf(fileName: string): string {
  const words = fileName
    .replace(/\.\w{1,5}$/, "")
    .replace(/\p{C}/gu, " ")
    .trim();
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(words) ? Array.from(words).slice(0, 100).join("") : "";
}

/** A take as a source. */
export function sourceOfTake(job: JobView, kind: Source["kind"], name: string): Source {
  const instruments = kind === "score" ? [...new Set((job.instruments ?? []).map((each) => each.name))] : [];
  return { kind, ref: { job_id: job.job_id }, name, duration: job.actual_duration ?? job.duration, instruments };
}

/** What a recipe begins with, as fields of the form; none if it begins with nothing. */
export function sourceFieldsOf({ audio, score, duration }: Recipe) {
  if (score) {
    const { as = "play", ...ref } = score as typeof score & { as?: string };
    return { source: { kind: "score", ref, name: "the same notes", duration, instruments: [] }, mode: as } as const;
  }
  const [mode, excerpt] = Object.entries(audio ?? {}).find(([, given]) => given) ?? [];
  if (!mode || !excerpt) return {};
  const { start, end, sha256: _, ...ref } = excerpt; // without the checksum, another excerpt can be chosen
  const source: Source = { kind: "audio", ref, name: "the same audio", duration: end ?? 0, instruments: [] };
  return { source, mode, from: String(start ?? ""), to: String(end ?? "") };
}
