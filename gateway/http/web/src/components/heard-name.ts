import type { Region } from "../audio/schedule.ts";

/** What is heard of a take. */
export interface Heard {
  /** Null for all of it. */
  region: Region | null;
  /** The same in bars, if the take has some. */
  bars: { from: number; to: number } | null;
  /** The names of the stems that are heard, and of those that are not. */
  heard: string[];
  silent: string[];
  /** Whether a fader was moved. */
  isMixed: boolean;
}

/**
 * The file name of what is heard, by which a producer recognises it: `house_124bpm_Amin_bars5-8_no-drums_gen_….wav`.
 * The shorter list of stems is told, what is heard or what is not.
 */
export function heardName(fileName: string, { region, bars, heard, silent, isMixed }: Heard): string {
  const [, words, id] = /^(.*?)_?(gen_[a-z0-9]+)?(?:\.\w+)?$/.exec(fileName)!;
  const part = bars
    ? `bars${bars.from}${bars.to > bars.from ? `-${bars.to}` : ""}`
    : region && `${region.start.toFixed(1)}-${region.end.toFixed(1)}s`;
  const whole = part ? words!.replace(/_\d+bars?$/, "") : words;
  const stems =
    silent.length === 0 ? "" : heard.length <= silent.length ? listed(heard) || "silence" : `no-${listed(silent)}`;
  return `${[whole, part, stems, isMixed && "mix", id].filter(Boolean).join("_")}.wav`;
}

function listed(names: string[]): string {
  return names.map((name) => name.replace(/[^\p{L}\p{N}]+/gu, "-")).join("+");
}
