import { effect, type Signal, signal } from "@preact/signals";

/** A signal that this browser remembers. Other tabs see changes at once; a damaged or blocked store is ignored. */
export function storedSignal<Value>(name: string, initial: Value): Signal<Value> {
  const key = `studio.${name}`;
  const stored = signal(read(key, initial));
  let written = JSON.stringify(stored.peek());
  effect(() => {
    const text = JSON.stringify(stored.value);
    if (text === written) return;
    written = text;
    try {
      localStorage.setItem(key, text);
    } catch {
      // A private window or a full store: the page works, but forgets.
    }
  });
  addEventListener("storage", (event) => {
    if (event.key !== key) return;
    written = event.newValue ?? JSON.stringify(initial);
    stored.value = read(key, initial);
  });
  return stored;
}

function read<Value>(key: string, initial: Value): Value {
  try {
    const text = localStorage.getItem(key);
    if (text === null) return initial;
    const value = JSON.parse(text) as Value;
    // Fields that a later version of the page has added keep their initial value.
    return isPlainObject(initial) && isPlainObject(value) ? { ...initial, ...value } : value;
  } catch {
    return initial;
  }
}

function isPlainObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
