"""Small irregularities, the same whenever the piece is played: a hash of where an event is, not a dice."""

# Samples by which a note may be late, and decibels by which it may be louder or softer.
LATEST = 192
LOUDER = 1.0


def delay(stream: int, step: int) -> int:
    """Samples from 0 to 6 ms: late only, since nobody plays before the code is known."""
    return _hash(stream, step) % (LATEST + 1)


def decibels(stream: int, step: int) -> float:
    """From -1 to 1."""
    return LOUDER * ((_hash(stream + 8, step) % 2001) / 1000 - 1)


def _hash(stream: int, step: int) -> int:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    value = ((step * 16 + stream + 1) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return value ^ value >> 31
