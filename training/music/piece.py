"""Makes captioned pieces, and writes the score of a plan."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from training.music.captions import Split, write_caption
from training.music.line import Line
from training.music.plan import PiecePlan, make_plan
from training.music.players.arpeggio import play_arpeggio
from training.music.players.bass import play_bass
from training.music.players.chords import play_comping, play_pad
from training.music.players.drums import play_drums, play_percussion
from training.music.players.lead import play_lead
from training.music.random_spec import draw_spec
from training.music.spec import Spec
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Event, Score, Section


@dataclass(frozen=True, slots=True)
class Piece:
    """A caption, its fields and the music."""

    caption: str
    spec: Spec
    score: Score


def make_piece(seed: int, split: Split = "train", level: int = 1, stated: int | None = None) -> Piece:
    """Make the piece of a seed, deterministically. The splits share no pieces, and word their captions differently.

    Args:
        seed: any number.
        split: of the captions.
        level: of the score; see `worker.engine.sampler.score.LEVEL`.
        stated: the level of what the caption states; None for that of the score. The evaluation's captions have the
            first, so that its figures stay comparable.
    """
    source = random.Random(2 * seed + (split == "test"))  # noqa: S311
    stated = stated or level
    spec = draw_spec(source, stated)
    # A separate source, so that a change in the wordings does not change the music.
    caption = write_caption(spec, split, random.Random(f"{split} {seed}"), stated)  # noqa: S311
    return Piece(caption, spec, write_score(make_plan(spec, source, level), source))


def _play_low(plan: PiecePlan, source: random.Random) -> Line:
    """A cello without other melodic instruments plays the melody."""
    melodic = set(plan.ensemble.parts) - {Stream.DRUMS, Stream.PERCUSSION}
    if melodic == {Stream.BASS} and plan.ensemble.parts[Stream.BASS] == ("cello",):
        return play_lead(plan, source, Stream.BASS)
    return play_bass(plan, source)


_PLAYERS: dict[Stream, Callable[[PiecePlan, random.Random], Line]] = {
    Stream.BASS: _play_low,
    Stream.CHORDS: play_comping,
    Stream.PAD: play_pad,
    Stream.ARPEGGIO: play_arpeggio,
    Stream.LEAD: play_lead,
    Stream.PERCUSSION: play_percussion,
}


def write_score(plan: PiecePlan, source: random.Random) -> Score:
    """Write all parts of a plan, and the bar `END` after them."""
    parts = plan.ensemble.parts
    events: dict[Stream, dict[int, Event]] = {
        stream: play(plan, source).events for stream, play in _PLAYERS.items() if stream in parts
    }
    if Stream.DRUMS in parts:
        drums, toms = play_drums(plan, source)
        events[Stream.DRUMS] = drums.events
        if Stream.PERCUSSION not in parts and toms.events:
            events[Stream.PERCUSSION] = toms.events
    sections = (*(Section.FILL if bar.fill else bar.section for bar in plan.bars), Section.END)
    steps = len(sections) * plan.header.steps
    return Score(plan.header, sections, steps, {stream: row for stream, row in events.items() if row})
