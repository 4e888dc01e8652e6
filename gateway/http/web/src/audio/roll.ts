import type { NoteTrack } from "./midi.ts";

/** The rows of a piano roll, counted from the bottom: one for each drum that is played, then one for each pitch. */
export function rowsOf(tracks: NoteTrack[]): { rowOf(track: NoteTrack, pitch: number): number; count: number } {
  const pitchesOf = (isDrums: boolean) =>
    tracks.filter((track) => track.isDrums === isDrums).flatMap(({ notes }) => notes.map(({ pitch }) => pitch));
  const drums = [...new Set(pitchesOf(true))].sort((a, b) => a - b);
  const melodic = pitchesOf(false);
  const lowest = melodic.reduce((low, pitch) => Math.min(low, pitch), 127);
  const highest = melodic.reduce((high, pitch) => Math.max(high, pitch), 0);
  const above = drums.length > 0 && melodic.length > 0 ? drums.length + 1 : drums.length; // an empty row between
  return {
    rowOf: (track, pitch) => (track.isDrums ? drums.indexOf(pitch) : above + pitch - lowest),
    count: above + Math.max(0, highest - lowest + 1),
  };
}
