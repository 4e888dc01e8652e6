import { signal } from "@preact/signals";
import type { HealthReport } from "@tellurstori/musicgen";
import { client } from "../api/gateway.ts";
import { isAway, keyProblem, noteError } from "./connection.ts";
import { readModels } from "./models.ts";

/** Milliseconds between two looks at the parts behind the gateway. */
const PERIOD = 4000;

/** Which part of the service is away, in words for a person; empty if all are there. */
export const outage = signal("");
/** Whether files can be fetched. */
export const hasStore = signal(true);

/** Looks at the health of the service as long as the page is visible. */
export async function watchHealth(): Promise<void> {
  if (!document.hidden && !isAway.peek()) await readHealth();
  setTimeout(watchHealth, PERIOD);
}

/** Looks at the health of the service now. */
export async function readHealth(): Promise<void> {
  if (keyProblem.peek() !== null) return;
  try {
    const report = await client.health();
    note(report);
    await readModels(report);
  } catch (error) {
    noteError(error);
  }
}

function note({ components, status }: HealthReport): void {
  const isWell = (name: string) => (components[name]?.status ?? "healthy") === "healthy";
  hasStore.value = isWell("s3");
  if (status === "healthy") outage.value = "";
  else if (!hasStore.value) outage.value = "The store of the takes is away. Trying again…";
  else if (status === "unhealthy") outage.value = "The queue is away: new takes wait. Trying again…";
  else outage.value = isWell("workers") ? "" : (components.workers?.message ?? "");
}
