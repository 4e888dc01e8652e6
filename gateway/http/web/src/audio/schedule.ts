/** A stretch of music, in seconds from its start. */
export interface Region {
  start: number;
  end: number;
}

/** When a voice started, where in the music, and what it repeats. */
export interface Schedule {
  /** The time of the AudioContext at the start, in seconds. */
  startedAt: number;
  /** Where in the music it started, in seconds. */
  offset: number;
  /** What is repeated, or null to play to the end once. */
  loop: Region | null;
  /** Of the music, in seconds. */
  duration: number;
}

/** The fade at a jump, in seconds: short enough to feel instant, long enough not to click. */
export const FADE = 0.006;

/** Where in the music the schedule is at the time `now` of the AudioContext. */
export function positionAt({ startedAt, offset, loop, duration }: Schedule, now: number): number {
  const position = offset + Math.max(0, now - startedAt);
  if (!loop || position < loop.end) return Math.min(position, duration);
  return loop.start + ((position - loop.start) % (loop.end - loop.start));
}

/** Where to start so that the loop is heard: a start behind its end would never reach it. */
export function startWithin(offset: number, loop: Region | null, duration: number): number {
  const end = loop?.end ?? duration;
  return offset >= 0 && offset < end ? offset : (loop?.start ?? 0);
}

/** A source that plays `buffer` as scheduled. The audio thread itself repeats the loop, so there is no gap. */
export function startVoice(
  context: BaseAudioContext,
  buffer: AudioBuffer,
  schedule: Schedule,
  destination: AudioNode,
): { source: AudioBufferSourceNode; level: GainNode } {
  const level = new GainNode(context);
  const source = new AudioBufferSourceNode(context, { buffer });
  if (schedule.loop) {
    source.loop = true;
    source.loopStart = schedule.loop.start;
    source.loopEnd = schedule.loop.end;
  }
  source.connect(level).connect(destination);
  if (schedule.offset > 0) {
    level.gain.setValueAtTime(0, schedule.startedAt);
    level.gain.linearRampToValueAtTime(1, schedule.startedAt + FADE);
  }
  source.start(schedule.startedAt, schedule.offset);
  return { source, level };
}

/** The factor that brings music of `lufs` to the loudness `reference`; 1 where either is unknown. */
export function matchingGain(lufs: number | null | undefined, reference: number | null | undefined): number {
  return lufs == null || reference == null ? 1 : 10 ** ((reference - lufs) / 20);
}
