"""The length and the grid of music that is made of a score: those of the score, which no field changes."""

from fractions import Fraction
from math import ceil

from msgspec import UNSET

from gateway.decoding import format_number
from gateway.jobs.grid import AGREEING, Grid, given
from gateway.jobs.scores import FoundScore
from gateway.problems import FieldError, invalid
from gateway.schemas import MIN_DURATION, GenerateRequest
from shared.music import HIGHEST_BPM, LOWEST_BPM, MOST_BARS, bar_quarters, bar_seconds
from shared.note_score import NoteScore, TempoMap, bar_ticks, beats_per_minute, full_bars, joint, signed_key
from shared.played_score import COMPOSING

# Seconds after the end of the last note in which it dies away.
RING_OUT = 1.5
# Bars that follow a score if the request states no length.
CONTINUATION = 8
# Fields that describe what is to be composed.
_OF_COMPOSING = ("components", "negative_prompt", "variations")


def score_grid(request: GenerateRequest, score: FoundScore, max_duration: float) -> Grid:
    """The grid of a score: that of `played_grid`, or of `continued_grid`. What is composed may be in a stated key.

    Raises:
        Problem: 422 with the name of a field that the score does not allow.
    """
    notes, action = score.notes, score.played.action
    for name in ("edit", *(_OF_COMPOSING if action == "play" else ())):
        if getattr(request, name) not in (UNSET, None):
            raise invalid(FieldError(name, "A score is played as it is, and nothing is composed. Omit it."))
    make = continued_grid if action == "continue" else played_grid
    grid = make(request, notes, max_duration)
    if action in COMPOSING and grid.key is None:
        grid = grid._replace(key=given(request, "key"))
    _check_fields(request, grid, is_rounded=action == "continue" and not request.bars)
    return grid


def played_grid(request: GenerateRequest, notes: NoteScore, max_duration: float) -> Grid:
    """The grid of a score that is played.

    With one tempo and one meter the music has whole bars: as many as the file for a loop, else as many as its last
    notes need to die away. What is longer than `max_duration` is cut.

    Raises:
        Problem: 422 with the name of a field that the score does not allow.
    """
    loop = request.loop is True
    tempo, end = TempoMap(notes.tempos, notes.division), notes.last_tick
    bpm, meter = _tempo(notes), _meter(notes)
    seconds, bars = tempo.seconds(end) + RING_OUT, None
    if bpm and meter:
        length = bar_ticks(notes.meters[0], notes.division)
        ring = Fraction(RING_OUT) / bar_seconds(bpm, meter)
        bars = full_bars(max(end, notes.end), length) if loop else max(ceil(Fraction(end) / length + ring), 1)
        seconds = float(bars * bar_seconds(bpm, meter))
    if loop and (bars is None or bars > MOST_BARS or not MIN_DURATION <= seconds <= max_duration):
        limits = f"{format_number(MIN_DURATION)} to {format_number(max_duration)} seconds"
        message = f"A loop needs one tempo, one meter, and {limits} in at most {MOST_BARS} bars. Omit it."
        raise invalid(FieldError("loop", message))
    if seconds > max_duration or (bars or 0) > MOST_BARS:
        seconds, bars = min(seconds, max_duration), None
    return Grid(seconds, bars, bpm if bars else None, meter if bars else None, _key(notes), loop)


def continued_grid(request: GenerateRequest, notes: NoteScore, max_duration: float) -> Grid:
    """The grid of a score and of what follows it. With one tempo and one meter it has whole bars.

    Raises:
        Problem: 422 if nothing is to follow, or with the name of a field that the score does not allow.
    """
    bpm, meter, opening = _tempo(notes), _meter(notes), TempoMap(notes.tempos, notes.division).seconds(joint(notes))
    if bpm and meter:
        return _continued_bars(request, notes, bpm, meter, max_duration)
    field = next((name for name in ("bars", "loop") if getattr(request, name)), None)
    if field is not None:
        raise invalid(FieldError(field, "The score changes its tempo or its meter. Give the whole duration instead."))
    last = notes.meters[-1]
    bar = Fraction(4 * last.beats, last.unit) * 60 / beats_per_minute(notes.tempos[-1])
    seconds = request.duration or min(opening + float(CONTINUATION * bar), max_duration)
    _check_follows("duration", seconds, opening, max_duration)
    return Grid(seconds, None, None, None, _key(notes), loop=False)


def _continued_bars(request: GenerateRequest, notes: NoteScore, bpm: float, meter: str, max_duration: float) -> Grid:
    bar = bar_seconds(bpm, meter)
    opening = round(joint(notes) / bar_ticks(notes.meters[0], notes.division))
    most = min(int(Fraction(max_duration) / bar), MOST_BARS)
    asked = request.bars or (ceil(Fraction(request.duration) / bar - Fraction(1, 1000)) if request.duration else None)
    bars = asked or min(opening + CONTINUATION, most)
    if not opening < bars <= most:
        limits = f"The score has {opening} bars, and at most {most} are possible in all"
        message = f"{limits}: ask for more bars than the score has." if opening < most else f"{limits}. Use less of it."
        raise invalid(FieldError("bars" if request.bars else "duration" if request.duration else "score", message))
    return Grid(float(bars * bar), bars, bpm, meter, _key(notes), request.loop is True)


def _check_follows(field: str, seconds: float, opening: float, max_duration: float) -> None:
    if not opening < seconds <= max_duration:
        limits = f"The score lasts {opening:.1f} seconds, and the whole at most {format_number(max_duration)} seconds"
        raise invalid(FieldError(field, f"{limits}. Ask for a duration between the two, or use less of the score."))


def _tempo(notes: NoteScore) -> float | None:
    """The only tempo, if bars can have it."""
    bpm = float(beats_per_minute(notes.tempos[0]))
    return bpm if len(notes.tempos) == 1 and LOWEST_BPM <= bpm <= HIGHEST_BPM else None


def _meter(notes: NoteScore) -> str | None:
    """The only meter, if requests can have it."""
    meter = f"{notes.meters[0].beats}/{notes.meters[0].unit}"
    try:
        bar_quarters(meter)
    except ValueError:
        return None
    return meter if len(notes.meters) == 1 else None


def _key(notes: NoteScore) -> str | None:
    key = signed_key(notes)
    return None if key is None else key.name


def _check_fields(request: GenerateRequest, grid: Grid, *, is_rounded: bool) -> None:
    """Refuse a length, a tempo, a meter or a key that the score has not; recipes of jobs repeat the score's own.

    `is_rounded` says that the duration became whole bars.
    """
    for name in ("bars", "bpm", "meter", "key"):
        asked = given(request, name) if name == "key" else getattr(request, name)
        own = getattr(grid, name)
        if asked not in (None, UNSET, own):
            raise invalid(FieldError(name, f"The score has {'its own' if own is None else own}. Omit it."))
    if request.duration is not None and not is_rounded and abs(request.duration - grid.duration) > AGREEING:
        raise invalid(FieldError("duration", f"The score lasts {grid.duration:.10g} seconds. Omit it."))
