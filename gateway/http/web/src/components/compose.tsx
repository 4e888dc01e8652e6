import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { client } from "../api/gateway.ts";
import { generate, isSending } from "../state/actions.ts";
import { announce, noteError, tell } from "../state/connection.ts";
import { hasLoaded } from "../state/feed.ts";
import { allows, change, form, mode, problems } from "../state/form.ts";
import { stopWaiting, waiting } from "../state/retry.ts";
import { takes } from "../state/takes.ts";
import { ComposeFile } from "./compose-file.tsx";
import { ComposeGrid } from "./compose-grid.tsx";
import { ComposeSource } from "./compose-source.tsx";
import { Icon } from "./icons.tsx";
import { Presets } from "./presets.tsx";
import { Problem } from "./problem.tsx";
import { Readings } from "./readings.tsx";
import { Variations } from "./variations.tsx";

const MOST_LETTERS = 500;

/** The form of a new request. */
export function Compose() {
  return (
    <form
      class="compose panel"
      aria-label="New take"
      noValidate
      autocomplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        void generate();
      }}
    >
      {allows("prompt") && <Description />}
      <ComposeSource />
      <ComposeGrid />
      <ComposeFile />
      <div class="go">
        <Problem field="" />
        <Problem field="variations" />
        <div class="row">
          {allows("variations") && <Variations />}
          {waiting.value && (
            <button type="button" onClick={stopWaiting}>
              Do not wait
            </button>
          )}
          <button
            type="submit"
            class="primary"
            aria-disabled={isSending.value}
            aria-keyshortcuts="Control+Enter Meta+Enter"
          >
            {waiting.value
              ? "Waiting…"
              : isSending.value
                ? "Sending…"
                : mode.value?.name === "play"
                  ? "Render"
                  : "Generate"}
          </button>
        </div>
      </div>
    </form>
  );
}

/** What is to be composed, in words. */
function Description() {
  return (
    <>
      <Prompt />
      <div class="readings-place">
        <Readings />
      </div>
      {hasLoaded.value && takes.value.size === 0 && <Examples />}
      <Presets />
    </>
  );
}

function Prompt() {
  const box = useRef<HTMLTextAreaElement>(null);
  const { prompt } = form.value;
  useEffect(() => {
    // The box grows with the text, so that all of it is in view.
    const { style, scrollHeight } = box.current!;
    style.height = "auto";
    style.height = `${Math.min(260, Math.max(scrollHeight, box.current!.scrollHeight) + 2)}px`;
  }, [prompt]);
  return (
    <div>
      <div class="row">
        <label for="prompt" class="title">
          Describe the music
        </label>
        <span class="spring" />
        <Surprise />
      </div>
      <textarea
        ref={box}
        id="prompt"
        rows={3}
        maxLength={MOST_LETTERS}
        placeholder="8 bars of house with piano at 124 bpm in A minor"
        value={prompt}
        aria-invalid={"prompt" in problems.value}
        aria-describedby="problem-prompt"
        onInput={({ currentTarget }) => change({ prompt: currentTarget.value })}
      />
      {prompt.length > MOST_LETTERS - 80 && (
        <p class="dim numbers">
          {prompt.length} / {MOST_LETTERS}
        </p>
      )}
      <Problem field="prompt" />
    </div>
  );
}

function Surprise() {
  const isAsking = useSignal(false);
  const surprise = async () => {
    if (isAsking.peek()) return;
    isAsking.value = true;
    try {
      const { structured_prompt } = await client.randomPrompt();
      change({ prompt: structured_prompt, bpm: "", key: "", meter: "" });
      announce(`Description: ${structured_prompt}`);
    } catch (error) {
      tell(noteError(error));
    } finally {
      isAsking.value = false;
    }
  };
  return (
    <button type="button" class="quiet" onClick={surprise}>
      <Icon name="spark" /> Surprise me
    </button>
  );
}

const EXAMPLES = [
  "4-bar house loop with piano at 124 bpm in A minor",
  "8 bars of lo-fi hip hop with electric piano and vinyl crackle",
  "slow ambient pads and bells, 20 seconds",
  "drum and bass with a deep synth bass at 174 bpm, 8 bars",
];

/** Prompts to begin with, as long as there are no takes. */
function Examples() {
  return (
    <div class="chips" role="group" aria-label="Examples">
      {EXAMPLES.map((example) => (
        <button
          key={example}
          type="button"
          class="chip"
          onClick={() => change({ prompt: example, lengthUnit: "text" })}
        >
          {example}
        </button>
      ))}
    </div>
  );
}
