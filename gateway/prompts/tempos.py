"""Typical tempos of genres, for requests in bars that name no tempo."""

from shared.music import DEFAULT_BPM
from shared.prompt.genres import genre as genre_traits
from shared.prompt.reading import Reading

# Quarter notes a minute: the usual tempo of a DAW's templates and of sample libraries. The tempo of other genres is the
# middle of their range.
TYPICAL = {
    "electronic": 124, "techno": 130, "house": 124, "trance": 138, "dubstep": 140, "ambient": 80, "lo-fi hip hop": 82,
    "hip hop": 90, "trap": 140, "drill": 142, "drum and bass": 174, "jungle": 165, "uk garage": 132, "breakbeat": 130,
    "hardstyle": 150, "synthwave": 104, "disco": 118, "pop": 116, "rock": 120, "metal": 140, "punk": 170, "funk": 108,
    "soul": 90, "gospel": 90, "jazz": 120, "swing": 140, "bossa nova": 130, "blues": 90, "reggae": 76, "dub": 72,
    "reggaeton": 94, "latin": 100, "salsa": 180, "afrobeat": 108, "country": 110, "folk": 100, "classical": 100,
    "orchestral": 100, "cinematic": 90,
}  # fmt: skip


def typical_tempo(reading: Reading) -> float:
    """The usual tempo of a prompt's genre, within the range that its words allow; DEFAULT_BPM without either."""
    genre = _of_genre(reading.genre)
    if reading.tempo is None:
        return DEFAULT_BPM if genre is None else genre
    slowest, fastest = map(float, reading.tempo)
    return (slowest + fastest) / 2 if genre is None else min(max(genre, slowest), fastest)


def _of_genre(name: str | None) -> float | None:
    if name is None:
        return None
    slowest, fastest = genre_traits(name).bpm
    return float(TYPICAL.get(name, round((slowest + fastest) / 2)))
