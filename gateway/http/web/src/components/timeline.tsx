import type { ReadonlySignal } from "@preact/signals";
import { useComputed, useSignalEffect } from "@preact/signals";
import type { ComponentChildren, RefObject } from "preact";
import { useRef } from "preact/hooks";
import type { Region } from "../audio/schedule.ts";

export interface TimelineProps {
  /** Of the music, in seconds. */
  duration: number;
  /** Of a bar, in seconds; null draws no grid. */
  bar: number | null;
  /** Seconds, or null if this take is not in the player. */
  position: ReadonlySignal<number | null>;
  loop: ReadonlySignal<Region | null>;
  /** What is new in a child; null marks nothing. */
  fresh?: Region | null;
  /** Makes it a slider of the position under this name. One for each take is enough. */
  label?: string;
  /** A position in words, for screen readers. */
  positionText?(seconds: number): string;
  onSeek(seconds: number): void;
  /** A region was dragged. */
  onRegion(from: number, to: number): void;
}

/** Pixels that a pointer must move to select a region instead of seeking. */
const DRAG = 6;

/** Music from left to right, with bar lines, playhead and loop. A click seeks; a drag selects a loop. */
export function Timeline(props: TimelineProps & { children: ComponentChildren }) {
  const { duration, bar, position, loop, label } = props;
  const head = useRef<HTMLDivElement>(null);
  const region = useRef<HTMLDivElement>(null);
  useSignalEffect(() => place(position.value, duration, head.current));
  useSignalEffect(() => placeRegion(loop.value, duration, region.current));
  const drag = useDrag(props, region);
  // Whole seconds, so that the component renders once a second; the playhead moves without it.
  const seconds = useComputed(() => (position.value === null ? null : Math.floor(position.value)));
  const slider = label !== undefined &&
    seconds.value !== null && {
      role: "slider" as const,
      tabIndex: 0,
      "aria-label": label,
      "aria-valuemin": 0,
      "aria-valuemax": Math.round(duration),
      "aria-valuenow": seconds.value,
      "aria-valuetext": props.positionText?.(seconds.value),
    };
  return (
    <div class="waveform" {...slider} {...drag}>
      {bar && duration / bar < 200 && <BarLines count={duration / bar} />}
      {props.fresh && <div class="fresh" style={placeOf(props.fresh, duration)} />}
      {props.children}
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

function place(position: number | null, duration: number, head: HTMLElement | null): void {
  if (!head) return;
  head.hidden = position === null;
  head.style.left = `${100 * shareOf(position, duration)}%`;
}

/** The share of the music that has been played. */
export function shareOf(position: number | null, duration: number): number {
  return position === null ? 0 : Math.min(1, position / duration);
}

function placeRegion(region: Region | null, duration: number, element: HTMLElement | null): void {
  if (!element) return;
  element.hidden = region === null;
  if (!region) return;
  element.classList.toggle("whole", region.start === 0 && region.end >= duration - 0.01);
  Object.assign(element.style, placeOf(region, duration));
}

/** Where a region stands, as styles. */
export function placeOf({ start, end }: Region, duration: number): { left: string; width: string } {
  return { left: `${(100 * start) / duration}%`, width: `${(100 * (end - start)) / duration}%` };
}

/** Pointer handlers: a short press seeks, a drag selects a region. */
function useDrag({ duration, loop, onSeek, onRegion }: TimelineProps, region: RefObject<HTMLDivElement | null>) {
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
