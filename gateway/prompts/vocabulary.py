"""The words that a DAW can offer in menus, from `vocabulary.json`. Prompts may use other words."""

from importlib.resources import files

import msgspec


class Genre(msgspec.Struct, frozen=True):
    """A genre and its typical instruments."""

    name: str
    instruments: tuple[str, ...]


class Tempo(msgspec.Struct, frozen=True):
    """A tempo word and its range of beats per minute, inclusive."""

    name: str
    bpm_min: int
    bpm_max: int


class Vocabulary(msgspec.Struct, frozen=True):
    """All words that the prompt builder offers."""

    genres: tuple[Genre, ...]
    tempos: tuple[Tempo, ...]
    moods: tuple[str, ...]
    instruments: tuple[str, ...]


VOCABULARY = msgspec.json.decode(files("gateway.prompts").joinpath("vocabulary.json").read_bytes(), type=Vocabulary)
