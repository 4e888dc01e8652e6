import { useComputed, useSignalEffect } from "@preact/signals";
import type { JobView } from "@tellurstori/musicgen";
import { useRef } from "preact/hooks";
import { barSeconds, currentJob, durationOf, player, toggleLoop } from "../state/listening.ts";
import { names } from "../state/marks.ts";
import { barAndBeat, clock, factsOf } from "./format.ts";
import { Icon } from "./icons.tsx";

/** The one player, at the bottom of the window. */
export function PlayerBar() {
  const job = currentJob.value;
  return (
    <section class="player" aria-label="Player" hidden={!job}>
      {job && <Controls job={job} />}
    </section>
  );
}

function Controls({ job }: { job: JobView }) {
  const plays = player.isPlaying.value;
  const line = useRef<HTMLDivElement>(null);
  useSignalEffect(() => {
    const share = player.position.value / (player.track.value?.duration || 1);
    if (line.current) line.current.style.transform = `scaleX(${Math.min(1, share)})`;
  });
  return (
    <>
      <div ref={line} class="progress" />
      <button
        type="button"
        class="play"
        aria-label={plays ? "Pause" : "Play"}
        aria-keyshortcuts="Space"
        onClick={() => player.toggle()}
      >
        <Icon name={plays ? "pause" : "play"} />
      </button>
      <div class="now">
        <strong>{names.value[job.job_id] ?? job.title ?? job.prompt}</strong>
        <span class="dim numbers">{[...factsOf(job), `#${job.seed}`].join(" · ")}</span>
      </div>
      <Position job={job} />
      <button
        type="button"
        class="toggle icon-button"
        aria-label="Loop"
        aria-keyshortcuts="L"
        title="Loop (L). Drag across the waveform to loop some bars."
        aria-pressed={player.loop.value !== null}
        aria-disabled={!job.audio_url}
        onClick={() => job.audio_url && toggleLoop()}
      >
        <Icon name="loop" />
      </button>
      <Comparison />
      <Volume />
    </>
  );
}

/** Bar and beat, and the time. */
function Position({ job }: { job: JobView }) {
  const bar = barSeconds(job);
  const time = useComputed(() => clock(player.position.value));
  const beat = useComputed(() => (bar ? barAndBeat(player.position.value, bar, job.meter ?? "4/4") : ""));
  return (
    <div class="position numbers">
      {bar && <strong>{beat}</strong>}
      <span class="dim">
        {time} / {clock(durationOf(job))}
      </span>
    </div>
  );
}

/** A and B switch between the last two takes, at the same place and equally loud. */
function Comparison() {
  const { a, b } = player.slots.value;
  if (!a || !b) return null;
  const current = player.currentId.value;
  return (
    <div class="segments" role="group" aria-label="Compare two takes">
      {(["a", "b"] as const).map((slot) => (
        <button
          key={slot}
          type="button"
          aria-pressed={player.slots.value[slot]?.jobId === current}
          aria-keyshortcuts={slot.toUpperCase()}
          title={`Listen to ${slot.toUpperCase()} at the same place`}
          onClick={() => player.listenTo(slot)}
        >
          {slot.toUpperCase()}
        </button>
      ))}
      <button
        type="button"
        class="wide-only"
        aria-pressed={player.isMatching.value}
        title="Play A and B equally loud"
        onClick={() => {
          player.isMatching.value = !player.isMatching.peek();
        }}
      >
        Equal loudness
      </button>
    </div>
  );
}

function Volume() {
  return (
    <label class="volume wide-only">
      <Icon name="volume" />
      <input
        type="range"
        min={0}
        max={1}
        step={0.01}
        aria-label="Volume"
        value={Math.sqrt(player.volume.value)}
        onInput={({ currentTarget }) => {
          player.volume.value = currentTarget.valueAsNumber ** 2; // even steps of loudness
        }}
      />
    </label>
  );
}
