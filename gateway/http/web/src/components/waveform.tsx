import type { ReadonlySignal } from "@preact/signals";
import { useComputed, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { columnsOf, type Peaks } from "../audio/peaks.ts";
import { useDrawing } from "./drawing.ts";
import { shareOf, Timeline, type TimelineProps } from "./timeline.tsx";

/** Pixels of a bar of the drawing, and of the gap behind it. */
const BAR = 2;
const GAP = 1;

/** The waveform of a take or a stem. What has been played is stronger. */
export function Waveform({ peaks, ...timeline }: TimelineProps & { peaks: ReadonlySignal<Peaks | null> }) {
  const { position, duration } = timeline;
  const canvas = useRef<HTMLCanvasElement>(null);
  const played = useRef<HTMLCanvasElement>(null);
  const isInPlayer = useComputed(() => position.value !== null);
  const drawPeaks = (context: CanvasRenderingContext2D, width: number, height: number) =>
    draw(context, width, height, peaks.value!);
  useDrawing(canvas, drawPeaks, () => peaks.value !== null);
  useDrawing(played, drawPeaks, () => peaks.value !== null && isInPlayer.value);
  useSignalEffect(() => {
    const rest = 1 - shareOf(position.value, duration);
    if (played.current) played.current.style.clipPath = `inset(0 ${100 * rest}% 0 0)`;
  });
  return (
    <Timeline {...timeline}>
      <canvas ref={canvas} />
      <canvas ref={played} class="played" />
    </Timeline>
  );
}

/** Draws rounded bars in the canvas's own colour, as high as the music is loud. */
function draw(context: CanvasRenderingContext2D, width: number, height: number, peaks: Peaks): void {
  context.fillStyle = getComputedStyle(context.canvas).color;
  const heights = columnsOf(peaks, Math.floor(width / (BAR + GAP)));
  const loudest = Math.max(0.25, ...heights);
  context.beginPath();
  for (const [column, value] of heights.entries()) {
    const tall = Math.max(BAR, (value / loudest) * (height - 2));
    context.roundRect(column * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
  }
  context.fill();
}
