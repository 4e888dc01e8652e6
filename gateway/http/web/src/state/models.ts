import { signal } from "@preact/signals";
import type { HealthReport, ModelList, ModelReport } from "@tellurstori/musicgen";
import { client } from "../api/gateway.ts";
import type { Mode } from "./sources.ts";

/** The models of the service; null before the gateway has told them. */
export const models = signal<ModelList | null>(null);

let known = "";

/** Reads what the models can do, when workers have come or gone since the last look. */
export async function readModels({ model_info }: HealthReport): Promise<void> {
  const serving = JSON.stringify(model_info);
  if (serving === known) return;
  models.value = await client.models();
  known = serving;
}

/** The name of the model that a form means; an empty text is the gateway's. */
export function modelOf(name: string): string {
  return name.trim() || (models.value?.default ?? "");
}

/** Whether a worker serves the model, so that it is known what the model can do. */
export function isKnown(name: string): boolean {
  return reportOf(name) !== undefined;
}

/** Whether a model can do this with a source. */
export function announces(name: string, mode: Mode): boolean {
  const report = reportOf(name);
  return report !== undefined && canDo(report, mode);
}

/** The models that can do any of this. */
export function ableModels(modes: readonly Mode[]): string[] {
  const all = models.value?.models.filter(({ state }) => state !== "failed") ?? [];
  return all.filter((each) => modes.some((mode) => canDo(each, mode))).map(({ name }) => name);
}

/** What a form's model must be to do this: itself, another one that a worker serves, or null if there is none. */
export function modelFor(name: string, mode: Mode): string | null {
  return announces(modelOf(name), mode) ? name : (ableModels([mode])[0] ?? null);
}

function reportOf(name: string): ModelReport | undefined {
  return models.value?.models.find((each) => each.name === name);
}

function canDo({ abilities }: ModelReport, { of, name }: Mode): boolean {
  return (abilities[of] as readonly string[]).includes(name);
}
