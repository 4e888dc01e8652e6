"""Builds a prompt sentence from the fields of a form."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.text import is_visible, without_bidi_controls

Words = Annotated[str, Meta(max_length=100)]

_BPM = re.compile(r"^(?:at\s+)?(\d{2,3}(?:\.\d+)?)(?:\s*bpm)?$", re.IGNORECASE)
_STYLE_OPENING = re.compile(r"^(similar to|in the style of|in the manner of|inspired by|like|reminiscent of)\b", re.I)


class PromptComponents(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The fields of the prompt builder. Empty texts and lists count as not given."""

    genre: Words | None = None
    tempo: Words | None = None
    mood: Words | None = None
    instruments: Annotated[tuple[Words, ...], Meta(max_length=16)] | None = None
    artist_style: Words | None = None
    custom_text: Annotated[str, Meta(max_length=300)] | None = None


class BuiltPrompt(msgspec.Struct, frozen=True):
    """The sentence, and its parts by field in the order of the sentence."""

    structured_prompt: str
    components: dict[str, str]


def build_prompt(components: PromptComponents) -> BuiltPrompt:
    """Phrase every given field and join the parts with commas.

    Raises:
        ValueError: if no field has a word.
    """
    parts = {
        "genre": _with_noun(_clean(components.genre), "music"),
        "tempo": _tempo(_clean(components.tempo)),
        "mood": _with_noun(_clean(components.mood), "mood"),
        "instruments": _instruments(components.instruments or ()),
        "artist_style": _style(_clean(components.artist_style)),
        "custom_text": _clean(components.custom_text),
    }
    given = {name: part for name, part in parts.items() if part}
    if not given:
        raise ValueError(f"Give at least one of {', '.join(parts)}.")
    return BuiltPrompt(", ".join(given.values()), given)


def _clean(text: str | None) -> str:
    """One line without bidirectional controls; empty if only commas are visible."""
    words = " ".join(without_bidi_controls(text or "").split()).strip(" ,")
    return words if is_visible(words.replace(",", "")) else ""


def _with_noun(text: str, noun: str) -> str:
    """`electronic` → `electronic music`, unless the text ends with the noun."""
    return text if not text or text.lower().split()[-1] == noun else f"{text} {noun}"


def _tempo(text: str) -> str:
    match = _BPM.match(text)
    return f"at {match.group(1)} BPM" if match else _with_noun(text, "tempo")


def _instruments(names: tuple[str, ...]) -> str:
    """`featuring piano, bass and drums`, each instrument once."""
    words = list(dict.fromkeys(name for name in map(_clean, names) if name))
    if not words:
        return ""
    *others, last = words
    return f"featuring {', '.join(others)} and {last}" if others else f"featuring {last}"


def _style(text: str) -> str:
    return text if not text or _STYLE_OPENING.match(text) else f"in the style of {text}"
