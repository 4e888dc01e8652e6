import { useSignal } from "@preact/signals";
import type { Vocabulary } from "@tellurstori/musicgen";
import { useEffect } from "preact/hooks";
import { client } from "../api/gateway.ts";
import { isAway, noteError, tell } from "../state/connection.ts";
import { change, form } from "../state/form.ts";

/** Genres as a start: a press writes the genre and its usual instruments as the description. */
export function Presets() {
  const vocabulary = useSignal<Vocabulary | null>(null);
  useEffect(() => {
    if (vocabulary.peek() || isAway.value) return;
    client.vocabulary().then(
      (found) => {
        vocabulary.value = found;
      },
      (error: unknown) => void noteError(error),
    );
  }, [isAway.value]);
  const apply = async (genre: string, instruments: string[]) => {
    try {
      const { structured_prompt } = await client.buildPrompt({ genre, instruments });
      change({ prompt: structured_prompt, bpm: "", key: "", meter: "" });
    } catch (error) {
      tell(noteError(error));
    }
  };
  const { prompt } = form.value;
  return (
    <div class="presets" role="group" aria-label="Genres">
      {vocabulary.value?.genres.map(({ name, instruments }) => (
        <button
          key={name}
          type="button"
          class="chip"
          aria-pressed={prompt.startsWith(`${name} music`)}
          onClick={() => apply(name, instruments)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
