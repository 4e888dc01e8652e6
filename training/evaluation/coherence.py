"""Measures coherence: repetition, variation, stuck notes, silence and the ending; and constant tempo and key."""

from itertools import pairwise

import numpy as np

from training.evaluation.key import evidence
from training.evaluation.notes import sounding_notes
from training.evaluation.performance import Figures, Performance, headers
from training.music.harmony import MAJOR_SCALE, MINOR_SCALE
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.codes import Codes
from worker.engine.sampler.score import Score

# A longer note is stuck; this many equal bars are static.
LONGEST_BARS, SAME_BARS = 4, 8
# The minimum share of bars whose rhythm occurred before, and the minimum number of bars for this measure.
REPEATED, FEWEST_BARS = 0.2, 6
# The minimum share of notes in the scale; blues notes and borrowed chords are outside.
IN_SCALE = 0.65
SILENT = 10 ** (-55 / 20)
FRAME = SAMPLE_RATE // 20
QUIET_AT_END = 10 ** (-35 / 20)


def coherence_figures(performance: Performance) -> Figures:
    """Each figure, and whether all are met."""
    parts = {
        "bars come again": repeats(performance.bars),
        "bars change": not is_static(performance.bars),
        "no stuck notes": not has_stuck_notes(performance),
        "no silence over a bar": not has_silence(performance),
        "ends quietly": ends_quietly(performance),
    }
    return {**{name: float(found) for name, found in parts.items()}, "holds together": float(all(parts.values()))}


def repeats(bars: list[Codes]) -> bool:
    """Whether streams repeat rhythms that they played before."""
    if len(bars) < FEWEST_BARS:
        return True
    again = played = 0
    for stream in range(len(bars[0])):
        seen: set[bytes] = set()
        for bar in bars:
            if bar[stream].any():
                played += 1
                again += (rhythm := (bar[stream] > 0).tobytes()) in seen
                seen.add(rhythm)
    return again >= REPEATED * played


def is_static(bars: list[Codes]) -> bool:
    """Whether all streams play the same bar 8 times in a row."""
    same = 1
    for before, bar in pairwise(bars):
        same = same + 1 if np.array_equal(before, bar) else 1
        if same >= SAME_BARS:
            return True
    return False


def has_stuck_notes(performance: Performance) -> bool:
    """Whether a note is held for more than four bars."""
    longest = LONGEST_BARS * performance.score.header.steps
    return any(sound.steps > longest for sound in sounding_notes(performance.score))


def has_silence(performance: Performance) -> bool:
    """Whether the audio is silent for longer than a bar."""
    frames = performance.audio[:, : performance.audio.shape[1] // FRAME * FRAME].reshape(2, -1, FRAME)
    silent = np.sqrt((frames**2).mean(axis=(0, 2))) < SILENT
    bar = 15 / performance.score.header.bpm * performance.score.header.steps
    edges = np.flatnonzero(np.diff(np.concatenate(([False], silent, [False])).astype(np.int8)))
    return bool(np.max(edges[1::2] - edges[::2], initial=0) * FRAME / SAMPLE_RATE > bar)


def ends_quietly(performance: Performance) -> bool:
    """Whether the last 50 ms are quiet."""
    return bool(np.sqrt((performance.audio[:, -FRAME:] ** 2).mean()) < QUIET_AT_END)


def constancy_figures(performance: Performance) -> Figures:
    """Whether a long piece keeps its tempo and key."""
    parts = {"long: in tempo": stays_in_tempo(performance.codes), "long: in key": stays_in_key(performance.score)}
    return {**{name: float(held) for name, held in parts.items()}, "long: in tempo and key": float(all(parts.values()))}


def stays_in_tempo(codes: Codes) -> bool:
    """Whether the conductor changes neither tempo nor meter nor key, and every bar is whole."""
    followed = headers(codes)
    return len({(header.bpm, header.meter, header.key, header.minor) for header, _ in followed}) == 1


def stays_in_key(score: Score) -> bool:
    """Whether each quarter of the piece is mostly in the scale of the first declared key."""
    header = score.header
    scale = [(header.key + tone) % 12 for tone in (MINOR_SCALE if header.minor else MAJOR_SCALE)]
    marks = [score.steps * quarter // 4 for quarter in range(5)]
    quarters = [evidence(score, *span)[0] for span in pairwise(marks)]
    return all(quarter[scale].sum() >= IN_SCALE for quarter in quarters if quarter.any())
