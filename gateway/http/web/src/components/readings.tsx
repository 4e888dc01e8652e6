import { form, reading } from "../state/form.ts";

/** How the prompt is read while it is typed: what the music will follow, and what it will not. */
export function Readings() {
  const read = reading.value;
  if (!read) return null;
  const meanings = [...new Set(read.understood.map((each) => each.as))];
  if (meanings.length + read.ignored_because.length === 0) return null;
  return (
    <ul class="readings" aria-label="How the description is read">
      {meanings.map((meaning) => (
        <li key={meaning} class="read">
          {meaning}
        </li>
      ))}
      {read.ignored_because.map(({ words, because }) => (
        <li key={words} class="ignored" title={because}>
          <s>{words}</s> <span class="because">{because}</span>
        </li>
      ))}
      {form.value.model !== "" && form.value.model !== "starter" && (
        <li class="because">Other models may read it differently.</li>
      )}
    </ul>
  );
}
