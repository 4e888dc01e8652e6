"""Scores of notes that were written by hand, for the tests of what is made of them."""

from collections.abc import Sequence

from shared.note_score import MeterMark, NotePart, NoteScore, TempoMark, TimedNote

DIVISION = 480
BAR = 4 * DIVISION
PIANO, BASS, FLUTE = 0, 33, 73


def notes(*each: tuple[float, float, int], velocity: int = 84) -> tuple[TimedNote, ...]:
    """Notes from quarter to quarter."""
    return tuple(
        TimedNote(round(begin * DIVISION), round(end * DIVISION), key, velocity) for begin, end, key in sorted(each)
    )


def part(
    *each: tuple[float, float, int], program: int = PIANO, channel: int = 1, name: str = "", is_drums: bool = False
) -> NotePart:
    """What one track plays."""
    return NotePart(name=name, channel=channel, program=program, is_drums=is_drums, notes=notes(*each))


def score(
    *parts: NotePart,
    tempos: Sequence[tuple[int, int]] = ((0, 500_000),),
    meters: Sequence[tuple[int, int, int]] = ((0, 4, 4),),
) -> NoteScore:
    """A score; tempos in microseconds per quarter."""
    return NoteScore(
        division=DIVISION,
        tempos=tuple(TempoMark(*each) for each in tempos),
        meters=tuple(MeterMark(*each) for each in meters),
        parts=parts,
    )


def melody(bars: int = 4, *, up: int = 0, program: int = FLUTE) -> NotePart:
    """Quarter notes in A minor."""
    keys = (69, 72, 76, 74, 72, 71, 69, 68)
    return part(
        *((quarter, quarter + 1, keys[quarter % 8] + up) for quarter in range(4 * bars)), program=program, name="tune"
    )


def chords(bars: int = 4) -> NotePart:
    """A minor, F major, C major and E major, for a bar each."""
    triads = ((57, 60, 64), (53, 57, 60), (60, 64, 67), (52, 56, 59))
    return part(*((4 * bar, 4 * bar + 4, key) for bar in range(bars) for key in triads[bar % 4]), channel=2)


def bass(bars: int = 4) -> NotePart:
    """The roots, in half notes."""
    keys = (33, 29, 36, 28)
    return part(*((2 * half, 2 * half + 2, keys[half // 2 % 4]) for half in range(2 * bars)), program=BASS, channel=3)


def drums(bars: int = 4) -> NotePart:
    """A kick on every quarter, and a snare on every second one."""
    hits = [(quarter, quarter + 0.1, 38 if quarter % 2 else 36) for quarter in range(4 * bars)]
    return part(*hits, channel=10, is_drums=True, program=0)
