import { signal } from "@preact/signals";
import { ApiError } from "@tellurstori/musicgen";
import { noteError } from "./connection.ts";
import { outage, readHealth } from "./health.ts";

/** Milliseconds between two attempts. */
const SHORTEST = 1000;
const LONGEST = 5000;

/** Why a request of a person waits, or empty if none does. */
export const waiting = signal("");

let stop = new AbortController();

/** Repeats a request of a person while the service is away or full, and shows why it waits. `stopWaiting` ends it. */
export async function whenAccepted<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  const { signal } = stop;
  try {
    return await whenBack(call, signal, async (error) => {
      noteError(error);
      await readHealth();
      waiting.value = outage.peek() || `${error.message} Trying again…`;
    });
  } finally {
    waiting.value = "";
  }
}

/** Gives up the requests that wait. */
export function stopWaiting(): void {
  stop.abort();
  stop = new AbortController();
}

/** Repeats a call while the service is away or full. Throws what ends it: another refusal, or the reason of a stop. */
export async function whenBack<Answer>(
  call: () => Promise<Answer>,
  stop?: AbortSignal,
  onWait: (error: ApiError) => unknown = noteError,
): Promise<Answer> {
  while (true) {
    try {
      return await call();
    } catch (error) {
      if (!isTemporary(error)) throw error;
      await onWait(error);
      await pause(Math.min(Math.max(1000 * (error.retryAfter ?? 0), SHORTEST), LONGEST), stop);
    }
  }
}

/** Whether the same request may succeed in a moment: there was no answer, or a part of the service is away or full. */
export function isTemporary(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false;
  const isTooFast = error.status === 429 && (error.retryAfter ?? LONGEST) <= 2; // not a quota
  return isTooFast || [0, 502, 503, 504].includes(error.status);
}

function pause(milliseconds: number, stop?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    stop?.throwIfAborted();
    const timer = setTimeout(resolve, milliseconds);
    stop?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(stop.reason);
    });
  });
}
