import { expect, test } from "vitest";
import { type NoteTrack, noteTracks } from "../src/audio/midi.ts";
import { rowsOf } from "../src/audio/roll.ts";
import { encodeWav } from "../src/audio/wav.ts";

const QUARTER = 96;
const END = [0, 0xff, 0x2f, 0];

/** A standard MIDI file of format 1. */
function midiFile(...tracks: number[][]): Uint8Array {
  const chunks = tracks.map((bytes) => [...ascii("MTrk"), ...uint32(bytes.length), ...bytes]);
  return new Uint8Array([...ascii("MThd"), 0, 0, 0, 6, 0, 1, 0, tracks.length, 0, QUARTER, ...chunks.flat()]);
}

function ascii(text: string): number[] {
  return [...text].map((letter) => letter.charCodeAt(0));
}

function uint32(value: number): number[] {
  return [value >> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function named(name: string): number[] {
  return [0, 0xff, 3, name.length, ...ascii(name)];
}

test("notes have seconds, also behind a change of the tempo that another track has", () => {
  const tempos = [0, 0xff, 0x51, 3, 0x07, 0xa1, 0x20, QUARTER, 0xff, 0x51, 3, 0x0f, 0x42, 0x40, ...END];
  const bass = [
    ...named("bass"),
    0,
    0x90,
    36,
    127,
    QUARTER,
    0x80,
    36,
    0,
    0,
    0x90,
    40,
    64,
    QUARTER,
    0x90,
    40,
    0,
    ...END,
  ];
  const [track, ...others] = noteTracks(midiFile(tempos, bass));
  expect(others).toEqual([]);
  expect(track).toEqual({
    name: "bass",
    isDrums: false,
    notes: [
      { start: 0, end: 0.5, pitch: 36, velocity: 1 },
      { start: 0.5, end: 1.5, pitch: 40, velocity: 64 / 127 },
    ],
  });
});

test("a note that starts again ends the one before, and one without an end lasts as long as its track", () => {
  const lead = [0, 0x90, 60, 100, QUARTER, 60, 100, QUARTER, ...END.slice(1)];
  const [track] = noteTracks(midiFile(lead));
  expect(track?.notes.map(({ start, end }) => [start, end])).toEqual([
    [0, 0.5],
    [0.5, 1],
  ]);
});

test("channel 10 is drums, and a file that is no MIDI is refused", () => {
  expect(noteTracks(midiFile([0, 0x99, 36, 100, QUARTER, 0x89, 36, 0, ...END]))[0]?.isDrums).toBe(true);
  expect(() => noteTracks(new Uint8Array([1, 2, 3]))).toThrow();
});

test("each drum has a row, and melodies are above with a row for each semitone", () => {
  const track = (isDrums: boolean, ...pitches: number[]): NoteTrack => ({
    name: "",
    isDrums,
    notes: pitches.map((pitch) => ({ start: 0, end: 1, pitch, velocity: 1 })),
  });
  const [drums, lead] = [track(true, 42, 36, 42), track(false, 60, 64)];
  const { rowOf, count } = rowsOf([drums, lead]);
  expect([rowOf(drums, 36), rowOf(drums, 42), rowOf(lead, 60), rowOf(lead, 64), count]).toEqual([0, 1, 3, 7, 8]);
  expect(rowsOf([]).count).toBe(0);
});

test("a WAV file has its samples interleaved as 32-bit floats, and tells their number", async () => {
  const blob = encodeWav([new Float32Array([0.5, 1.5]), new Float32Array([-0.25, 0])], 48_000);
  const view = new DataView(await blob.arrayBuffer());
  expect([view.byteLength, view.getUint32(4, true)]).toEqual([74, 66]);
  expect([view.getUint16(20, true), view.getUint16(22, true), view.getUint32(24, true)]).toEqual([3, 2, 48_000]);
  expect([view.getUint32(46, true), view.getUint32(54, true)]).toEqual([2, 16]);
  expect([0, 1, 2, 3].map((index) => view.getFloat32(58 + 4 * index, true))).toEqual([0.5, -0.25, 1.5, 0]);
});
