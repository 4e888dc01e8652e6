"""Makes the edit of a child whose parent's model writes no score: where its new audio begins and ends."""

from http import HTTPStatus
from math import ceil
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from gateway.decoding import format_number
from gateway.jobs.edit_requests import EditRequest, ExtendRequest, ReplaceRequest, VaryRequest
from gateway.problems import FieldError, Problem, invalid
from shared.edits import Edit, EditKind, ParentAudio
from shared.messages import JobRecord, Recipe
from shared.music import DEFAULT_METER, MOST_BARS, bar_seconds

# Seconds of old music that the model hears at least, and the shortest new part.
LEAST_CONTEXT, LEAST_NEW = 1.0, 0.5
# Of a bar, or of a second: by how much a take may miss its whole bars, or a request the end of the take.
TOLERANCE = 0.001
KINDS: dict[type, EditKind] = {VaryRequest: "vary", ExtendRequest: "extend", ReplaceRequest: "replace"}


class BarLines(NamedTuple):
    """The bars and beats of a take, in seconds.

    Attributes:
        starts: of each bar; the last one may be cut short.
        bar: the length of a bar.
        beat: the length of a quarter note.
        end: of the take.
    """

    starts: tuple[float, ...]
    bar: float
    beat: float
    end: float

    def nearest_beat(self, time: float) -> float:
        """The beat next to a time, within the take."""
        return min(max(self.starts[0] + round((time - self.starts[0]) / self.beat) * self.beat, 0.0), self.end)

    def last_beat(self) -> float:
        """The last beat before the end; the end itself if a bar ends there."""
        beats = (self.end - self.starts[0]) / self.beat
        return self.end if self.ends_bar else self.starts[0] + (ceil(beats - TOLERANCE) - 1) * self.beat

    @property
    def ends_bar(self) -> bool:
        """Whether the last bar is whole."""
        return abs(self.end - self.starts[-1] - self.bar) <= TOLERANCE * self.bar


def bar_lines(parent: JobRecord) -> BarLines | None:
    """The bars of a finished take: of its grid, or as they were measured surely; None if they are not known."""
    assert parent.audio is not None
    music, measured, end = parent.music, parent.measured, parent.audio.duration
    if music is not None and music.bpm is not None:
        bar = float(bar_seconds(music.bpm, music.meter or DEFAULT_METER))
        bars = max(ceil(end / bar - TOLERANCE), 1)
        return BarLines(tuple(number * bar for number in range(bars)), bar, 60 / music.bpm, end)
    if measured is not None and measured.bpm is not None and measured.downbeats:
        bar = float(bar_seconds(measured.bpm, parent.recipe.meter or DEFAULT_METER))
        return BarLines(measured.downbeats, bar, 60 / measured.bpm, end)
    return None


def make_audio_child(parent: JobRecord, base: Recipe, request: EditRequest, max_duration: float) -> Recipe:
    """The recipe of a child of a take without a score. It refers to the parent's file, which is stored for the child.

    Args:
        parent: a finished job with audio.
        base: its recipe, or that of what was kept of it.
        request: the validated body.
        max_duration: the longest allowed duration in seconds.

    Raises:
        Problem: 422 with the field's name, if the model cannot do it.
    """
    assert parent.audio is not None
    if getattr(request, "instruments", UNSET) is not UNSET:
        reason = f"{base.model} makes audio of all instruments at once. Omit it, or work on a take of the starter."
        raise invalid(FieldError("instruments", reason))
    lines = bar_lines(parent)
    file = ParentAudio(sha256=parent.audio.sha256, size=parent.audio.size)
    edit = Edit(kind=KINDS[type(request)], parent=parent.job_id, audio=file, from_seconds=0.0)
    # Its audio is what the model goes on from, whatever it was conditioned on itself. Where the tempo was not met, the
    # child has none to keep.
    base = replace(base, audio=None)
    if base.bpm is not None and (parent.music is None or parent.music.bpm is None):
        base = replace(base, bars=None, bpm=None, loop=False, duration=parent.audio.duration)
    match request:
        case VaryRequest():
            return replace(base, edit=_varied(edit, request, lines, base.duration))
        case ReplaceRequest():
            return replace(base, edit=_replaced(edit, request, lines, base.duration))
        case ExtendRequest():
            return _extended(base, edit, request, lines, max_duration)


def _varied(edit: Edit, request: VaryRequest, lines: BarLines | None, duration: float) -> Edit:
    """The opening stays: its share is 1 - `strength`, to the nearest bar that leaves an opening and something new."""
    if request.strength == 0:
        message = "0 keeps all of the take, and its model writes no score that could be rendered again. Give more."
        raise invalid(FieldError("strength", message))
    wanted = (1 - request.strength) * duration
    earliest, latest = LEAST_CONTEXT, duration - LEAST_NEW
    if latest < earliest:
        message = f"The take is shorter than {LEAST_CONTEXT + LEAST_NEW:g} seconds, so it has no opening. Extend it."
        raise invalid(FieldError("strength", message))
    bars = [start for start in (lines.starts if lines else ()) if earliest <= start <= latest]
    begin = min(bars, key=lambda start: abs(start - wanted)) if bars else min(max(wanted, earliest), latest)
    return replace(edit, strength=request.strength, from_seconds=begin)


def _replaced(edit: Edit, request: ReplaceRequest, lines: BarLines | None, duration: float) -> Edit:
    begin, end, field = _region(request, lines, duration)
    if begin < LEAST_CONTEXT:
        first = next((number for number, at in enumerate(lines.starts, 1) if at >= LEAST_CONTEXT), 2) if lines else None
        instead = f"{LEAST_CONTEXT:g} seconds" if first is None or "seconds" in field else f"bar {first}"
        message = (
            "The model composes audio from what comes before, and needs a second of it. "
            f"Begin at {instead} or later, or generate another take."
        )
        raise invalid(FieldError(field, message))
    if end - begin < LEAST_NEW:
        raise invalid(FieldError(field.replace("from", "to"), f"Replace at least {LEAST_NEW:g} seconds."))
    return replace(
        edit,
        from_bar=request.from_bar or None,
        to_bar=request.to_bar or None,
        from_seconds=begin,
        to_seconds=end if end < duration - TOLERANCE else None,
    )


def _region(request: ReplaceRequest, lines: BarLines | None, duration: float) -> tuple[float, float, str]:
    """Where the new part begins and ends, and the field that says where it begins."""
    if request.from_seconds is not UNSET and request.to_seconds is not UNSET:
        begin, end = request.from_seconds, request.to_seconds
        if end > duration + TOLERANCE:
            raise invalid(FieldError("to_seconds", f"The take lasts {duration:.10g} seconds. Give at most that."))
        if lines is not None:
            begin, end = lines.nearest_beat(begin), end if end >= duration - TOLERANCE else lines.nearest_beat(end)
        return begin, end, "from_seconds"
    assert request.from_bar is not UNSET
    assert request.to_bar is not UNSET
    if lines is None:
        raise _no_bars("from_bar", "Give from_seconds and to_seconds.")
    check_bars(request.from_bar, request.to_bar, len(lines.starts))
    ends = (*lines.starts[1:], min(lines.end, lines.starts[-1] + lines.bar))
    return lines.starts[request.from_bar - 1], ends[request.to_bar - 1], "from_bar"


def check_bars(first: int, last: int, bars: int) -> None:
    """Check the bars to replace in a take that has so many.

    Raises:
        Problem: 422 with the field's name.
    """
    if last > bars:
        raise invalid(FieldError("to_bar", f"The take has {bars} bars. Give a bar from {first} to {bars}."))
    if first > last:
        raise invalid(FieldError("from_bar", f"Must be at most to_bar, which is {last}."))


def _extended(base: Recipe, edit: Edit, request: ExtendRequest, lines: BarLines | None, longest: float) -> Recipe:
    if request.at == "start":
        message = f"{base.model} goes on from what it hears, so it cannot lead into a beginning. Extend the end."
        raise invalid(FieldError("at", message))
    if base.duration < LEAST_CONTEXT:
        message = f"The take is shorter than {LEAST_CONTEXT:g} second, too short to go on from. Generate another one."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, message)
    edit = replace(edit, at="end", from_seconds=lines.last_beat() if lines else base.duration)
    if request.bars is UNSET and (base.bars is None or lines is None):
        recipe = replace(base, duration=base.duration + float(request.seconds or 0.0))
    elif lines is None:
        raise _no_bars("bars", "Give seconds.")
    else:
        added = request.bars or max(round(float(request.seconds or 0.0) / lines.bar), 1)
        recipe = _with_bars(base, added, lines)
    if recipe.duration > longest or (recipe.bars or 0) > MOST_BARS:
        raise too_long(recipe, request, longest)
    if recipe.duration - base.duration < LEAST_NEW:
        raise invalid(FieldError("seconds", f"Add at least {LEAST_NEW:g} seconds."))
    return replace(recipe, edit=edit)


def _with_bars(base: Recipe, added: int, lines: BarLines) -> Recipe:
    """The recipe with more bars, in seconds where no tempo was asked for. A bar that was cut short is completed."""
    bars = len(lines.starts) + added
    if base.bpm is None:
        return replace(base, duration=lines.starts[-1] + (1 + added) * lines.bar)
    meter = base.meter or DEFAULT_METER
    return replace(base, bars=bars, meter=meter, duration=float(bars * bar_seconds(base.bpm, meter)))


def too_long(recipe: Recipe, request: ExtendRequest, longest: float) -> Problem:
    """The refusal of a take that would be longer than `longest` seconds, or have too many bars."""
    limits = f"{format_number(longest)} seconds and {MOST_BARS} bars"
    message = f"The take would last {recipe.duration:.10g} seconds; at most {limits} are possible. Add less."
    return invalid(FieldError("seconds" if request.bars is UNSET else "bars", message))


def _no_bars(field: str, advice: str) -> Problem:
    return invalid(FieldError(field, f"It is not known where the bars of the take begin. {advice}"))
