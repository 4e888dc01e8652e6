/** Milliseconds without a tap after which the next one starts again. */
const PAUSE = 2000;
const MOST_TAPS = 8;

/** Finds the tempo of taps. */
export class TapTempo {
  private times: number[] = [];

  /** Adds a tap at `time`, in milliseconds. Returns beats per minute, or null before the second tap. */
  tap(time: number): number | null {
    if (time - (this.times.at(-1) ?? time) > PAUSE) this.times = [];
    this.times = [...this.times, time].slice(-MOST_TAPS);
    const beats = this.times.length - 1;
    if (beats < 1) return null;
    const bpm = (60_000 * beats) / (time - this.times[0]!);
    return Math.min(240, Math.max(40, Math.round(bpm)));
  }
}
