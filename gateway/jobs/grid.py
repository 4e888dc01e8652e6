"""Puts a request on the grid: its bars, tempo, meter and key, and the length that follows from them.

Fields are orders: what cannot be is refused. Words of the prompt are wishes: they count where the request has no such
field, and what cannot be becomes the nearest that can.
"""

from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import Any, NamedTuple

from msgspec import UNSET

from gateway.decoding import format_number
from gateway.problems import FieldError, invalid
from gateway.prompts import PromptComponents, typical_tempo
from gateway.schemas import DEFAULT_DURATION, MIN_DURATION, GenerateRequest
from shared.models import playable_meters
from shared.music import (
    DEFAULT_METER,
    HIGHEST_BPM,
    LOWEST_BPM,
    MOST_BARS,
    bar_quarters,
    bar_seconds,
    parse_key,
    playable_tempo,
)
from shared.prompt.reader import read_prompt
from shared.prompt.reading import Reading

# `bars` and `duration` may come together, as in the recipe of a finished job, if they differ by less than this many
# seconds: other programs may round numbers.
AGREEING = 0.001

# Reading a prompt takes a third of what accepting a job does, and several takes are asked for with the same one.
_read = lru_cache(maxsize=256)(read_prompt)


class Grid(NamedTuple):
    """The fields of a recipe that say how long the music is and how it counts; see `Recipe`."""

    duration: float
    bars: int | None
    bpm: float | None
    meter: str | None
    key: str | None
    loop: bool


def make_grid(
    request: GenerateRequest, prompt: str, negative_prompt: str | None, model: str, max_duration: float
) -> Grid:
    """The grid of a request. With bars or a loop it has bars, a tempo and a meter, and exactly their length.

    The tempo is the request's, the prompt's, or the genre's typical one; the meter is the request's, the prompt's, or
    4/4. Where the request gives neither bars nor a duration, the length is the one that the prompt states.

    Raises:
        Problem: 422 with the field's name.
    """
    reading = _read(prompt, negative_prompt)
    grid = Grid(
        duration=_duration(request, reading, max_duration),
        bars=given(request, "bars"),
        bpm=given(request, "bpm"),
        meter=_meter(request, model),
        key=given(request, "key"),
        loop=bool(given(request, "loop")),
    )
    if grid.bars is None and request.duration is None:
        wished = _wished(grid, request, reading, model, max_duration)
        if wished is not None:
            return wished
    if grid.bars is None and not grid.loop:
        return grid
    grid = _in_whole_bars(grid, reading, model, max_duration)
    _check_length(grid, request, max_duration)
    return grid


def _duration(request: GenerateRequest, reading: Reading, max_duration: float) -> float:
    """The request's duration, else the prompt's within the limits, else the usual one."""
    if request.duration is None:
        return min(max(reading.seconds or DEFAULT_DURATION, MIN_DURATION), max_duration)
    if request.duration > max_duration:
        message = f"Must be at most {format_number(max_duration)} seconds, not {format_number(request.duration)}."
        raise invalid(FieldError("duration", message))
    return request.duration


def _wished(grid: Grid, request: GenerateRequest, reading: Reading, model: str, max_duration: float) -> Grid | None:
    """The grid with the bars, or the loop, that only the prompt's words ask for; None if they ask for neither."""
    loop = grid.loop or (given(request, "loop") is None and reading.loop)
    if reading.bars is None and loop == grid.loop:
        return None
    bpm = grid.bpm or float(playable_tempo(Fraction(_tempo(reading))))
    meter = grid.meter or _possible_meter(reading, model)
    bar = bar_seconds(bpm, meter)
    if bar > max_duration:
        return grid._replace(duration=max_duration)
    asked = grid.duration if reading.bars is None else float(reading.bars * bar)
    bars = _nearest_bars(asked, bar, max_duration)
    return grid._replace(bars=bars, bpm=bpm, meter=meter, loop=loop, duration=float(bars * bar))


def _possible_meter(reading: Reading, model: str) -> str:
    """The prompt's meter, or 4/4 if there is none or the model lacks it: then the model warns."""
    meter = _known_meter(reading)
    return DEFAULT_METER if meter is None or _unplayable(meter, model) else meter


def _in_whole_bars(grid: Grid, reading: Reading, model: str, max_duration: float) -> Grid:
    """The grid with a tempo, a meter and bars, and their length."""
    bpm = grid.bpm or _prompt_tempo(reading)
    meter = grid.meter or _prompt_meter(reading, model) or DEFAULT_METER
    bar = bar_seconds(bpm, meter)
    bars = grid.bars or _nearest_bars(grid.duration, bar, max_duration)
    return grid._replace(bars=bars, bpm=bpm, meter=meter, duration=float(bars * bar))


def _check_length(grid: Grid, request: GenerateRequest, max_duration: float) -> None:
    """Refuse bars that are too long or too short, or whose length is not the requested duration."""
    assert grid.bars
    assert grid.bpm
    assert grid.meter
    bars = "1 bar" if grid.bars == 1 else f"{grid.bars} bars"
    lasting = f"{bars} of {grid.meter} at {format_number(grid.bpm)} BPM last {grid.duration:.10g} seconds"
    if problem := _length_problem(grid.bars, bar_seconds(grid.bpm, grid.meter), max_duration):
        raise invalid(FieldError(_place(request, "bars"), f"{lasting}; {problem}"))
    is_asked = given(request, "bars") is not None
    if is_asked and request.duration is not None and abs(grid.duration - request.duration) > AGREEING:
        raise invalid(FieldError("duration", f"Give either bars or duration: {lasting}."))


def given(request: GenerateRequest, name: str) -> Any:
    """A field of the request or of its components, keys in the long form; None if neither has it."""
    own = _normalized(name, getattr(request, name), name)
    components = request.components or PromptComponents()
    component = _normalized(name, getattr(components, name), f"components.{name}")
    if own is not None and component is not None and own != component:
        message = f"It is {component!r} in components and {own!r} outside of them. Give it once."
        raise invalid(FieldError(f"components.{name}", message))
    return component if own is None else own


def _normalized(name: str, value: Any, field: str) -> Any:
    if value is UNSET or value is None:
        return None
    if name != "key":
        return value
    try:
        return parse_key(value).name
    except ValueError as error:
        raise invalid(FieldError(field, str(error))) from error


def _place(request: GenerateRequest, name: str) -> str:
    """The name of the field that a client has to change."""
    components = request.components or PromptComponents()
    is_component = getattr(request, name) is UNSET and getattr(components, name) is not None
    return f"components.{name}" if is_component else name


def _meter(request: GenerateRequest, model: str) -> str | None:
    meter: str | None = given(request, "meter")
    if meter is None:
        return None
    try:
        bar_quarters(meter)
    except ValueError as error:
        raise invalid(FieldError(_place(request, "meter"), str(error))) from error
    if (reason := _unplayable(meter, model)) is not None:
        raise invalid(FieldError(_place(request, "meter"), reason))
    return meter


def _unplayable(meter: str, model: str) -> str | None:
    playable = playable_meters(model)
    if playable is None or meter in playable:
        return None
    return f"The model {model} plays no {meter}. It plays {', '.join(playable[:-1])} and {playable[-1]}."


def _tempo(reading: Reading) -> float:
    """The prompt's tempo, or within its range the typical one of its genre."""
    if reading.tempo is not None and reading.tempo[0] == reading.tempo[1]:
        return float(reading.tempo[0])
    return typical_tempo(reading)


def _prompt_tempo(reading: Reading) -> float:
    tempo = _tempo(reading)
    if not LOWEST_BPM <= tempo <= HIGHEST_BPM:
        limits = f"{format_number(LOWEST_BPM)} to {format_number(HIGHEST_BPM)}"
        message = f"The prompt asks for {format_number(tempo)} BPM; bars can have {limits} BPM. Give bpm."
        raise invalid(FieldError("bpm", message))
    return tempo


def _prompt_meter(reading: Reading, model: str) -> str | None:
    meter = _known_meter(reading)
    if meter is not None and (reason := _unplayable(meter, model)) is not None:
        raise invalid(FieldError("meter", f"The prompt asks for it: {reason} Give one of them as meter."))
    return meter


def _known_meter(reading: Reading) -> str | None:
    """The prompt's meter, if a bar of it can be requested."""
    if reading.meter is None:
        return None
    try:
        bar_quarters(reading.meter)
    except ValueError:
        return None
    return reading.meter


def _nearest_bars(duration: float, bar: Fraction, max_duration: float) -> int:
    """The number of bars whose length is nearest to `duration`, within the limits; at least 1."""
    fewest = max(ceil(Fraction(MIN_DURATION) / bar), 1)
    most = min(floor(Fraction(max_duration) / bar), MOST_BARS)
    return max(min(max(round(Fraction(duration) / bar), fewest), most), 1)


def _length_problem(bars: int, bar: Fraction, max_duration: float) -> str | None:
    """The limit that the length of bars breaks, and the remedy; None if it is within the limits."""
    if bars * bar > Fraction(max_duration):
        most = min(floor(Fraction(max_duration) / bar), MOST_BARS)
        advice = f"Ask for at most {most} bars, or a faster tempo." if most else "Ask for a faster tempo."
        return f"at most {format_number(max_duration)} are possible. {advice}"
    if bars * bar < Fraction(MIN_DURATION):
        fewest = ceil(Fraction(MIN_DURATION) / bar)
        return f"at least {format_number(MIN_DURATION)} are needed. Ask for at least {fewest} bars."
    return None
