"""Tells why the words of a prompt are ignored."""

from functools import cache
from importlib.resources import files

import msgspec

from shared.prompt.phrases import Phrase
from shared.prompt.tokens import UNSPACED

# Claims that count only with a section.
OF_SECTIONS = ("part bars", "bar", "moment")
# The last letter of Latin scripts, apart from those of rare languages.
_LAST_LATIN = "\u024f"


@cache
def load_reasons() -> dict[str, str]:
    """Sentences by the kind of reason; read once."""
    return msgspec.json.decode((files("shared.prompt") / "data" / "reasons.json").read_bytes(), type=dict[str, str])


def why_ignored(phrase: Phrase) -> str:
    """Why a phrase that means nothing to the music is ignored, in plain words."""
    return load_reasons()[_kind(phrase)]


def _kind(phrase: Phrase) -> str:
    if phrase.why is not None:
        return phrase.why
    if phrase.claim is not None:
        return phrase.claim.why or ("section" if phrase.claim.kind in OF_SECTIONS else "second")
    sense = phrase.sense
    if sense is None:
        return "name" if phrase.is_name else _kind_of_unknown("".join(phrase.words))
    if sense.why is not None:
        return sense.why
    if phrase.at_times:
        return "while"
    if sense.at is not None or sense.cue == "at times":
        return "section"
    if sense.cue in ("solo", "loop"):
        return sense.cue
    if sense.genre is not None:
        return "genre"
    return "piece" if sense.piece else "unknown"


def _kind_of_unknown(word: str) -> str:
    if any(character.isdigit() for character in word):
        return "number"
    letters = [character for character in word if character.isalpha()]
    if not letters:
        return "symbol"
    is_read = all(letter <= _LAST_LATIN or UNSPACED.match(letter) for letter in letters)
    return "unknown" if is_read else "script"
