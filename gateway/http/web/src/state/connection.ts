import { signal } from "@preact/signals";
import { ApiError } from "@tellurstori/musicgen";
import { plainly } from "./plain-words.ts";

/** Whether the gateway does not answer at the moment. The page retries by itself. */
export const isAway = signal(false);
/** Why a key is asked for, or null if none is. */
export const keyProblem = signal<string | null>(null);
/** What a screen reader says next. */
export const announcement = signal("");
/** A message that goes away by itself, such as a refusal. */
export const notice = signal("");

let timer: ReturnType<typeof setTimeout> | undefined;

export function announce(text: string): void {
  announcement.value = text;
}

export function tell(text: string): void {
  clearTimeout(timer);
  notice.value = text;
  timer = setTimeout(() => {
    notice.value = "";
  }, 8000);
}

/** Notes what an error says about the connection. Returns the words for a person; none for what a person has ended. */
export function noteError(error: unknown): string {
  if (error instanceof DOMException && error.name === "AbortError") return "";
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  if (error.status === 0) isAway.value = true;
  if (error.status === 401) keyProblem.value = sessionStorage.getItem("api-key") ? error.message : "";
  return error.message;
}

/** What an error finds wrong, by field; "" holds what belongs to no field. Nothing where a key is asked for instead. */
export function problemsOf(error: unknown): Record<string, string> {
  const message = noteError(error);
  if (!(error instanceof ApiError)) return { "": message };
  if (error.errors.length > 0)
    return Object.fromEntries(error.errors.map(({ field, message }) => [field, plainly(message)]));
  return error.status === 401 ? {} : { "": message };
}
