import { type Signal, signal } from "@preact/signals";
import type { AudioFrame } from "@tellurstori/musicgen";
import { GrowingPeaks, type Peaks } from "./peaks.ts";

/** Audio of a job that is still being made. It keeps every chunk, so that playing can start from the beginning. */
export class LiveAudio {
  /** Seconds that have arrived. */
  readonly seconds = signal(0);
  readonly peaks: Signal<Peaks>;
  sampleRate = 0;
  isComplete = false;
  frames: AudioFrame[] = [];
  /** Called with each new chunk, and with null when another attempt starts from the beginning. */
  onFrame: ((frame: AudioFrame | null) => void) | null = null;

  private attempt: number | null = null;
  private growing: GrowingPeaks;

  /** @param duration of the whole music, in seconds */
  constructor(readonly duration: number) {
    this.growing = new GrowingPeaks(duration);
    this.peaks = signal(this.growing.peaks);
  }

  add(frame: AudioFrame): void {
    const { header } = frame;
    if (header.attempt !== this.attempt) this.begin(header.attempt, header.sample_rate);
    if (this.frames.some((known) => known.header.seq === header.seq)) return; // repeated after a reconnection
    this.frames.push(frame);
    this.isComplete = header.last;
    const start = header.first_sample / header.sample_rate;
    for (const samples of frame.channels) this.growing.add(samples, start, header.sample_rate);
    this.seconds.value = start + header.frames / header.sample_rate;
    this.peaks.value = { ...this.growing.peaks };
    this.onFrame?.(frame);
  }

  private begin(attempt: number, sampleRate: number): void {
    const isAnother = this.attempt !== null;
    this.attempt = attempt;
    this.frames = [];
    this.sampleRate = sampleRate;
    this.growing = new GrowingPeaks(this.duration);
    if (isAnother) this.onFrame?.(null);
  }
}
