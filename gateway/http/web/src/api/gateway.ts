import { Client, EventSocket } from "@tellurstori/musicgen";

const KEY = "api-key";

/** The API key lives as long as the tab. */
export const client = new Client({ apiKey: sessionStorage.getItem(KEY) ?? "" });
export const socket = new EventSocket(client);

/** The gateway's longest music, in seconds. It is written into the page. */
export const MAX_DURATION = Number(document.documentElement.dataset.maxDuration ?? 120);

/** Keeps the key and loads the page with it. */
export function useKey(key: string): void {
  sessionStorage.setItem(KEY, key.trim());
  location.reload();
}
