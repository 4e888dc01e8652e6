import type { JobView } from "@tellurstori/musicgen";

/** Minutes and seconds, such as 1:07. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Bar and beat as a DAW counts them, from 1, such as 3.2. */
export function barAndBeat(seconds: number, bar: number, meter: string): string {
  const beats = Number(meter.split("/")[0]) || 4;
  const position = seconds / bar + 1e-6;
  return `${Math.floor(position) + 1}.${Math.floor((position % 1) * beats) + 1}`;
}

/** A duration for a person who waits, such as "8 s" or "2 min". */
export function wait(seconds: number): string {
  return seconds < 90 ? `${Math.max(1, Math.ceil(seconds))} s` : `${Math.round(seconds / 60)} min`;
}

/** When a take was made: the time today, else the day. */
export function moment(time: number, now = new Date()): string {
  const date = new Date(time);
  if (date.toDateString() === now.toDateString()) {
    return date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  }
  return date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

/** The facts of the music: tempo, key, meter, bars. Unknown ones are left out. */
export function factsOf(job: JobView): string[] {
  return [
    job.bpm == null ? "" : `${Math.round(job.bpm * 100) / 100} BPM`,
    job.key ?? "",
    job.meter && job.meter !== "4/4" ? job.meter : "",
    job.bars == null ? "" : `${job.bars} ${job.bars === 1 ? "bar" : "bars"}`,
    job.loop ? "loop" : "",
  ].filter(Boolean);
}

const OF_SCORE = {
  play: "the same notes",
  orchestrate: "other instruments",
  accompany: "accompanied",
  continue: "continued",
};

/** How a child was made of its parent, such as "bars 5–8 replaced (drums)"; empty for a take that is no child. */
export function originOf(job: JobView): string {
  const { edit, score } = job.recipe;
  if (score?.parent) return OF_SCORE[score.as ?? "play"];
  if (edit?.kind === "play") return OF_SCORE.play;
  if (job.recipe.audio?.continue_from) return "continues other audio";
  if (job.recipe.audio?.melody) return "follows the melody of other audio";
  if (!edit) return "";
  const parts = edit.streams?.length ? ` (${playersOf(job, edit.streams)})` : "";
  switch (edit.kind) {
    case "replace":
      return `${edit.from_bar ? barsInWords(edit.from_bar, edit.to_bar ?? edit.from_bar) : "a part"} replaced${parts}`;
    case "extend":
      return edit.at === "start" ? "longer at the start" : "longer at the end";
    default:
      return edit.strength === 0 ? "the same score" : `${Math.round(100 * (edit.strength ?? 0.5))} % new${parts}`;
  }
}

/** Bars as words, such as "bar 5" or "bars 5–8". */
export function barsInWords(from: number, to: number): string {
  return from === to ? `bar ${from}` : `bars ${from}–${to}`;
}

function playersOf(job: JobView, streams: string[]): string {
  const names = streams.map((stream) => job.instruments?.find((each) => each.stream === stream)?.name ?? stream);
  return [...new Set(names)].join(", ");
}

/** The MIME type of a take's file, for dragging. */
export function mimeOf(format: JobView["format"]): string {
  return { wav: "audio/wav", flac: "audio/flac", ogg: "audio/ogg", mp3: "audio/mpeg" }[format];
}

/** A colour angle for a take, so that takes can be told apart: the golden angle spreads neighbours. */
export function hueOf(number: number): number {
  return Math.round((168 + number * 137.508) % 360);
}
