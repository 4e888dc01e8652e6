import type { JobView } from "@tellurstori/musicgen";
import { expect, test } from "vitest";
import { barAndBeat, clock, originOf, wait } from "../src/components/format.ts";
import { TapTempo } from "../src/components/tap-tempo.ts";
import { plainly } from "../src/state/plain-words.ts";

test("positions read as in a DAW", () => {
  expect(barAndBeat(0, 2, "4/4")).toBe("1.1");
  expect(barAndBeat(3.5, 2, "4/4")).toBe("2.4");
  expect(barAndBeat(1.5, 1.5, "6/8")).toBe("2.1");
  expect([0, 59.9, 67].map(clock)).toEqual(["0:00", "0:59", "1:07"]);
  expect([0.2, 61, 120].map(wait)).toEqual(["1 s", "61 s", "2 min"]);
});

test("taps give the tempo, and a pause starts again", () => {
  const taps = new TapTempo();
  expect([0, 500, 1000].map((time) => taps.tap(time))).toEqual([null, 120, 120]);
  expect(taps.tap(9000)).toBeNull();
  expect(taps.tap(9600)).toBe(100);
  expect(taps.tap(9601)).toBe(200);
});

test("a child says how it was made", () => {
  const instruments = [
    { name: "piano", stream: "chords" },
    { name: "drums", stream: "drums" },
    { name: "drums", stream: "percussion" },
  ];
  const origin = (edit: object | null) => originOf({ recipe: { edit }, instruments } as unknown as JobView);
  expect(origin(null)).toBe("");
  expect(origin({ kind: "replace", from_bar: 5, to_bar: 8, streams: [] })).toBe("bars 5–8 replaced");
  expect(origin({ kind: "replace", from_bar: 5, to_bar: 5, streams: ["drums", "percussion"] })).toBe(
    "bar 5 replaced (drums)",
  );
  expect(origin({ kind: "extend", at: "end" })).toBe("longer at the end");
  expect(origin({ kind: "vary", strength: 0.3 })).toBe("30 % new");
  expect(origin({ kind: "vary", strength: 0 })).toBe("the same score");
});

test("refusals are told as a form tells them", () => {
  const told = [
    ["Expected `int` <= 128", "Must be at most 128."],
    ["Expected `float` >= 40.0", "Must be at least 40."],
    ["Expected `str` of length >= 1", "Must not be empty."],
    ["Expected `array` of length >= 1", "Choose at least one."],
    ["Expected `int`, got `str`", "Must be a number."],
    ["The take has 4 bars. Give a bar from 1 to 4.", "The take has 4 bars. Give a bar from 1 to 4."],
  ];
  expect(told.map(([message]) => plainly(message!))).toEqual(told.map(([, words]) => words));
});
