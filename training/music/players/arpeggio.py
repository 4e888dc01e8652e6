"""Arpeggios: the style's pattern on the notes of each chord."""

import random

from training.music.line import Line, each_bar
from training.music.pattern import Repertoire
from training.music.plan import PiecePlan
from training.music.players.counter import play_counter
from worker.engine.sampler.degrees import TONES, Degree
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import HIGHEST_PITCH, Note

# The lowest root of each instrument; a pattern reaches at most two octaves above it.
_LOWEST = {"acoustic guitar": 45, "electric guitar": 48, "piano": 52, "electric piano": 52, "harp": 50, "bells": 62}
_OTHERS = 55


def play_arpeggio(plan: PiecePlan, source: random.Random) -> Line:
    line = Line()
    repertoire = Repertoire(plan.style.arpeggio, plan.header.steps, source)
    if plan.counter:
        return play_counter(plan)
    for bar, name, _ in each_bar(plan.bars, Stream.ARPEGGIO, plan.ensemble.parts[Stream.ARPEGGIO], line):
        for step, letter in enumerate(repertoire.row(bar)):
            if letter == ".":
                line.stop(bar.start + step)
            elif letter != "-":
                velocity = max(0, min(2, int(step in plan.measure.beats) + min(bar.level, 1) + min(plan.velocity, 0)))
                line.play(
                    bar.start + step,
                    Note(name, _pitch(int(letter), bar.chord_at(step), plan, name), plan.note_velocity(bar, velocity)),
                )
    if plan.style.ending == "button" and Stream.ARPEGGIO in plan.bars[-1].streams:
        name = plan.ensemble.parts[Stream.ARPEGGIO][0]
        line.play(plan.end_step, Note(name, _pitch(0, plan.tonic, plan, name), 1))
    return line


def _pitch(index: int, chord: Degree, plan: PiecePlan, name: str) -> int:
    """The chord's note with an index: 0 is the root, 3 the octave or the seventh, and so on."""
    lowest = _LOWEST.get(name, _OTHERS)
    tones = TONES[chord.quality]
    octave, tone = divmod(index, len(tones))
    root = lowest + (plan.header.key + chord.semitones - lowest) % 12
    pitch = root + 12 * octave + tones[tone]
    octaves_above = max(0, -(-(pitch - HIGHEST_PITCH) // 12))
    return pitch - 12 * octaves_above
