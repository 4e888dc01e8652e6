import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { generate } from "../state/actions.ts";
import { currentJob, moveByBars, player, toggleLoop } from "../state/listening.ts";
import { Icon } from "./icons.tsx";

export const isHelpOpen = signal(false);

const HELP: [string, string][] = [
  ["Space", "Play or pause"],
  ["← →", "Back or forward by a bar"],
  ["L", "Loop on or off"],
  ["A  B", "Compare the last two takes"],
  ["Ctrl or ⌘ + Enter", "Generate"],
  ["/", "Search"],
  ["?", "These keys"],
];

/** Handles the keys of the whole page. Keys that a focused control needs are left to it. */
export function listenToKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) {
      event.preventDefault();
      void generate();
      return;
    }
    if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
    const action = actionOf(event);
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function actionOf({ key, target }: KeyboardEvent): (() => void) | null {
  if (key === "?") return () => (isHelpOpen.value = !isHelpOpen.peek());
  if (key === "/") return () => document.getElementById("search")?.focus();
  if (!currentJob.peek()) return null;
  switch (key.length === 1 ? key.toLowerCase() : key) {
    case " ":
      return pressesItself(target) ? null : () => void player.toggle();
    case "l":
      return () => currentJob.peek()?.audio_url && toggleLoop();
    case "a":
    case "b":
      return () => void player.listenTo(key.toLowerCase() as "a" | "b");
    case "ArrowLeft":
      return isFader(target) ? null : () => moveByBars(-1);
    case "ArrowRight":
      return isFader(target) ? null : () => moveByBars(1);
    default:
      return null;
  }
}

/** Whether a control takes letters and arrows itself. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input:not([type=range]), textarea, select");
}

/** Whether a control takes arrows, but no letters. */
function isFader(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("[type=range]");
}

function pressesItself(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("button, a, summary");
}

/** The list of keys. */
export function Shortcuts() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isHelpOpen.value) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isHelpOpen.value]);
  return (
    <dialog ref={dialog} class="panel" aria-labelledby="keys-title" onClose={() => (isHelpOpen.value = false)}>
      <header class="row">
        <h2 id="keys-title">Keys</h2>
        <span class="spring" />
        <button type="button" class="quiet icon-button" aria-label="Close" onClick={() => (isHelpOpen.value = false)}>
          <Icon name="close" />
        </button>
      </header>
      <dl>
        {HELP.map(([keys, effect]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{effect}</dd>
          </div>
        ))}
      </dl>
      <p class="dim">
        Drag across a waveform to loop some bars. Drag the download arrow into your DAW. Drop audio or MIDI files
        anywhere.
      </p>
    </dialog>
  );
}
