"""Finds the words of a prompt that a count-in can declare: instruments, moods, and whether there is an intro.

Only exact words count. What the prompt refuses ("no piano", "without strings or brass") does not.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from worker.engine.sampler.instruments import KITS, PLAYERS, Stream
from worker.engine.sampler.score import MOODS

B, C, P, A, L, D, R = list(Stream)[1:]

_BASSES = ("bass guitar", "synth bass", "double bass")
# The streams of each instrument, the most fitting first. A word of several instruments means any one of them.
SEATS: dict[str, tuple[Stream, ...]] = {
    "piano": (C, L, A, P, B),
    "electric piano": (C, A, P, B),
    "organ": (P, C, B),
    "synthesizer": (L, A, C, P),
    "pads": (P,),
    "bells": (A, C),
    "marimba": (A, C),
    "acoustic guitar": (C, A),
    "electric guitar": (C, L, A),
    "distorted guitar": (C, L, B),
    "banjo": (A, C),
    "mandolin": (A, C),
    "harp": (A, C, P),
    "cello": (B, P),
    "strings": (P, A, C, B),
    "brass": (C, P, B),
    "choir": (P,),
    **dict.fromkeys(("violin", "flute", "clarinet", "saxophone"), (L, P)),
    **dict.fromkeys(("fiddle", "trumpet", "harmonica"), (L,)),
    **dict.fromkeys(_BASSES, (B,)),
    **dict.fromkeys(("drums", "drum machine"), (D,)),
    **dict.fromkeys(("percussion", "congas", "vinyl crackle"), (R,)),
    "timpani": (R, B),
}
# The kits of each word; other words are the name of their kit.
_KITS = {
    "drums": tuple(kit for kit in KITS[D] if kit != "electronic"),
    "drum machine": ("electronic",),
    "percussion": ("percussion", "tambourine", "cinematic", "electronic"),
}
_BEATS = ("drums", "drum machine", "percussion", "congas")
_SYNONYMS = {
    "drum kit": "drums", "electronic drums": "drum machine", "kettle drums": "timpani", "steel drums": None,
    "drum and bass": None, "drum & bass": None, "drum n bass": None, "drum'n'bass": None, "bass drum": None,
    "bass synth": "synth bass", "electric bass": "bass guitar", "upright bass": "double bass",
    "contrabass": "double bass", "rhodes": "electric piano", "synth": "synthesizer", "synth pads": "pads",
    "string section": "strings", "sax": "saxophone", "horns": "brass", "horn section": "brass",
}  # fmt: skip
_NAMES: dict[str, str | None] = {**{name: name for name in SEATS}, **_SYNONYMS}
_NAME = re.compile(rf"\b({'|'.join(sorted(_NAMES, key=len, reverse=True))})(?:s|es)?\b")
_MOOD = re.compile(rf"\b({'|'.join(MOODS)})\b(?! tempo)")
# The scope of a refusal: to the next comma, or through a list whose last item follows "or".
_REFUSED = re.compile(
    r"\b(?:no|not|never|don['’]t|without|minus|except)\b"
    r"(?:(?!\b(?:but|with|featuring)\b)[^.;:!?()])*?(?:(?=[,.;:!?()]|\b(?:but|with|featuring)\b|$))"
    r"(?:(?:,[^,.;:!?()]*)*\b(?:or|nor)\b[^,.;:!?()]*)?"
)
_INTRO = re.compile(r"\b(?:intro|introduction)s?\b")
_OUTRO = re.compile(r"\b(?:outros?|endings?|fad(?:e|es|ing)(?:[ -]?outs?)?)\b")


class Words(NamedTuple):
    """The words of a prompt.

    Attributes:
        players: the instruments or kits of which each stream must have one.
        left_out: names that found no free stream.
        moods: of which the piece has one; empty if the prompt names none.
        intro: whether it asks for an intro.
        outro: whether it asks for an ending.
    """

    players: Mapping[Stream, tuple[str, ...]] = {}
    left_out: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    intro: bool = False
    outro: bool = False


def read_words(prompt: str, *, no_drums: bool = False) -> Words:
    """Read a prompt; with `no_drums` all drums are refused."""
    text = re.sub(r"\s+", " ", prompt.lower())
    refused = [match.span() for match in _REFUSED.finditer(text)]

    def found(pattern: re.Pattern[str]) -> list[str]:
        matches = (match for match in pattern.finditer(text))
        wanted = [match for match in matches if not any(start <= match.start() < end for start, end in refused)]
        return [match[1] if match.re.groups else match[0] for match in wanted]

    names = dict.fromkeys(name for word in found(_NAME) if (name := _NAMES[word]))
    players, left_out = _seat([name for name in names if not (no_drums and name in _BEATS)])
    return Words(players, left_out, tuple(dict.fromkeys(found(_MOOD))), bool(found(_INTRO)), bool(found(_OUTRO)))


def _seat(names: list[str]) -> tuple[dict[Stream, tuple[str, ...]], tuple[str, ...]]:
    """Give each name a stream of its own, the least flexible first."""
    seated: dict[Stream, tuple[str, ...]] = {}
    left_out = []
    for name in sorted(names, key=lambda name: len(SEATS[name])):
        stream = next((seat for seat in SEATS[name] if seat not in seated), None)
        if stream is None:
            left_out.append(name)
        else:
            seated[stream] = _KITS.get(name, (name,)) if stream in KITS else (name,)
    assert all(set(names) <= set(PLAYERS[stream]) for stream, names in seated.items())
    return seated, tuple(left_out)
