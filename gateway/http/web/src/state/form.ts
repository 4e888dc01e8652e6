import { computed, effect, signal } from "@preact/signals";
import type { GenerateRequest, JobStatus, ParsedPrompt, Recipe } from "@tellurstori/musicgen";
import { client } from "../api/gateway.ts";
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
}

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
};

export const form = storedSignal<Form>("form", EMPTY);
/** What the gateway found wrong, by field; "" holds what belongs to no field. */
export const problems = signal<Readonly<Record<string, string>>>({});
/** How the gateway reads the prompt, or null before it has answered. */
export const reading = signal<ParsedPrompt | null>(null);
/** The tempo that applies: the field's, else the prompt's. */
export const tempo = computed(() => numberOf(form.value.bpm) ?? reading.value?.components.bpm ?? null);

/** Changes some fields of the form. */
export function change(fields: Partial<Form>): void {
  form.value = { ...form.peek(), ...fields };
  if (Object.keys(problems.peek()).length > 0) problems.value = {};
}

/** The request: only what a person has set, so that the prompt's own words count for the rest. */
export function requestOf(form: Form): GenerateRequest {
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
    title: form.title.trim(),
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
  const given = Object.entries(fields).filter(([, value]) => value !== null && value !== "");
  return Object.fromEntries(given) as GenerateRequest;
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
