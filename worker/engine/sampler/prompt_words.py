"""Finds the words of a prompt that a count-in can declare: instruments, moods, and whether there is an intro.

Only exact words count. What the prompt refuses ("no piano", "without strings or brass") does not.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from worker.engine.sampler.instruments import KITS, Stream
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
    **dict.fromkeys((*_BASSES, "bass"), (B,)),
    **dict.fromkeys(("drums", "drum machine"), (D,)),
    **dict.fromkeys(("percussion", "congas", "vinyl crackle"), (R,)),
    "timpani": (R, B),
}
# The instruments or kits of a word that means any of several.
_ANY = {
    "bass": _BASSES,
    "drums": tuple(kit for kit in KITS[D] if kit != "electronic"),
    "drum machine": ("electronic",),
    "percussion": ("percussion", "tambourine", "cinematic", "electronic"),
}
_BEATS = ("drums", "drum machine", "percussion", "congas")
# Those of the training's captions, and words in which a name means something else.
_SYNONYMS = {
    "chimes": "bells", "rhodes": "electric piano", "synth": "synthesizer", "bass synth": "synth bass",
    "overdriven guitar": "distorted guitar", "heavy guitar": "distorted guitar", "electric bass": "bass guitar",
    "upright bass": "double bass", "contrabass": "double bass", "string section": "strings",
    "string ensemble": "strings", "string orchestra": "strings", "sax": "saxophone", "horns": "brass",
    "horn section": "brass", "choral voices": "choir", "drum kit": "drums", "electronic drums": "drum machine",
    "programmed drums": "drum machine", "conga drums": "congas", "kettle drums": "timpani", "synth pad": "pads",
    "pad": "pads", "vinyl noise": "vinyl crackle", "record crackle": "vinyl crackle", "steel drums": None,
    "bass drum": None, "bass clarinet": None,
    "drum and bass": None, "drum & bass": None, "drum n bass": None, "drum'n'bass": None,
}  # fmt: skip
_NAMES: dict[str, str | None] = {**{name: name for name in SEATS}, **_SYNONYMS}
_NAME = re.compile(rf"\b({'|'.join(sorted(_NAMES, key=len, reverse=True))})(?:s|es)?\b")
_MOOD = re.compile(rf"\b({'|'.join(MOODS)})\b(?![ -](?:tempo|pace))")
_BASS = re.compile(r"\bbass(?:line|es)?\b")
_ENDS = r"\b(?:but|(?<!not )(?<!nothing )with|featuring|other than|only)\b"
# The scope of a refusal: to the next comma, or through a list whose last item follows "or".
_REFUSED = re.compile(
    r"\b(?:no|not|never|don['’]t|nothing(?= with)|nobody(?! but)|without|minus|(?<!nothing )except|zero|omit|skip"
    rf"|leave|exclude|remove|take out|keep|free of)\b(?:(?!{_ENDS})[^.;:!?()])*?(?=[,.;:!?()]|{_ENDS}|$)"
    r"(?:(?:,[^,.;:!?()]*)*\b(?:or|nor)\b[^,.;:!?()]*)?"
)
# What refuses a name that comes before it in the same clause.
_LEFT_OUT = re.compile(
    rf"(?:(?!{_ENDS})[^,.;!?()])*?\b(?:left out|excluded|removed|absent|silent|not|never|none|off|omitted)\b|-free\b"
)
_INTRO = re.compile(r"\b(?:intro|introduction)s?\b")
_OUTRO = re.compile(r"\b(?:outros?|endings?|fad(?:e|es|ing)(?:[ -]?outs?)?)\b")


class Words(NamedTuple):
    """The words of a prompt.

    Attributes:
        players: the instruments or kits of which each stream has one at a time.
        shared: the names that share a stream, for each stream that is shared.
        moods: of which the piece has one; empty if the prompt names none.
        intro: whether it asks for an intro.
        outro: whether it asks for an ending.
    """

    players: Mapping[Stream, tuple[str, ...]] = {}
    shared: tuple[tuple[str, ...], ...] = ()
    moods: tuple[str, ...] = ()
    intro: bool = False
    outro: bool = False


def read_words(prompt: str, *, no_drums: bool = False) -> Words:
    """Read a prompt; with `no_drums` all drums are refused."""
    text = _Text(prompt)
    names = dict.fromkeys(name for word in text.wanted(_NAME) if (name := _NAMES[word]))
    no_bass = len(text.wanted(_BASS)) < len(_BASS.findall(text.words))
    unwanted = {*(_BEATS if no_drums else ()), *(("bass",) if set(_BASSES) & set(names) else ())}
    seated = _seat([name for name in names if name not in unwanted], no_bass=no_bass)
    return Words(
        {stream: tuple(dict.fromkeys(_players(names))) for stream, names in seated.items()},
        tuple(tuple(names) for names in seated.values() if len(names) > 1),
        tuple(dict.fromkeys(text.wanted(_MOOD))),
        intro=bool(text.wanted(_INTRO)),
        outro=bool(text.wanted(_OUTRO)),
    )


class _Text:
    """A prompt and the places where it refuses something."""

    def __init__(self, prompt: str) -> None:
        self.words = re.sub(r"\s+", " ", prompt.lower())
        self._refused = [match.span() for match in _REFUSED.finditer(self.words)]

    def wanted(self, pattern: re.Pattern[str]) -> list[str]:
        """The matches of a pattern, or of its group, that are not refused."""
        matches = pattern.finditer(self.words)
        return [match[pattern.groups] for match in matches if not self._is_refused(match)]

    def _is_refused(self, match: re.Match[str]) -> bool:
        if any(start <= match.start() < end for start, end in self._refused):
            return True
        return _LEFT_OUT.match(self.words, match.end()) is not None


def _seat(names: list[str], *, no_bass: bool) -> dict[Stream, list[str]]:
    """Give each name a stream of its own if there is one, the least flexible first; else its first one, to share."""
    seated: dict[Stream, list[str]] = {}
    for name in sorted(names, key=lambda name: len(SEATS[name])):
        seats = [seat for seat in SEATS[name] if not (no_bass and seat is B)] or SEATS[name]
        seated.setdefault(next((seat for seat in seats if seat not in seated), seats[0]), []).append(name)
    return seated


def _players(names: list[str]) -> Iterator[str]:
    for name in names:
        yield from _ANY.get(name, (name,))
