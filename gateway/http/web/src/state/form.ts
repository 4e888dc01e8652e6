import { computed, effect, signal } from "@preact/signals";
import type { GenerateRequest, JobStatus, ParsedPrompt, Recipe } from "@tellurstori/musicgen";
import { client } from "../api/gateway.ts";
import { announces, modelOf } from "./models.ts";
import { MODES, type Mode, type Source, sourceFieldsOf, titleOf } from "./sources.ts";
import { storedSignal } from "./storage.ts";

export type LengthUnit = "text" | "bars" | "seconds";
/** Whether the end continues at the start; "" follows the description. */
export type Repeats = "" | "yes" | "no";

export const MOST_VARIATIONS = 8;

/** The form as a person fills it. An empty text is not set, and is not sent. */
export interface Form {
  prompt: string;
  lengthUnit: LengthUnit;
  bars: string;
  seconds: string;
  bpm: string;
  key: string;
  meter: string;
  repeats: Repeats;
  seed: string;
  isSeedLocked: boolean;
  variations: string;
  parts: boolean;
  without: string;
  title: string;
  model: string;
  format: string;
  sampleRate: string;
  sampleFormat: string;
  loudness: string;
  temperature: string;
  topK: string;
  topP: string;
  guidance: string;
  /** The lane that the request waits in; "" is the key's usual one. */
  priority: string;
  /** Whether stored results answer: "yes" those of any seed, "no" none, "" those of the same seed. */
  stored: string;
  webhook: string;
  /** Of which events the webhook is told: "starts" of the start too, "all" of each, "" of a take's end. */
  told: string;
  /** What the music begins with; null is nothing. */
  source: Source | null;
  /** The name of the mode: what is done with the source. */
  mode: string;
  /** The excerpt of a source that is audio, in seconds. */
  from: string;
  to: string;
  /** The only instruments of a score to play; none means all. */
  players: readonly string[];
  /** General MIDI programs that replace those of instruments. */
  programs: Readonly<Record<string, number>>;
}

/** The fields of a form that begins with nothing. */
export const NOTHING = { source: null, mode: "", from: "", to: "", players: [], programs: {} } satisfies Partial<Form>;

export const EMPTY: Form = {
  prompt: "",
  lengthUnit: "text",
  bars: "4",
  seconds: "10",
  bpm: "",
  key: "",
  meter: "",
  repeats: "",
  seed: "",
  isSeedLocked: false,
  variations: "1",
  parts: false,
  without: "",
  title: "",
  model: "",
  format: "",
  sampleRate: "",
  sampleFormat: "",
  loudness: "",
  temperature: "",
  topK: "",
  topP: "",
  guidance: "",
  priority: "",
  stored: "",
  webhook: "",
  told: "",
  ...NOTHING,
};

export const form = storedSignal<Form>("form", EMPTY);
/** What the gateway found wrong, by field; "" holds what belongs to no field. */
export const problems = signal<Readonly<Record<string, string>>>({});
/** How the gateway reads the prompt, or null before it has answered. */
export const reading = signal<ParsedPrompt | null>(null);
/** The tempo that applies: the field's, else the prompt's. */
export const tempo = computed(() => numberOf(form.value.bpm) ?? reading.value?.components.bpm ?? null);

/** What the form's model can do with the form's source. */
export const modes = computed<readonly Mode[]>(() => {
  const { source, model } = form.value;
  return MODES.filter((mode) => mode.of === source?.kind && announces(modelOf(model), mode));
});
/** What is done with the source; null without a source, or if the model can do nothing with it. */
export const mode = computed(() => modes.value.find(({ name }) => name === form.value.mode) ?? modes.value[0] ?? null);

/** Whether the request has this field: a source may leave it no sense. */
export function allows(field: keyof GenerateRequest): boolean {
  const { source } = form.value;
  return !source || !mode.value || mode.value.allows(field, source);
}

/** Changes some fields of the form. */
export function change(fields: Partial<Form>): void {
  form.value = { ...form.peek(), ...fields };
  if (Object.keys(problems.peek()).length > 0) problems.value = {};
}

/** The request: only what a person has set, so that the prompt's own words count for the rest. */
export function requestOf(form: Form, mode: Mode | null): GenerateRequest {
  const { source } = form;
  const fields = {
    prompt: form.prompt.trim(),
    bars: form.lengthUnit === "bars" ? numberOf(form.bars) : null,
    duration: form.lengthUnit === "seconds" ? numberOf(form.seconds) : null,
    bpm: numberOf(form.bpm),
    key: form.key,
    meter: form.meter,
    loop: form.repeats === "" ? null : form.repeats === "yes",
    seed: numberOf(form.seed),
    variations: form.variations.trim() === "1" ? null : numberOf(form.variations),
    outputs: form.parts ? ["midi", "stems"] : null,
    negative_prompt: form.without.trim(),
    title: form.title.trim() || (source && mode?.name === "play" && source.ref.audio_id ? titleOf(source.name) : ""),
    model: form.model.trim(),
    format: form.format,
    sample_rate: numberOf(form.sampleRate),
    sample_format: form.sampleFormat,
    loudness: numberOf(form.loudness),
    temperature: numberOf(form.temperature),
    top_k: numberOf(form.topK),
    top_p: numberOf(form.topP),
    cfg_coef: numberOf(form.guidance),
    priority: form.priority,
    cache: form.stored === "" ? null : form.stored === "yes",
    webhook: form.webhook.trim(),
    webhook_events: form.webhook.trim() ? toldEvents(form.told) : null,
  };
  const isAllowed = (name: string) => !source || !mode || mode.allows(name as keyof GenerateRequest, source);
  const given = Object.entries(fields).filter(([name, value]) => value !== null && value !== "" && isAllowed(name));
  return { ...Object.fromEntries(given), ...(source && mode && beginning(form, source, mode)) } as GenerateRequest;
}

/** The field that names the source, and says what is done with it. */
function beginning({ from, to, players, programs }: Form, { ref }: Source, { of, name }: Mode) {
  if (of === "audio") {
    const excerpt = Object.entries({ start: numberOf(from), end: numberOf(to) }).filter(([, at]) => at !== null);
    return { audio: { [name]: { ...ref, ...Object.fromEntries(excerpt) } } };
  }
  const some = players.length > 0 && { instruments: players };
  const others = Object.keys(programs).length > 0 && { programs };
  return { score: { ...ref, as: name, ...some, ...others } };
}

/** The events that a choice stands for; null leaves the gateway's default. */
function toldEvents(told: string): JobStatus[] | null {
  const ends: JobStatus[] = ["completed", "failed", "cancelled"];
  if (told === "starts") return ["processing", ...ends];
  return told === "all" ? ["queued", "processing", ...ends] : null;
}

/** The form that makes the music of a recipe again. A recipe's defaults stay unset. */
export function formOf(recipe: Recipe): Form {
  const unless = (value: number | string, usual: number | string) => (value === usual ? "" : String(value));
  return {
    ...EMPTY,
    prompt: recipe.prompt,
    lengthUnit: recipe.bars ? "bars" : "seconds",
    bars: String(recipe.bars ?? EMPTY.bars),
    seconds: String(recipe.duration),
    bpm: String(recipe.bpm ?? ""),
    key: recipe.key ?? "",
    meter: recipe.meter ?? "",
    repeats: recipe.loop ? "yes" : "no",
    seed: String(recipe.seed),
    isSeedLocked: true,
    parts: recipe.outputs.length > 0,
    without: recipe.negative_prompt ?? "",
    title: recipe.title ?? "",
    model: recipe.model,
    format: unless(recipe.format, "wav"),
    sampleRate: String(recipe.sample_rate ?? ""),
    sampleFormat: ["wav", "flac"].includes(recipe.format) ? unless(recipe.sample_format, "int16") : "",
    loudness: String(recipe.loudness ?? ""),
    temperature: unless(recipe.temperature, 1),
    topK: unless(recipe.top_k, 250),
    topP: unless(recipe.top_p, 0),
    guidance: String(recipe.cfg_coef),
    ...sourceFieldsOf(recipe),
  };
}

/** A random seed. */
export function rollSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** Keeps `reading` up to date while the prompt is typed. */
export function startReading(): void {
  let latest = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const prompt = computed(() => form.value.prompt.trim());
  effect(() => {
    const text = prompt.value;
    const request = ++latest;
    clearTimeout(timer);
    if (!text) {
      reading.value = null;
      return;
    }
    timer = setTimeout(async () => {
      const parsed = await client.parsePrompt(text).catch(() => null);
      if (request === latest && parsed) reading.value = parsed;
    }, 200);
  });
}

/** The number that a field holds, or null if it is empty or no number. */
export function numberOf(text: string): number | null {
  const number = Number(text.trim().replace(",", "."));
  return text.trim() === "" || Number.isNaN(number) ? null : number;
}
