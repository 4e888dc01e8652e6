"""Builds a prompt sentence from the fields of a form."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.decoding import format_number
from shared.music import Bars, Bpm, bar_quarters, parse_key
from shared.text import is_visible, without_bidi_controls

Words = Annotated[str, Meta(max_length=100)]
KeyName = Annotated[
    str,
    Meta(
        max_length=20,
        description="Key: A minor, F# major, or short: Am, F#m, Bb",
        examples=["A minor", "F#m", "Bb"],
    ),
]
Meter = Annotated[
    str,
    Meta(
        max_length=20,
        description="Meter; the starter plays 3/4, 4/4, 5/4, 6/8, 7/8 and 12/8",
        examples=["4/4", "6/8"],
        extra_json_schema={"pattern": r"^[1-9][0-9]?/[0-9]{1,2}$"},
    ),
]

_BPM = re.compile(r"^(?:at\s+)?(\d{2,3}(?:\.\d+)?)(?:\s*bpm)?$", re.IGNORECASE)
_STYLE_OPENING = re.compile(r"^(similar to|in the style of|in the manner of|inspired by|like|reminiscent of)\b", re.I)


class PromptComponents(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The fields of the prompt builder. Empty texts and lists count as not given.

    `bpm`, `key` and `meter` become words of the prompt. In POST /api/v1/generate they, `bars` and `loop` also count as
    the request's own fields of these names.
    """

    genre: Words | None = None
    tempo: Words | None = None
    mood: Words | None = None
    instruments: Annotated[tuple[Words, ...], Meta(max_length=16)] | None = None
    artist_style: Words | None = None
    custom_text: Annotated[str, Meta(max_length=300)] | None = None
    bars: Annotated[Bars, Meta(description="Whole bars; no part of the sentence")] | None = None
    bpm: Annotated[Bpm, Meta(description="Quarter notes per minute")] | None = None
    meter: Meter | None = None
    key: KeyName | None = None
    loop: Annotated[bool, Meta(description="The end continues at the start; no part of the sentence")] | None = None


class ComponentError(ValueError):
    """A field of the components is wrong, or all are blank: then `field` is empty."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class BuiltPrompt(msgspec.Struct, frozen=True):
    """The sentence, and its parts by field in the order of the sentence."""

    structured_prompt: str
    components: dict[str, str]


def build_prompt(components: PromptComponents) -> BuiltPrompt:
    """Phrase every given field and join the parts with commas.

    Raises:
        ComponentError: if no field has a word, or one is wrong.
    """
    parts = {
        "genre": _with_noun(_clean(components.genre), "music"),
        **_tempo_parts(_clean(components.tempo), components.bpm),
        "key": f"in {_long_key(components.key)}" if components.key is not None else "",
        "meter": f"in {_checked_meter(components.meter)}" if components.meter is not None else "",
        "mood": _with_noun(_clean(components.mood), "mood"),
        "instruments": _instruments(components.instruments or ()),
        "artist_style": _style(_clean(components.artist_style)),
        "custom_text": _clean(components.custom_text),
    }
    given = {name: part for name, part in parts.items() if part}
    if not given:
        raise ComponentError("", f"Give at least one of {', '.join(parts)}.")
    return BuiltPrompt(", ".join(given.values()), given)


def _clean(text: str | None) -> str:
    """One line without bidirectional controls; empty if only commas are visible."""
    words = " ".join(without_bidi_controls(text or "").split()).strip(" ,")
    return words if is_visible(words.replace(",", "")) else ""


def _with_noun(text: str, noun: str) -> str:
    """`electronic` → `electronic music`, unless the text ends with the noun."""
    return text if not text or text.lower().split()[-1] == noun else f"{text} {noun}"


def _tempo_parts(text: str, bpm: float | None) -> dict[str, str]:
    """The parts `tempo` and `bpm`. A number in `tempo` is not repeated: it must be `bpm` if both are given."""
    match = _BPM.match(text)
    if match is None:
        return {"tempo": _with_noun(text, "tempo"), "bpm": "" if bpm is None else f"at {format_number(bpm)} BPM"}
    if bpm is not None and float(match[1]) != bpm:
        raise ComponentError("bpm", f"The tempo is {match[1]} BPM, but bpm is {format_number(bpm)}: give one of them.")
    return {"tempo": f"at {match[1]} BPM", "bpm": ""}


def _long_key(text: str) -> str:
    try:
        return parse_key(text).name
    except ValueError as error:
        raise ComponentError("key", str(error)) from error


def _checked_meter(text: str) -> str:
    try:
        bar_quarters(text)
    except ValueError as error:
        raise ComponentError("meter", str(error)) from error
    return text


def _instruments(names: tuple[str, ...]) -> str:
    """`featuring piano, bass and drums`, each instrument once."""
    words = list(dict.fromkeys(name for name in map(_clean, names) if name))
    if not words:
        return ""
    *others, last = words
    return f"featuring {', '.join(others)} and {last}" if others else f"featuring {last}"


def _style(text: str) -> str:
    return text if not text or _STYLE_OPENING.match(text) else f"in the style of {text}"
