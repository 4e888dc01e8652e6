"""The genres that people ask for: whose sub-genres they are, and what marks them."""

from functools import cache
from importlib.resources import files

import msgspec

Range = tuple[int, int]


class GenreTraits(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What marks a genre.

    Attributes:
        name: such as "trap".
        parent: the genre of the starter that it belongs to, such as "hip hop"; one of these is its own parent.
        bpm: the usual tempos in quarter notes a minute.
        instruments: those that mark it, the most typical first.
        meter: if it is not 4/4.
        feel: "swing", "half-time", "shuffle", "dembow", "four on the floor", "broken" or none.
        energy: low, medium or high.
        drums: whether drums belong to it.
        mode: if it is usually in this one.
        form: whether it is a form or a dance rather than a style, such as "march": another genre comes before it.
        closed: whether its instruments are an ensemble, and all that plays: a string quartet.
        words: other names.
    """

    name: str
    parent: str
    bpm: Range
    instruments: tuple[str, ...] = ()
    meter: str | None = None
    feel: str | None = None
    energy: str | None = None
    drums: bool = True
    mode: str | None = None
    form: bool = False
    closed: bool = False
    words: tuple[str, ...] = ()


@cache
def load_genres() -> dict[str, GenreTraits]:
    """All genres by name; read once."""
    data = (files("shared.prompt") / "data" / "genres.json").read_bytes()
    return {traits.name: traits for traits in msgspec.json.decode(data, type=list[GenreTraits])}


def genre(name: str) -> GenreTraits:
    """The traits of a genre that a `Reading` names.

    Raises:
        KeyError: if there is no such genre.
    """
    return load_genres()[name]
