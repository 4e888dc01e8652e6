import { describe, expect, test } from "vitest";
import { FLAT, factorOf, isFlat, isHeard, SILENT_DB } from "../src/audio/mix.ts";
import { heardName } from "../src/components/heard-name.ts";

describe("the mixer", () => {
  const solo = { ...FLAT, isSolo: true };
  const muted = { ...FLAT, isMuted: true };

  test("a solo silences all others, several are heard together, and a mute wins", () => {
    const mix = { bass: solo, drums: solo, lead: { ...solo, isMuted: true } };
    expect(["bass", "drums", "lead", "pads"].map((name) => isHeard(name, mix))).toEqual([true, true, false, false]);
  });

  test("without a solo all are heard but those that are muted or turned down wholly", () => {
    const mix = { bass: muted, drums: { ...FLAT, gain: SILENT_DB } };
    expect(["bass", "drums", "lead"].map((name) => isHeard(name, mix))).toEqual([false, false, true]);
  });

  test("a fader adds to the gain that the stem needs to sum to the mix", () => {
    expect(factorOf("bass", 6.0206, {})).toBeCloseTo(2, 4);
    expect(factorOf("bass", 6.0206, { bass: { ...FLAT, gain: -6.0206 } })).toBeCloseTo(1, 6);
    expect(factorOf("bass", 0, { bass: muted })).toBe(0);
  });

  test("strips that were moved back leave the music as it is", () => {
    expect(isFlat({ bass: FLAT })).toBe(true);
    expect([isFlat({ bass: solo }), isFlat({ bass: { ...FLAT, gain: 1 } })]).toEqual([false, false]);
  });
});

describe("the name of what is heard", () => {
  const name = "house_124bpm_Amin_8bars_gen_abc123456789.wav";
  const all = { region: null, bars: null, heard: ["bass", "drum machine", "piano"], silent: [], isMixed: false };

  test("all of it has the name of the take", () => {
    expect(heardName(name, all)).toBe(name);
    expect(heardName(name.replace("wav", "mp3"), all)).toBe(name);
  });

  test("a region tells its bars in place of the number of all bars", () => {
    const region = { start: 8, end: 16 };
    expect(heardName(name, { ...all, region, bars: { from: 5, to: 8 } })).toBe(
      "house_124bpm_Amin_bars5-8_gen_abc123456789.wav",
    );
    expect(heardName(name, { ...all, region, bars: { from: 5, to: 5 } })).toContain("_bar");
    expect(heardName("rain_gen_abc123456789.wav", { ...all, region })).toBe("rain_8.0-16.0s_gen_abc123456789.wav");
  });

  test("the shorter list of stems is told", () => {
    const missing = { ...all, heard: ["bass", "piano"], silent: ["drum machine"], isMixed: true };
    expect(heardName(name, missing)).toBe("house_124bpm_Amin_8bars_no-drum-machine_mix_gen_abc123456789.wav");
    expect(heardName(name, { ...all, heard: ["bass"], silent: ["drum machine", "piano"] })).toContain("_bass_gen");
    expect(heardName(name, { ...all, heard: [], silent: all.heard })).toContain("_silence_gen");
  });
});
