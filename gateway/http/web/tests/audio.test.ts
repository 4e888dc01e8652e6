import { decodeAudioFrame } from "@tellurstori/musicgen";
import { describe, expect, test } from "vitest";
import { columnsOf, GrowingPeaks, storedPeaks } from "../src/audio/peaks.ts";
import { matchingGain, positionAt, startWithin } from "../src/audio/schedule.ts";

describe("the schedule", () => {
  const schedule = { startedAt: 10, offset: 1, loop: { start: 0, end: 4 }, duration: 8 };

  test("a loop returns to its start without an offset", () => {
    expect(positionAt(schedule, 10)).toBe(1);
    expect(positionAt(schedule, 13)).toBe(0);
    expect(positionAt(schedule, 10 + 3 + 4 * 1000 + 0.5)).toBeCloseTo(0.5, 9);
  });

  test("a loop that starts later plays what is before it once", () => {
    const later = { ...schedule, loop: { start: 2, end: 4 } };
    expect([10.5, 12.5, 13, 14.5].map((now) => positionAt(later, now))).toEqual([1.5, 3.5, 2, 3.5]);
  });

  test("without a loop it stays at the end, and before its start at the offset", () => {
    const once = { ...schedule, loop: null };
    expect([9, 12, 99].map((now) => positionAt(once, now))).toEqual([1, 3, 8]);
  });

  test("a start behind the loop or outside the music begins with the loop", () => {
    expect(startWithin(5, { start: 2, end: 4 }, 8)).toBe(2);
    expect(startWithin(1, { start: 2, end: 4 }, 8)).toBe(1);
    expect(startWithin(8, null, 8)).toBe(0);
  });

  test("the louder of two takes is lowered to the quieter one", () => {
    expect(matchingGain(-10, -16)).toBeCloseTo(0.501, 3);
    expect(matchingGain(-16, -16)).toBe(1);
    expect(matchingGain(null, -16)).toBe(1);
  });
});

describe("peaks", () => {
  const stored = { version: 2, channels: 2, sample_rate: 8000, samples_per_pixel: 4000, bits: 8, length: 2 };

  test("the channels of stored peaks are merged, and full scale is 1", () => {
    const peaks = storedPeaks({ ...stored, data: [-64, 32, 0, 127, -128, 0, -1, 1] });
    expect([...peaks.lows]).toEqual([-0.5, -1]);
    expect([...peaks.highs].map((each) => Math.round(each * 128))).toEqual([127, 1]);
    expect(peaks.duration).toBe(1);
  });

  test("a short click survives the reduction to few columns", () => {
    const peaks = storedPeaks({ ...stored, channels: 1, length: 4, data: [0, 0, 0, 0, -128, 10, 0, 0] });
    expect([...columnsOf(peaks, 2)]).toEqual([0, 1]);
    expect([...columnsOf(peaks, 8)]).toEqual([0, 0, 0, 0, 1, 1, 0, 0]);
  });

  test("peaks grow where samples arrive, and samples behind the end are dropped", () => {
    const growing = new GrowingPeaks(2, 4);
    growing.add(new Float32Array([0.5, -0.25]), 0.5, 4);
    growing.add(new Float32Array([1]), 2, 4);
    expect([...columnsOf(growing.peaks, 4)]).toEqual([0, 0.5, 0, 0]);
  });
});

test("a frame of live audio is split into its channels", () => {
  const header = {
    job_id: "gen_1",
    frames: 2,
    channels: 2,
    first_sample: 0,
    sample_rate: 8000,
    seq: 0,
    format: "f32le",
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const frame = new ArrayBuffer(4 + text.length + 16);
  const view = new DataView(frame);
  view.setUint32(0, text.length, true);
  new Uint8Array(frame).set(text, 4);
  for (const [index, sample] of [1, -1, 0.5, -0.5].entries()) {
    view.setFloat32(4 + text.length + 4 * index, sample, true);
  }
  const decoded = decodeAudioFrame(frame);
  expect(decoded.header.job_id).toBe("gen_1");
  expect(decoded.channels.map((channel) => [...channel])).toEqual([
    [1, 0.5],
    [-1, -0.5],
  ]);
  expect(() => decodeAudioFrame(frame.slice(0, -4))).toThrow(RangeError);
});
