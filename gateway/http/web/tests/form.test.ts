import type { Recipe } from "@tellurstori/musicgen";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { MODES, type Source, sourceOfFile, titleOf } from "../src/state/sources.ts";

beforeEach(() => {
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => {} });
  vi.stubGlobal("document", { documentElement: { dataset: {} } });
  vi.stubGlobal("addEventListener", () => {});
});

const load = () => import("../src/state/form.ts");
const modeOf = (name: string) => MODES.find((each) => each.name === name)!;
const SONG: Source = { kind: "score", ref: { audio_id: "aud_a" }, name: "song.mid", duration: 9, instruments: [] };

describe("a form that begins with a source", () => {
  test("a MIDI file is played without what is to be composed, and gives its name", async () => {
    const { EMPTY, requestOf } = await load();
    const filled = { ...EMPTY, prompt: "jazz", bpm: "99", seed: "7", variations: "3", format: "flac", repeats: "yes" };
    expect(requestOf({ ...filled, repeats: "yes", source: SONG }, modeOf("play"))).toEqual({
      title: "song",
      format: "flac",
      loop: true,
      score: { audio_id: "aud_a", as: "play" },
    });
  });

  test("a take's score has no loop and no model of its own", async () => {
    const { EMPTY, requestOf } = await load();
    const source = { ...SONG, ref: { job_id: "gen_a" } };
    const form = {
      ...EMPTY,
      model: "starter",
      repeats: "no" as const,
      source,
      players: ["bass"],
      programs: { bass: 38 },
    };
    expect(requestOf(form, modeOf("play"))).toEqual({
      score: { job_id: "gen_a", as: "play", instruments: ["bass"], programs: { bass: 38 } },
    });
  });

  test("audio is continued without a grid", async () => {
    const { EMPTY, requestOf } = await load();
    const source: Source = { ...SONG, kind: "audio" };
    const form = {
      ...EMPTY,
      prompt: "rock",
      lengthUnit: "bars" as const,
      bpm: "99",
      key: "A minor",
      to: "8,5",
      source,
    };
    expect(requestOf(form, modeOf("continue_from"))).toEqual({
      prompt: "rock",
      key: "A minor",
      audio: { continue_from: { audio_id: "aud_a", end: 8.5 } },
    });
  });

  test("the form of a recipe begins with what the recipe began with", async () => {
    const { formOf, requestOf } = await load();
    const recipe = {
      prompt: "x",
      model: "",
      duration: 4,
      outputs: [],
      format: "wav",
      seed: 1,
      cfg_coef: 3,
    } as unknown as Recipe;
    const excerpt = { job_id: "gen_a", start: 1, end: 3, sha256: "ab" };
    const continued = formOf({ ...recipe, audio: { melody: excerpt } } as Recipe);
    expect(requestOf(continued, modeOf(continued.mode)).audio).toEqual({
      melody: { job_id: "gen_a", start: 1, end: 3 },
    });
    const played = formOf({ ...recipe, score: { sha256: "ab", programs: { "part 1": 3 } } } as unknown as Recipe);
    expect(requestOf(played, modeOf(played.mode)).score).toEqual({
      sha256: "ab",
      programs: { "part 1": 3 },
      as: "play",
    });
  });
});

test("the kind of a file decides what it is good for", () => {
  const file = { audio_id: "aud_a", duration: 3 } as Parameters<typeof sourceOfFile>[0];
  expect(sourceOfFile({ ...file, kind: "midi" }, "a.mid").kind).toBe("score");
  expect(sourceOfFile({ ...file, kind: "audio" }, "a.wav").kind).toBe("audio");
});

test("a file's name becomes a title that the gateway accepts", () => {
  expect(titleOf("Second verse.mid")).toBe("Second verse");
  expect(titleOf("a\u0007\u202eb.midi")).toBe("a  b");
  expect(titleOf("🎹.mid")).toBe("🎹");
  expect(titleOf("\u200b.mid")).toBe("");
  expect(Array.from(titleOf("🥁".repeat(200)))).toHaveLength(100);
});
