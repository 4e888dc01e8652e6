import type { Signal } from "@preact/signals";
import { storedSignal } from "./storage.ts";

/** What a person notes about takes. It stays in this browser: the gateway has no fields for it. */
export const favourites: Signal<readonly string[]> = storedSignal<readonly string[]>("favourites", []);
export const hidden: Signal<readonly string[]> = storedSignal<readonly string[]>("hidden", []);
export const names: Signal<Readonly<Record<string, string>>> = storedSignal("names", {});

/** Adds a take to a list, or removes it. */
export function toggleMark(list: Signal<readonly string[]>, id: string): void {
  const marked = list.peek();
  list.value = marked.includes(id) ? marked.filter((other) => other !== id) : [...marked, id];
}

/** Names a take; an empty name restores the usual one. */
export function rename(id: string, name: string): void {
  const { [id]: _, ...others } = names.peek();
  const text = name.trim().slice(0, 100);
  names.value = text ? { ...others, [id]: text } : others;
}
