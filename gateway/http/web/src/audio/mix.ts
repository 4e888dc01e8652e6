/** How a person hears a stem. */
export interface Strip {
  /** In decibels, beside what the stem needs to sum to the music. */
  gain: number;
  isMuted: boolean;
  isSolo: boolean;
}

/** The strips that a person has changed, by the names of their stems. */
export type Mix = Readonly<Record<string, Strip>>;

export const FLAT: Strip = { gain: 0, isMuted: false, isSolo: false };
/** The lowest gain of a fader; it means silence. */
export const SILENT_DB = -40;
export const LOUDEST_DB = 6;

/** Whether every stem sounds as it is, so that the mix is the music itself. */
export function isFlat(mix: Mix): boolean {
  return Object.values(mix).every(({ gain, isMuted, isSolo }) => gain === 0 && !isMuted && !isSolo);
}

/** Whether a stem is heard: it is not muted, and it has a solo if any stem has one. */
export function isHeard(name: string, mix: Mix): boolean {
  const { gain, isMuted, isSolo } = mix[name] ?? FLAT;
  const hasSolo = Object.values(mix).some((strip) => strip.isSolo);
  return !isMuted && gain > SILENT_DB && (isSolo || !hasSolo);
}

/** The factor of a stem. `own` are the decibels that it needs to sum to the music. */
export function factorOf(name: string, own: number, mix: Mix): number {
  return isHeard(name, mix) ? 10 ** ((own + (mix[name] ?? FLAT).gain) / 20) : 0;
}
