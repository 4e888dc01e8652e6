import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { rename } from "../state/marks.ts";

/** The name of a take; a click edits it. */
export function TakeName({ id, name }: { id: string; name: string }) {
  const isEditing = useSignal(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (isEditing.value) input.current?.select();
  }, [isEditing.value]);
  const finish = (text: string) => {
    if (!isEditing.peek()) return;
    isEditing.value = false;
    if (text !== name) rename(id, text);
  };
  if (!isEditing.value) {
    return (
      <button type="button" class="name" title="Rename" onClick={() => (isEditing.value = true)}>
        {name}
      </button>
    );
  }
  return (
    <input
      ref={input}
      class="name"
      value={name}
      maxLength={100}
      aria-label={`Name of ${name}`}
      onBlur={({ currentTarget }) => finish(currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") finish(event.currentTarget.value);
        if (event.key === "Escape") finish(name);
      }}
    />
  );
}
