import type { ReadonlySignal } from "@preact/signals";
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { columnsOf, type Peaks } from "../audio/peaks.ts";
import type { Region } from "../audio/schedule.ts";

export interface WaveformProps {
  peaks: ReadonlySignal<Peaks | null>;
  /** Of the music, in seconds. */
  duration: number;
  /** Of a bar, in seconds; null draws no grid. */
  bar: number | null;
  /** Seconds, or null if this take is not in the player. */
  position: ReadonlySignal<number | null>;
  loop: ReadonlySignal<Region | null>;
  label: string;
  /** A position in words, for screen readers. */
  positionText(seconds: number): string;
  onSeek(seconds: number): void;
  /** A region was dragged. */
  onRegion(from: number, to: number): void;
}

/** Pixels of a bar of the drawing, and of the gap behind it. */
const BAR = 2;
const GAP = 1;
/** How far above and below the window waveforms are drawn. */
const MARGIN = { rootMargin: "600px" };
/** Pixels that a pointer must move to select a region instead of seeking. */
const DRAG = 6;

/** The waveform of a take, with bar lines, playhead and loop. A click seeks; a drag selects a loop. */
export function Waveform(props: WaveformProps) {
  const { peaks, duration, bar, position, loop, label } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const played = useRef<HTMLCanvasElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const region = useRef<HTMLDivElement>(null);
  useDrawing(peaks, position, canvas, played);
  useSignalEffect(() => place(position.value, duration, head.current, played.current));
  useSignalEffect(() => placeRegion(loop.value, duration, region.current));
  const drag = useDrag(props, region);
  // Whole seconds, so that the component renders once a second; the playhead moves without it.
  const seconds = useComputed(() => (position.value === null ? null : Math.floor(position.value)));
  const slider = seconds.value !== null && {
    role: "slider" as const,
    tabIndex: 0,
    "aria-label": label,
    "aria-valuemin": 0,
    "aria-valuemax": Math.round(duration),
    "aria-valuenow": seconds.value,
    "aria-valuetext": props.positionText(seconds.value),
  };
  return (
    <div class="waveform" {...slider} {...drag}>
      {bar && duration / bar < 200 && <BarLines count={duration / bar} />}
      <canvas ref={canvas} />
      <canvas ref={played} class="played" />
      <div ref={region} class="region" hidden />
      <div ref={head} class="playhead" hidden />
    </div>
  );
}

/** Lines at the bars; every fourth one is stronger and has its number. */
function BarLines({ count }: { count: number }) {
  const step = count > 64 ? 8 : count > 24 ? 4 : 1;
  // The music may end a few milliseconds behind the last bar.
  const bars = Array.from({ length: Math.ceil((count - 0.05) / step) }, (_, index) => index * step);
  return (
    <div class="bar-lines" aria-hidden="true">
      {bars.map((bar) => (
        <i key={bar} class={bar % (4 * step) === 0 ? "strong" : ""} style={{ left: `${(100 * bar) / count}%` }}>
          {bar + 1}
        </i>
      ))}
    </div>
  );
}

function useDrawing(
  peaks: ReadonlySignal<Peaks | null>,
  position: ReadonlySignal<number | null>,
  canvas: RefObject<HTMLCanvasElement | null>,
  played: RefObject<HTMLCanvasElement | null>,
): void {
  const isNear = useSignal(false);
  const isInPlayer = useComputed(() => position.value !== null);
  const shown = useComputed(() => (isNear.value ? peaks.value : null));
  const redraw = () => {
    if (canvas.current) draw(canvas.current, shown.value);
    if (played.current) draw(played.current, isInPlayer.value ? shown.value : null);
  };
  useEffect(() => {
    const sizes = new ResizeObserver(redraw);
    const theme = matchMedia("(prefers-color-scheme: dark)");
    // A canvas keeps half a megabyte and more, so only those near the window are drawn.
    const nearness = new IntersectionObserver((entries) => (isNear.value = entries.at(-1)!.isIntersecting), MARGIN);
    sizes.observe(canvas.current!);
    nearness.observe(canvas.current!);
    theme.addEventListener("change", redraw);
    return () => {
      sizes.disconnect();
      nearness.disconnect();
      theme.removeEventListener("change", redraw);
    };
  }, []);
  useSignalEffect(redraw);
}

/** Draws rounded bars in the canvas's own colour, as high as the music is loud. Without peaks, frees its memory. */
function draw(canvas: HTMLCanvasElement, peaks: Peaks | null): void {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!peaks || width === 0) {
    canvas.width = canvas.height = 0;
    return;
  }
  const context = canvas.getContext("2d");
  if (!context) return;
  const density = Math.min(devicePixelRatio, 2);
  canvas.width = width * density;
  canvas.height = height * density;
  context.scale(density, density);
  context.fillStyle = getComputedStyle(canvas).color;
  const heights = columnsOf(peaks, Math.floor(width / (BAR + GAP)));
  const loudest = Math.max(0.25, ...heights);
  context.beginPath();
  for (const [column, value] of heights.entries()) {
    const tall = Math.max(BAR, (value / loudest) * (height - 2));
    context.roundRect(column * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
  }
  context.fill();
}

function place(position: number | null, duration: number, head: HTMLElement | null, played: HTMLElement | null): void {
  if (!head || !played) return;
  head.hidden = position === null;
  const share = position === null ? 0 : Math.min(1, position / duration);
  head.style.left = `${100 * share}%`;
  played.style.clipPath = `inset(0 ${100 * (1 - share)}% 0 0)`;
}

function placeRegion(region: Region | null, duration: number, element: HTMLElement | null): void {
  if (!element) return;
  element.hidden = region === null;
  if (!region) return;
  element.classList.toggle("whole", region.start === 0 && region.end >= duration - 0.01);
  element.style.left = `${(100 * region.start) / duration}%`;
  element.style.width = `${(100 * (region.end - region.start)) / duration}%`;
}

/** Pointer handlers: a short press seeks, a drag selects a region. */
function useDrag({ duration, loop, onSeek, onRegion }: WaveformProps, region: RefObject<HTMLDivElement | null>) {
  const start = useRef<{ x: number; seconds: number; isDrag: boolean } | null>(null);
  const secondsAt = (event: PointerEvent) => {
    const { left, width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width)) * duration;
  };
  return {
    onPointerDown(event: PointerEvent) {
      if (event.button !== 0) return;
      start.current = { x: event.clientX, seconds: secondsAt(event), isDrag: false };
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    },
    onPointerMove(event: PointerEvent) {
      const from = start.current;
      if (!from) return;
      from.isDrag ||= Math.abs(event.clientX - from.x) > DRAG;
      const to = secondsAt(event);
      if (from.isDrag)
        placeRegion({ start: Math.min(from.seconds, to), end: Math.max(from.seconds, to) }, duration, region.current);
    },
    onPointerUp(event: PointerEvent) {
      const from = start.current;
      start.current = null;
      if (!from) return;
      if (from.isDrag) onRegion(from.seconds, secondsAt(event));
      else onSeek(from.seconds);
    },
    onPointerCancel() {
      start.current = null;
      placeRegion(loop.peek(), duration, region.current);
    },
  };
}
