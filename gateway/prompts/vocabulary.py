"""The words a DAW can offer in menus. They are data, `vocabulary.json`; free words stay allowed."""

from importlib.resources import files

import msgspec


class Genre(msgspec.Struct, frozen=True):
    """A genre and the instruments that usually carry it."""

    name: str
    instruments: tuple[str, ...]


class Tempo(msgspec.Struct, frozen=True):
    """A word for a tempo and the beats per minute it stands for, both ends included."""

    name: str
    bpm_min: int
    bpm_max: int


class Vocabulary(msgspec.Struct, frozen=True):
    """Every word that the prompt builder knows by itself."""

    genres: tuple[Genre, ...]
    tempos: tuple[Tempo, ...]
    moods: tuple[str, ...]
    instruments: tuple[str, ...]


VOCABULARY = msgspec.json.decode(files("gateway.prompts").joinpath("vocabulary.json").read_bytes(), type=Vocabulary)
