"""The length and the grid of music that is played from a score: those of the score, which no field changes."""

from fractions import Fraction
from math import ceil

from msgspec import UNSET

from gateway.decoding import format_number
from gateway.jobs.grid import AGREEING, Grid
from gateway.problems import FieldError, invalid
from gateway.schemas import MIN_DURATION, GenerateRequest
from shared.music import HIGHEST_BPM, LOWEST_BPM, MOST_BARS, Key, bar_quarters, bar_seconds
from shared.note_score import NoteScore, TempoMap, bar_ticks, beats_per_minute

# Seconds after the end of the last note in which it dies away.
RING_OUT = 1.5
# Of a bar: notes that end this little after a loop's last bar line do not begin another bar.
OVERHANG = Fraction(1, 32)
# Fields that describe what is to be composed.
_OF_COMPOSING = ("components", "negative_prompt", "variations", "edit")


def played_grid(request: GenerateRequest, notes: NoteScore, max_duration: float) -> Grid:
    """The grid of a score that is played.

    With one tempo and one meter the music has whole bars: as many as the file for a loop, else as many as its last
    notes need to die away. What is longer than `max_duration` is cut.

    Raises:
        Problem: 422 with the name of a field that the score does not allow.
    """
    for name in _OF_COMPOSING:
        if getattr(request, name) not in (UNSET, None):
            raise invalid(FieldError(name, "A score is played as it is, and nothing is composed. Omit it."))
    loop = request.loop is True
    tempo, end = TempoMap(notes.tempos, notes.division), notes.last_tick
    bpm, meter = _tempo(notes), _meter(notes)
    seconds, bars = tempo.seconds(end) + RING_OUT, None
    if bpm and meter:
        length = bar_ticks(notes.meters[0], notes.division)
        ring = Fraction(RING_OUT) / bar_seconds(bpm, meter)
        count = ceil(Fraction(max(end, notes.end)) / length - OVERHANG) if loop else ceil(Fraction(end) / length + ring)
        bars = max(count, 1)
        seconds = float(bars * bar_seconds(bpm, meter))
    if loop and (bars is None or bars > MOST_BARS or not MIN_DURATION <= seconds <= max_duration):
        limits = f"{format_number(MIN_DURATION)} to {format_number(max_duration)} seconds"
        message = f"A loop needs one tempo, one meter, and {limits} in at most {MOST_BARS} bars. Omit it."
        raise invalid(FieldError("loop", message))
    if seconds > max_duration or (bars or 0) > MOST_BARS:
        seconds, bars = min(seconds, max_duration), None
    grid = Grid(seconds, bars, bpm if bars else None, meter if bars else None, _key(notes), loop)
    _check_fields(request, grid)
    return grid


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
    """The only key signature, unless it is C major: programs that know no key write that."""
    if len(notes.keys) != 1:
        return None
    key = Key(notes.keys[0].tonic, notes.keys[0].minor)
    return None if key == Key(0, minor=False) else key.name


def _check_fields(request: GenerateRequest, grid: Grid) -> None:
    """Refuse a length, a tempo, a meter or a key that the score has not; recipes of jobs repeat the score's own."""
    for name in ("bars", "bpm", "meter", "key"):
        asked, own = getattr(request, name), getattr(grid, name)
        if asked not in (UNSET, own):
            raise invalid(FieldError(name, f"The score has {'its own' if own is None else own}. Omit it."))
    if request.duration is not None and abs(request.duration - grid.duration) > AGREEING:
        raise invalid(FieldError("duration", f"The score lasts {grid.duration:.10g} seconds. Omit it."))
