import { useSignal } from "@preact/signals";
import type { JobView } from "@tellurstori/musicgen";
import { useEffect, useRef } from "preact/hooks";
import { client } from "../api/gateway.ts";
import { type NoteTrack, noteTracks } from "../audio/midi.ts";
import { isHeard } from "../audio/mix.ts";
import { rowsOf } from "../audio/roll.ts";
import { noteError } from "../state/connection.ts";
import { durationOf } from "../state/listening.ts";
import { mixes, stemsOf } from "../state/mixer.ts";
import { whenBack } from "../state/retry.ts";
import { useDrawing } from "./drawing.ts";
import { hueOf } from "./format.ts";
import { useTimeline } from "./take-timeline.ts";
import { placeOf, Timeline } from "./timeline.tsx";

/** Pixels at the top, for the numbers of the bars. */
const TOP = 18;

/** The notes of a take's MIDI file over its bars and sections, in the colours of the stems. */
export function PianoRoll({ job, path, name }: { job: JobView; path: string; name: string }) {
  const tracks = useSignal<NoteTrack[] | null>(null);
  const problem = useSignal("");
  useEffect(() => {
    const stop = new AbortController();
    whenBack(() => client.file(path, stop.signal), stop.signal)
      .then(async (response) => {
        tracks.value = noteTracks(new Uint8Array(await response.arrayBuffer()));
      })
      .catch((error: unknown) => {
        if (!stop.signal.aborted) problem.value = `The MIDI file cannot be shown: ${noteError(error)}`;
      });
    return () => stop.abort();
  }, [path]);
  const canvas = useRef<HTMLCanvasElement>(null);
  const timeline = useTimeline(job);
  const stems = stemsOf(job).map((stem) => stem.name);
  useDrawing(
    canvas,
    (context, width, height) => draw(context, width, height, tracks.value!, durationOf(job), looksOf(job, stems)),
    () => tracks.value !== null,
  );
  const count = (tracks.value ?? []).reduce((sum, { notes }) => sum + notes.length, 0);
  return (
    <div class="roll">
      <Sections job={job} />
      <Timeline {...timeline}>
        <canvas ref={canvas} role="img" aria-label={`Piano roll of ${name}: ${count} notes`} />
      </Timeline>
      <ul class="legend" aria-label="Instruments of the score">
        {tracks.value?.map((track, index) => {
          const { hue, isSilent } = looksOf(job, stems)(track.name, index);
          return (
            <li key={track.name} style={{ "--hue": hue }}>
              <i class="dot" /> {isSilent ? <s>{track.name}</s> : track.name}
            </li>
          );
        })}
      </ul>
      {problem.value && <p class="problem">{problem}</p>}
    </div>
  );
}

function Sections({ job }: { job: JobView }) {
  const duration = durationOf(job);
  const sections = job.sections ?? [];
  if (sections.length === 0) return null;
  return (
    <ol class="sections" aria-label="Sections">
      {sections.map(({ name, bar, start }, index) => (
        <li
          key={bar}
          style={placeOf({ start, end: sections[index + 1]?.start ?? duration }, duration)}
          title={`${name}, from bar ${bar}`}
        >
          {name}
        </li>
      ))}
    </ol>
  );
}

interface Look {
  hue: number;
  isSilent: boolean;
}

/** How a track looks: as the stem of its name. A take without stems has its own colours. */
function looksOf(job: JobView, stems: string[]): (name: string, index: number) => Look {
  const mix = mixes.value.get(job.job_id) ?? {};
  return (name, index) => {
    const stem = stems.indexOf(name);
    return { hue: hueOf(stem < 0 ? stems.length + index : stem), isSilent: stem >= 0 && !isHeard(name, mix) };
  };
}

function draw(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  tracks: NoteTrack[],
  duration: number,
  lookOf: (name: string, index: number) => Look,
): void {
  const style = getComputedStyle(context.canvas);
  const [light, chroma] = ["--wave-light", "--wave-chroma"].map((name) => style.getPropertyValue(name));
  const { rowOf, count } = rowsOf(tracks);
  const tall = (height - TOP) / Math.max(count, 12);
  for (const [index, track] of tracks.entries()) {
    const { hue, isSilent } = lookOf(track.name, index);
    context.fillStyle = `oklch(${light} ${chroma} ${hue})`;
    for (const { start, end, pitch, velocity } of track.notes) {
      context.globalAlpha = isSilent ? 0.14 : 0.45 + 0.55 * velocity;
      const left = (start / duration) * width;
      const wide = Math.max(2, ((end - start) / duration) * width - 1);
      const top = TOP + (count - 1 - rowOf(track, pitch)) * tall;
      context.fillRect(left, top, wide, Math.max(1.5, tall - 1));
    }
  }
}
