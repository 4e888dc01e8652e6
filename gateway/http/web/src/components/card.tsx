import { useComputed, useSignal } from "@preact/signals";
import type { JobView } from "@tellurstori/musicgen";
import { useEffect, useRef } from "preact/hooks";
import type { Region } from "../audio/schedule.ts";
import { newest } from "../state/actions.ts";
import { live } from "../state/feed.ts";
import { durationOf, isPlayable, player, playOrPause } from "../state/listening.ts";
import { favourites, names, toggleMark } from "../state/marks.ts";
import { isRunning, type Take } from "../state/takes.ts";
import { CardActions } from "./card-actions.tsx";
import { EditForm } from "./edit-form.tsx";
import { EndedState } from "./ended-state.tsx";
import { barAndBeat, clock, hueOf, originOf } from "./format.ts";
import { Icon } from "./icons.tsx";
import { Parts } from "./parts.tsx";
import { RunningState } from "./running-state.tsx";
import { useStoredPeaks } from "./stored-peaks.ts";
import { TakeName } from "./take-name.tsx";
import { useTimeline } from "./take-timeline.ts";
import { Waveform } from "./waveform.tsx";

interface CardProps {
  take: Take;
  /** Counts from 1 within the request. */
  number: number;
  /** What it was made of: the name of the take. */
  parentName: string | null;
  /** Facts that stand above the cards of the request. */
  shared: string[];
}

/** One take: its name, its waveform, and what can be done with it. */
export function Card({ take, number, parentName, shared }: CardProps) {
  const job = take.job.value;
  const name = names.value[take.id] ?? `Take ${number}`;
  const isCurrent = player.currentId.value === take.id;
  const card = useRef<HTMLElement>(null);
  useEffect(() => {
    if (newest.peek() === take.id) card.current?.scrollIntoView({ block: "nearest", behavior: scrolling() });
  }, []);
  return (
    <article
      ref={card}
      class={`card ${job.status}${isCurrent ? " current" : ""}`}
      aria-label={`${name}: ${job.prompt}`}
      data-job={take.id}
      style={{ "--hue": hueOf(number - 1) }}
    >
      <header>
        <PlayButton job={job} name={name} />
        <TakeName id={take.id} name={name} />
        <Slots id={take.id} />
        <span class="dim numbers length-of-take">{clock(durationOf(job))}</span>
        <span class="dim numbers seed" title="The seed: the same seed and settings make the same music">
          #{job.seed}
        </span>
        <span class="spring" />
        <FavouriteButton id={take.id} name={name} />
        <CardActions job={job} name={name} />
      </header>
      <Origin job={job} parentName={parentName} />
      <TakeWaveform job={job} name={name} isCurrent={isCurrent} />
      <EditForm job={job} name={name} />
      <Parts job={job} name={name} />
      {isRunning(job) ? <RunningState job={job} name={name} /> : <EndedState job={job} shared={shared} />}
    </article>
  );
}

function PlayButton({ job, name }: { job: JobView; name: string }) {
  const plays = player.currentId.value === job.job_id && player.isPlaying.value;
  return (
    <button
      type="button"
      class="play"
      aria-label={`${plays ? "Pause" : "Play"} ${name}`}
      aria-disabled={!isPlayable(job)}
      onClick={() => isPlayable(job) && playOrPause(job)}
    >
      <Icon name={plays ? "pause" : "play"} />
    </button>
  );
}

/** Which side of the A/B comparison the take is on. */
function Slots({ id }: { id: string }) {
  const { a, b } = player.slots.value;
  if (!b) return null;
  if (a?.jobId === id) return <span class="slot">A</span>;
  return b.jobId === id ? <span class="slot">B</span> : null;
}

/** What a child was made of, and how. */
function Origin({ job, parentName }: { job: JobView; parentName: string | null }) {
  const origin = originOf(job);
  return origin ? <p class="origin">{parentName ? `${parentName}, ${origin}` : origin}</p> : null;
}

function FavouriteButton({ id, name }: { id: string; name: string }) {
  const isMarked = favourites.value.includes(id);
  return (
    <button
      type="button"
      class="quiet icon-button"
      aria-pressed={isMarked}
      aria-label={`Favourite: ${name}`}
      title="Favourite"
      onClick={() => toggleMark(favourites, id)}
    >
      <Icon name="star" filled={isMarked} />
    </button>
  );
}

function TakeWaveform({ job, name, isCurrent }: { job: JobView; name: string; isCurrent: boolean }) {
  const place = useRef<HTMLDivElement>(null);
  const stored = useStoredPeaks(job.audio_expired ? null : job.peaks_url, place);
  const jobId = useSignal(job.job_id);
  const peaks = useComputed(() => stored.value ?? live.value.get(jobId.value)?.peaks.value ?? null);
  const timeline = useTimeline(job);
  const { bar } = timeline;
  if (!isRunning(job) && !job.audio_url) return null;
  return (
    <div ref={place} class={isCurrent ? "wave current" : "wave"}>
      <Waveform
        {...timeline}
        peaks={peaks}
        fresh={freshOf(job)}
        label={`Position in ${name}`}
        positionText={(seconds) => (bar ? `bar ${barAndBeat(seconds, bar, job.meter ?? "4/4")}` : clock(seconds))}
      />
    </div>
  );
}

/** The part of a child that was composed, unless that is scattered or all of it. */
function freshOf({ composed }: JobView): Region | null {
  const { from_seconds: start, to_seconds: end } = composed ?? {};
  return start == null || end == null ? null : { start, end };
}

function scrolling(): ScrollBehavior {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
}
