"""The words of captions. They are data: names and their synonyms are shared, the wordings around them are not."""

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Split = Literal["train", "test"]


class Synonyms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What people call the vocabulary's words; a word that is listed twice is used twice as often."""

    genres: dict[str, tuple[str, ...]]
    moods: dict[str, tuple[str, ...]]
    tempos: dict[str, tuple[str, ...]]
    instruments: dict[str, tuple[str, ...]]


class Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Phrases for each part of a caption, and frames that say which part stands where.

    Attributes:
        tags: how many captions are a list of phrases; `builder`: how many are the prompt builder's own sentence.
    """

    frames: tuple[str, ...]
    tags: float
    builder: float
    open: tuple[str, ...]
    noun: tuple[str, ...]
    slow_noun: tuple[str, ...]
    waltz: tuple[str, ...]
    tempo_phrase: tuple[str, ...]
    bpm: tuple[str, ...]
    mood_phrase: tuple[str, ...]
    key: tuple[str, ...]
    beats3: tuple[str, ...]
    beats4: tuple[str, ...]
    with_: tuple[str, ...] = msgspec.field(name="with")
    list: tuple[str, ...]
    solo: tuple[str, ...]
    choir: tuple[str, ...]
    no_drums: tuple[str, ...]
    no_bass: tuple[str, ...]
    drums: tuple[str, ...]
    bass: tuple[str, ...]
    flourish: tuple[str, ...]


@cache
def synonyms() -> Synonyms:
    return msgspec.json.decode(files("training.music").joinpath("data/synonyms.json").read_bytes(), type=Synonyms)


@cache
def wording(split: Split) -> Wording:
    """The wordings of a split."""
    data = files("training.music").joinpath(f"data/words_{split}.json").read_bytes()
    return msgspec.json.decode(data, type=Wording)
