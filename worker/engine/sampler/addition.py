"""Plans what the model composes to a score of notes: the instruments that accompany it, or what follows it.

The model hears the score on its grid, with the codes of the given streams held, and composes the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, gcd
from typing import TypeVar

import msgspec
import numpy as np
import torch

from shared.messages import Recipe
from shared.music import Key, parse_key, playable_tempo
from shared.note_score import (
    Control,
    KeyMark,
    Marker,
    MeterMark,
    NoteScore,
    TempoMap,
    TempoMark,
    TimedNote,
    beats_per_minute,
    joint,
    signed_key,
)
from shared.played_score import SCORE_PROMPT, PlayedScore, part_id
from shared.prompt.reading import Reading
from worker.engine.key_profiles import suggested_key
from worker.engine.sampler.child import candidate_seed
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.codes import NOTHING, Codes
from worker.engine.sampler.count_in import make_count_in
from worker.engine.sampler.draft import CANDIDATES
from worker.engine.sampler.given_harmony import given_harmony, repeated
from worker.engine.sampler.hearing import Heard, hear
from worker.engine.sampler.held_codes import COMPOSED
from worker.engine.sampler.instruments import CRACKLE, HIT_STREAMS, PLAYERS, Stream
from worker.engine.sampler.midi_file import DIVISION
from worker.engine.sampler.rests import NO_DEADLINE, OFF_BEAT
from worker.engine.sampler.score import STEPS_PER_BEAT, Header
from worker.engine.sampler.score_grammar import CodeLimits
from worker.engine.sampler.seats import SEATS, players_of_name
from worker.engine.sampler.step_grid import StepGrid, find_swing, model_meter
from worker.engine.sampler.wish import Wish, format_tempo, read_recipe

# Bars for which a stream may rest in what follows a score.
_REST = 2
# Sixteenths of ten minutes at the fastest tempo. More come of a score that is many times faster in places than heard.
_MOST_STEPS = 10_000
# A file's ticks per quarter note are at most this many.
_MOST_DIVISION = 2**15 - 1

Mark = TypeVar("Mark", TempoMark, MeterMark)


@dataclass(frozen=True, slots=True, eq=False)
class Addition:
    """What the model is to compose to a score.

    Attributes:
        score: the given notes, in ticks that are fine enough for the grid.
        grid: of the composed codes.
        heard: the score as the model hears it.
        held: the codes of shape [8, columns], count-in included; COMPOSED where the model composes.
        begin: the tick from which the composed notes count.
        end: the tick at which the music ends.
        follows: whether the given parts go on.
        key: of the music.
        caption: for the model's text encoder.
        limits: the codes that may be sampled.
        seeds: of the candidates.
        reading: of the prompt.
        warnings: a sentence for each statement that it does not follow, and for all that the model does not hear.
    """

    score: NoteScore
    grid: StepGrid
    heard: Heard
    held: Codes
    begin: int
    end: int
    follows: bool
    key: Key
    caption: str
    limits: CodeLimits
    seeds: tuple[int, ...]
    reading: Reading
    warnings: tuple[str, ...]

    @property
    def frames(self) -> int:
        """Columns that the model goes through."""
        return int(self.held.shape[1])


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the model is told of a score.

    Attributes:
        tempo: that it hears, exact.
        meter: that it hears.
        key: see `Key`.
        grid: see `StepGrid`.
        begin: see `Addition`.
        warnings: see `Addition`.
    """

    tempo: Fraction
    meter: str
    key: Key
    grid: StepGrid
    begin: int
    warnings: tuple[str, ...]


def plan_addition(recipe: Recipe, played: PlayedScore, score: NoteScore, samples: int, level: int) -> Addition:
    """Plan music of `samples` samples, for a model that writes scores of a level.

    Raises:
        ValueError: if the score leaves the model nothing to compose; the message is for the client.
    """
    score, follows = _fine(_kept(score, played)), played.action == "continue"
    wish = _wish(recipe)
    frame = _frame(score, wish, recipe, level, follows=follows)
    end = TempoMap(score.tempos, score.division).tick(samples / SAMPLE_RATE)
    if not (follows or recipe.loop):
        end = min(end, joint(score))  # then the last notes die away
    steps = max(ceil((end - frame.grid.origin) / frame.grid.step), 1)
    if steps > _MOST_STEPS:
        raise ValueError("The score is too fast in places for the model, which hears one tempo. Use a part of it.")
    heard = hear(score, frame.grid, steps, frame.key.tonic, level, whole=follows)
    wish = _with_given(wish, frame, heard, follows=follows)
    count_in = make_count_in(wish, level)
    bar = frame.grid.steps
    first = bar + max(frame.grid.nearest(frame.begin), 0)
    held = np.full((len(Stream), bar + steps), COMPOSED, np.int64)
    known = list(PLAYERS) if follows else list(heard.players)
    held[known, :bar] = NOTHING
    held[known, bar : first if follows else None] = heard.codes[known, : first - bar if follows else None]
    counted = (bar, bar + steps) if heard.players and not follows else (0, 0)
    candidates = CANDIDATES if counted[1] else 1
    limits = _limits(count_in.limits, frame, score, heard, held, follows=follows)
    return Addition(
        score=score,
        grid=frame.grid,
        heard=heard,
        held=held,
        begin=frame.begin,
        end=end,
        follows=follows,
        key=frame.key,
        caption=count_in.caption,
        limits=limits._replace(counted=torch.tensor(counted)),
        seeds=tuple(candidate_seed(recipe.seed, number) for number in range(candidates)),
        reading=wish.reading,
        warnings=(*count_in.warnings, *frame.warnings, *_unheard(score, heard, follows=follows)),
    )


def _kept(score: NoteScore, played: PlayedScore) -> NoteScore:
    """The parts that are used, with their programs."""
    known = {part_id(index): part for index, part in enumerate(score.parts)}
    parts = tuple(
        msgspec.structs.replace(part, program=played.programs.get(name, part.program))
        for name, part in known.items()
        if not played.instruments or name in played.instruments
    )
    return msgspec.structs.replace(score, parts=parts)


def _fine(score: NoteScore) -> NoteScore:
    """The score in ticks of which a sixteenth and its swing have whole numbers, as far as files have such ticks."""
    factor = DIVISION // gcd(DIVISION, score.division)
    if factor == 1 or factor * score.division > _MOST_DIVISION or factor * score.end >= 2**31:
        return score
    parts = tuple(
        msgspec.structs.replace(
            part,
            notes=tuple(TimedNote(factor * n.start, factor * n.end, n.key, n.velocity) for n in part.notes),
            controls=tuple(Control(factor * each.tick, each.number, each.value) for each in part.controls),
        )
        for part in score.parts
    )
    return msgspec.structs.replace(
        score,
        division=factor * score.division,
        tempos=tuple(TempoMark(factor * each.tick, each.microseconds) for each in score.tempos),
        meters=tuple(MeterMark(factor * each.tick, each.beats, each.unit) for each in score.meters),
        keys=tuple(KeyMark(factor * each.tick, each.tonic, each.minor) for each in score.keys),
        markers=tuple(Marker(factor * each.tick, each.text) for each in score.markers),
        parts=parts,
        end=factor * score.end,
    )


def _wish(recipe: Recipe) -> Wish:
    """What the prompt asks for. Crackle has no notes, so it cannot be composed to notes."""
    if recipe.prompt == SCORE_PROMPT:
        recipe = msgspec.structs.replace(recipe, prompt="")
    wish = read_recipe(recipe)
    reading, warnings = wish.reading, wish.warnings
    if CRACKLE in reading.instruments:
        warnings = (*warnings, "Vinyl crackle has no notes, so it is left out.")
    return replace(wish, reading=replace(reading, refused=reading.refused | {CRACKLE}), warnings=warnings)


def _frame(score: NoteScore, wish: Wish, recipe: Recipe, level: int, *, follows: bool) -> _Frame:
    begin = joint(score) if follows else 0
    if follows:
        mark, meter = _last(score.tempos, begin), _last(score.meters, begin)
    else:
        mark, meter = _longest(score.tempos, score.last_tick), _longest(score.meters, score.last_tick)
    own = beats_per_minute(mark)
    tempo = playable_tempo(own)
    quarter = score.division * own / tempo
    name, is_same = model_meter(meter.beats, meter.unit, level) if own == tempo else ("4/4", False)
    bar = Header(beats=int(name.split("/")[0]), unit=int(name.split("/")[1])).steps
    step = quarter / STEPS_PER_BEAT
    swings = level > 1 and name.endswith("/4")
    onsets = [note.start for part in score.parts for note in part.notes]
    # Bar lines are counted from the joint, or from where the meter begins.
    anchor = begin if follows else meter.tick
    origin = anchor - ceil(anchor / (bar * step) - Fraction(1, 64)) * bar * step
    grid = StepGrid(round(origin), step, bar, find_swing(onsets, quarter) if swings else 0)
    warnings = []
    if own != tempo:
        warnings.append(f"The model hears {format_tempo(own)} BPM as {format_tempo(tempo)} BPM.")
    if len(score.tempos) > 1:
        warnings.append(f"The model hears one tempo, {format_tempo(tempo)} BPM. All notes follow the score's changes.")
    if not is_same or len(score.meters) > 1:
        warnings.append(f"The composed bars are in {name} throughout, and not all of their bar lines are the score's.")
    return _Frame(tempo, name, _key(score, wish, recipe), grid, begin, tuple(warnings))


def _last(marks: Sequence[Mark], tick: int) -> Mark:
    """The mark that holds up to a tick."""
    return [mark for mark in marks if mark.tick < tick or not mark.tick][-1]


def _longest(marks: Sequence[Mark], end: int) -> Mark:
    """The mark that holds for the most ticks."""
    ends = [*(mark.tick for mark in marks[1:]), max(end, marks[-1].tick)]
    return max(zip(marks, ends, strict=True), key=lambda each: each[1] - each[0].tick)[0]


def _key(score: NoteScore, wish: Wish, recipe: Recipe) -> Key:
    """The stated key, that of the file, or the one that its notes suggest, by their lengths."""
    stated = parse_key(recipe.key) if recipe.key else signed_key(score) or wish.reading.key
    if stated is not None:
        return stated
    weights = [0.0] * 12
    for part in score.parts:
        for note in part.notes if not part.is_drums else ():
            weights[note.key % 12] += max(note.end - note.start, 1)
    return suggested_key(weights) or Key(0, minor=False)


def _with_given(wish: Wish, frame: _Frame, heard: Heard, *, follows: bool) -> Wish:
    """The wish for what is composed, whose grid and key are the score's.

    Raises:
        ValueError: if the score has parts in all streams.
    """
    reading = wish.reading
    players = dict(heard.players)
    names = tuple(name for name in reading.instruments if name in SEATS and not _plays(name, players))
    given: dict[Stream, str | None] = {**players}
    if follows and not names:
        given = {stream: players.get(stream) for stream in PLAYERS}
    if not follows and len(given) == len(PLAYERS):
        raise ValueError("The score has as many parts as the model can play. Name the instruments that stay.")
    reading = replace(
        reading,
        tempo=(frame.tempo, frame.tempo),
        impossible_tempo=None,
        meter=frame.meter,
        key=frame.key,
        instruments=names,
        # Names alone are all that is added; a genre completes the band.
        only=bool(names) and (follows or reading.only or reading.genre is None),
    )
    return replace(wish, reading=reading, is_on_grid=True, is_short=True, given=given, swing=frame.grid.swing)


def _plays(name: str, players: dict[Stream, str]) -> bool:
    return any(player in players_of_name(name, stream) for stream, player in players.items())


def _limits(
    limits: CodeLimits, frame: _Frame, score: NoteScore, heard: Heard, held: Codes, *, follows: bool
) -> CodeLimits:
    """The limits of the piece, in the harmony of the given notes.

    What follows a score begins at the joint and repeats its chords, and no stream that has played falls silent.
    """
    begin, steps = frame.grid.nearest(frame.begin), held.shape[1] - frame.grid.steps
    if set(heard.players) - set(HIT_STREAMS):
        chords, shares = given_harmony(score, frame.grid, frame.key, begin if follows else steps)
        if follows:
            chords = repeated(chords, max(begin * shares // frame.grid.steps, 1))
        limits = limits._replace(chords=chords, chord_shares=torch.tensor(shares))
    if follows:
        for stream in PLAYERS:
            if limits.deadlines[stream - 1] < NO_DEADLINE:
                limits.deadlines[stream - 1] = begin + OFF_BEAT[stream]
            if stream in heard.players:
                limits.rests[stream - 1] = _REST
    return limits._replace(held=torch.from_numpy(held))


def _unheard(score: NoteScore, heard: Heard, *, follows: bool) -> list[str]:
    """A sentence for each reduction of what the model hears."""
    found = []
    if heard.off_grid:
        notes = "1 note is" if heard.off_grid == 1 else f"{heard.off_grid} notes are"
        found.append(
            f"{notes} between the sixteenths: the model hears them on the nearest one, and they are played as written."
        )
    if heard.deaf:
        names = ", ".join(score.parts[index].name or part_id(index) for index in heard.deaf)
        rest = " They rest in what follows." if follows else ""
        found.append(f"The model hears seven parts at most, and these it does not: {names}.{rest}")
    if follows and {Stream.CHORDS, Stream.PAD} & set(heard.players):
        found.append("The model hears chords by their root and kind, so what follows has voicings of its own.")
    return found
