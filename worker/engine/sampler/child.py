"""What a child's composed part is to be: the caption and the limits for the model, by its parent and its own prompt."""

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from shared.edits import Edit
from shared.messages import Recipe
from shared.music import Key
from shared.prompt.reader import read_prompt
from shared.prompt.reading import Reading
from worker.engine.sampler.caption import write_caption
from worker.engine.sampler.conductor import SECTION, SECTION_PLACE, name_of
from worker.engine.sampler.draft import Draft, make_draft
from worker.engine.sampler.groove import forbidden_codes, make_groove
from worker.engine.sampler.instruments import HIT_STREAMS, Stream
from worker.engine.sampler.repertoire import find_genre
from worker.engine.sampler.rests import NO_DEADLINE
from worker.engine.sampler.revoicing import revoice, revoicing_warnings
from worker.engine.sampler.score import STEPS_PER_BEAT, Section
from worker.engine.sampler.score_grammar import CodeLimits, no_limits
from worker.engine.sampler.seats import SEATS, is_refused, players_of_name
from worker.engine.sampler.stored_score import OldScore
from worker.engine.sampler.wish import read_recipe

# Sections that added bars may have; and an outro, if the parent has one.
_ADDED = (Section.VERSE, Section.CHORUS, Section.BRIDGE, Section.BREAK, Section.FILL, Section.BUILD)


@dataclass(frozen=True, slots=True, eq=False)
class ChildPlan:
    """A child that is about to be composed.

    Attributes:
        old: the parent's score.
        samples: length of the audio, without the tail of a loop.
        loop: whether it is a loop, as its parent.
        seeds: of the candidates.
        draft: what is held and what is composed.
        caption: for the model's text encoder.
        limits: the codes that may be sampled.
        reading: of the words that the composed part follows.
        warnings: a sentence for each statement that it does not follow.
        only: the streams that play; empty means all.
    """

    old: OldScore
    samples: int
    loop: bool
    seeds: tuple[int, ...]
    draft: Draft
    caption: str
    limits: CodeLimits
    reading: Reading
    warnings: tuple[str, ...]
    only: frozenset[Stream] = frozenset()


def plan_child(recipe: Recipe, edit: Edit, samples: int, level: int) -> ChildPlan:
    """Plan a child of `samples` samples, for a model that writes scores of a level.

    Raises:
        ValueError: if the parent's score does not allow the edit.
    """
    old = OldScore.read(edit.known_score)
    if edit.programs:
        old = OldScore(revoice(old.codes, edit.programs), old.stored)
    draft = make_draft(edit, old, samples, recipe.seed)
    reading = read_recipe(recipe).reading
    caption, warnings = edit.known_score.caption, tuple(revoicing_warnings(edit.programs))
    if edit.prompt is not None:
        reading = _own_reading(edit.prompt, reading)
        caption, warnings = _caption(reading, old), tuple(_warnings(reading, old))
        for stream, player in _players(old).items():
            if is_refused(player, stream, reading.refused) or _is_left_out(player, stream, reading, old):
                draft.silence(stream)
    return ChildPlan(
        old=old,
        samples=samples,
        loop=recipe.loop,
        seeds=tuple(candidate_seed(recipe.seed, number) for number in range(draft.candidates)),
        draft=draft,
        caption=caption,
        limits=_limits(draft, old, reading, level),
        reading=reading,
        warnings=warnings,
        only=frozenset(Stream[name.upper()] for name in edit.streams) if edit.kind == "play" else frozenset(),
    )


def candidate_seed(seed: int, number: int) -> int:
    """The recipe's seed, and seeds unlike the neighbouring ones that clients use."""
    return seed if number == 0 else zlib.crc32(f"{seed} candidate {number}".encode())


def _own_reading(prompt: str, piece: Reading) -> Reading:
    """A part's own prompt; genre and moods are the piece's where it states none."""
    own = read_prompt(prompt)
    return replace(own, genre=own.genre or piece.genre, moods=own.moods or piece.moods)


def _players(old: OldScore) -> dict[Stream, str]:
    first = old.players(old.bar_steps)
    return {stream: player for stream in old.playing if (player := name_of(stream, first)) is not None}


def _caption(reading: Reading, old: OldScore) -> str:
    header, genre = old.header, find_genre(reading.genre or "")
    plays = [name for name in reading.instruments if _has(old, name)]
    return write_caption(
        genre=genre.trained_as if genre else None,
        mood=reading.moods[0] if reading.moods else header.mood,
        tempo=old.tempo,
        key=Key(header.key, header.minor),
        meter=header.meter,
        instruments=plays,
        alone=reading.only and bool(plays),
        refused=reading.refused,
    )


def _has(old: OldScore, name: str) -> bool:
    return any(player in players_of_name(name, stream) for stream, player in _players(old).items())


def _is_left_out(player: str, stream: Stream, reading: Reading, old: OldScore) -> bool:
    """Whether a prompt wants only other players of the take."""
    named = [name for name in reading.instruments if _has(old, name)]
    return reading.only and bool(named) and not any(player in players_of_name(name, stream) for name in named)


def _warnings(reading: Reading, old: OldScore) -> Iterator[str]:
    header = old.header
    for name in reading.instruments:
        if name in SEATS and not _has(old, name):
            yield f"The take has no {name}, and its bars keep its instruments."
    if reading.tempo is not None and not reading.tempo[0] <= old.tempo <= reading.tempo[1]:
        yield f"The bars keep the take's tempo, {float(old.tempo):.10g} BPM."
    if reading.key not in (None, Key(header.key, header.minor)):
        yield f"The bars keep the take's key, {Key(header.key, header.minor).name}."
    if reading.meter not in (None, header.meter):
        yield f"The bars keep the take's meter, {header.meter}."


def _limits(draft: Draft, old: OldScore, reading: Reading, level: int) -> CodeLimits:
    limits = no_limits(level)
    outro = (Section.OUTRO,) if Section.OUTRO in old.score.sections else ()
    sections = torch.zeros_like(limits.allowed[SECTION_PLACE])
    sections[[SECTION + section for section in (*_ADDED, *outro)]] = True
    # The count-in's is held.
    limits.allowed[SECTION_PLACE] &= sections
    rules = make_groove(reading, old.bar_steps, old.tempo)
    # A second's silence is heard if nothing but drums and percussion plays; see `CodeLimits`.
    holds = set(old.playing) - set(HIT_STREAMS)
    patience = NO_DEADLINE if holds else math.floor(old.tempo * STEPS_PER_BEAT / 60)
    counted = draft.counted
    return limits._replace(
        drums=forbidden_codes(rules),
        patience=torch.tensor(patience),
        held=torch.from_numpy(draft.held[:, : draft.frames]),
        counted=torch.tensor([counted.start, counted.stop]),
    )
