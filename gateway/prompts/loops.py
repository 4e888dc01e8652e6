"""Finds out whether a prompt asks for a loop as its result: "4-bar drum loop", not "house with a flute loop"."""

import re

from shared.prompt.reading import Reading

_LENGTH = r"(?:bars?|measures?|seconds?|secs?|minutes?|takte?)"
# The words between must belong to the loop: after "with" it is only a part of the music.
_LOOP = re.compile(
    rf"\b{_LENGTH}(?:[ -](?!with\b|and\b|over\b|plus\b|featuring\b)[\w'’&]+){{0,4}}?[ -]loop\b"
    rf"|\bloops?(?:,| of| lasting)? (?:[\w.]+[ -]){{1,3}}{_LENGTH}\b"
    r"|\b(?:to|must|should|can) loop\b|\bloopable\b"
    r"|\b(?:seamless|endless|perfect)(?:ly)?[ -]loop(?:s|ing|ed)?\b",
    re.IGNORECASE,
)


def asks_for_loop(prompt: str, reading: Reading) -> bool:
    """Whether the prompt states a length, and that the music of this length is a loop.

    Without a length it may as well mean the style, or one instrument's part, so only the request's field decides.
    """
    return (reading.bars is not None or reading.seconds is not None) and _LOOP.search(prompt) is not None
