"""Bass lines.

Letters: `R` root, `8` octave, `3` third, `5` fifth, `v` fifth below, `2` and `6` of the scale, `7` the chord's seventh,
`a` a half step below the next chord's root, `r` a root played softly.
"""

import random
from collections.abc import Iterable

from training.music.form import Bar
from training.music.harmony import chord_scale
from training.music.line import Line, each_bar
from training.music.pattern import Repertoire
from training.music.plan import PiecePlan
from training.music.players.walking import Walker
from worker.engine.sampler.degrees import TONES, Degree
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Note, Section

# The lowest root of each instrument; all roots are within the octave above it.
_LOWEST = {"bass guitar": 28, "double bass": 28, "synth bass": 26, "cello": 36, "timpani": 36, "distorted guitar": 28}
_OTHERS = 31
_LIMIT = 55
# Sections in which a bass that walks elsewhere does not.
_STILL = (Section.INTRO, Section.BREAK, Section.OUTRO)


def play_bass(plan: PiecePlan, source: random.Random) -> Line:
    """The style's pattern, with the root on every chord change."""
    line = Line()
    repertoire = Repertoire(plan.style.bass, plan.header.steps, source)
    loudness = max(0, min(2, 1 + plan.velocity))
    walker = Walker(plan, source)
    walks = plan.level > 1 and source.random() < plan.style.walk
    for bar, name, following in each_bar(plan.bars, Stream.BASS, plan.ensemble.parts[Stream.BASS], line):
        pattern = _rooted(bar, repertoire.row(bar, wander=plan.style.wander))
        goal = (following or bar).chords[0][1] if following else plan.tonic
        if walks and bar.section not in _STILL:
            _walk(bar, name, walker.walk(bar, _LOWEST.get(name, _OTHERS), goal), plan, line)
            continue
        for step, letter in enumerate(pattern):
            if letter == ".":
                line.stop(bar.start + step)
            elif letter != "-":
                pitch = _pitch(letter, bar.chord_at(step), goal, plan, name)
                line.play(
                    bar.start + step, Note(name, pitch, plan.note_velocity(bar, max(0, loudness - (letter == "r"))))
                )
    if plan.style.ending == "button" and plan.bars[-1].streams >= {Stream.BASS}:
        name = plan.ensemble.parts[Stream.BASS][0]
        line.play(plan.end_step, Note(name, _pitch("R", plan.tonic, plan.tonic, plan, name), loudness))
    return line


def _walk(bar: Bar, name: str, notes: Iterable[tuple[int, int]], plan: PiecePlan, line: Line) -> None:
    """Quarter notes, of which every second is a little louder."""
    for number, (step, pitch) in enumerate(notes):
        velocity = max(0, min(2, 1 + number % 2 + min(0, plan.velocity)))
        line.play(bar.start + step, Note(name, pitch, plan.note_velocity(bar, velocity)))


def _rooted(bar: Bar, pattern: str) -> str:
    """Put the root on chord changes within the bar."""
    letters = list(pattern)
    for step, _ in bar.chords[1:]:
        letters[step] = "R" if letters[step] != "." else "."
    return "".join(letters)


def _pitch(letter: str, chord: Degree, goal: Degree, plan: PiecePlan, name: str) -> int:
    lowest = _LOWEST.get(name, _OTHERS)
    if letter == "a":
        return _above(plan.header.key + goal.semitones - 1, lowest)
    root = _above(plan.header.key + chord.semitones, lowest)
    pitch = root + _interval(letter, chord, plan.header.minor)
    return pitch - 12 if pitch > _LIMIT else pitch + 12 if pitch < lowest else pitch


def _above(pitch_class: int, lowest: int) -> int:
    return lowest + (pitch_class - lowest) % 12


def _interval(letter: str, chord: Degree, minor: bool) -> int:
    """Semitones above the root, within the chord's scale."""
    tones = TONES[chord.quality]
    scale = sorted((tone - chord.semitones) % 12 for tone in chord_scale(chord, minor))
    match letter:
        case "8":
            return 12
        case "5":
            return 7
        case "v":
            return -5
        case "3":
            return next((tone for tone in tones if tone in (3, 4)), min(scale, key=lambda tone: abs(tone - 3.4)))
        case "2" | "6":
            wanted = 2 if letter == "2" else 9
            return min(scale, key=lambda tone: abs(tone - wanted))
        case "7":
            return tones[3] if len(tones) == 4 else 12
        case _:
            return 0
