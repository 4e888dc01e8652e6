import { type MidiData, type MidiEvent, parseMidi } from "midi-file";

/** A note, in seconds from the start of the music. */
export interface Note {
  start: number;
  end: number;
  /** The MIDI note number. */
  pitch: number;
  /** From 0 to 1. */
  velocity: number;
}

/** The notes of one instrument. */
export interface NoteTrack {
  name: string;
  isDrums: boolean;
  notes: Note[];
}

/** The channel of drums in General MIDI, from 0. */
const DRUMS = 9;
const TEMPO_WITHOUT_EVENT = 500_000;

/** The tracks with notes of a standard MIDI file. Throws an `Error` if it is none. */
export function noteTracks(file: Uint8Array): NoteTrack[] {
  const midi = parseMidi(file);
  const secondsAt = clockOf(midi);
  return midi.tracks.map((events, index) => trackOf(events, index, secondsAt)).filter(({ notes }) => notes.length > 0);
}

/** Converts ticks to seconds. The tempo may change, and holds for all tracks. */
function clockOf({ header, tracks }: MidiData): (tick: number) => number {
  const perTick = (microseconds: number) => microseconds / 1e6 / (header.ticksPerBeat ?? 480);
  const changes = [{ tick: 0, seconds: 0, rate: perTick(TEMPO_WITHOUT_EVENT) }];
  const tempos = tracks.flatMap((events) => timed(events).filter(({ event }) => event.type === "setTempo"));
  for (const { tick, event } of tempos.sort((a, b) => a.tick - b.tick)) {
    if (event.type !== "setTempo") continue;
    const last = changes.at(-1)!;
    const seconds = last.seconds + (tick - last.tick) * last.rate;
    changes.push({ tick, seconds, rate: perTick(event.microsecondsPerBeat) });
  }
  return (tick) => {
    const { tick: since, seconds, rate } = changes.findLast((change) => change.tick <= tick)!;
    return seconds + (tick - since) * rate;
  };
}

function trackOf(events: MidiEvent[], index: number, secondsAt: (tick: number) => number): NoteTrack {
  const track: NoteTrack = { name: `Track ${index}`, isDrums: false, notes: [] };
  const sounding = new Map<number, Note>();
  const all = timed(events);
  for (const { tick, event } of all) {
    if (event.type === "trackName") track.name = event.text;
    if (event.type !== "noteOn" && event.type !== "noteOff") continue;
    const key = 128 * event.channel + event.noteNumber;
    const time = secondsAt(tick);
    // A note that starts again ends the one before.
    const before = sounding.get(key);
    if (before) before.end = time;
    sounding.delete(key);
    if (event.type === "noteOff" || event.velocity === 0) continue;
    track.isDrums ||= event.channel === DRUMS;
    const note = { start: time, end: time, pitch: event.noteNumber, velocity: event.velocity / 127 };
    sounding.set(key, note);
    track.notes.push(note);
  }
  for (const note of sounding.values()) note.end = secondsAt(all.at(-1)!.tick);
  return track;
}

/** The events with their ticks from the start. */
function timed(events: MidiEvent[]): { tick: number; event: MidiEvent }[] {
  let tick = 0;
  return events.map((event) => {
    tick += event.deltaTime;
    return { tick, event };
  });
}
