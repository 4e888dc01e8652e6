"""Finds out whether a prompt asks for a loop as its result: "4-bar drum loop", not "house with a flute loop"."""

import re

_LENGTH = r"(?:bars?|measures?|seconds?|secs?|minutes?|takte?)"
# The words between must belong to the loop: after "with" it is only a part of the music.
_LOOP = re.compile(
    rf"\b{_LENGTH}(?:[ -](?!with\b|and\b|over\b|plus\b|featuring\b)[\w'’&]+){{0,4}}?[ -]loop\b"
    rf"|\bloops?(?:,| of| lasting)? (?:[\w.]+[ -]){{1,3}}{_LENGTH}\b"
    r"|\b(?:to|must|should|can) loop\b|\bloopable\b"
    r"|\b(?:seamless|endless|perfect)(?:ly)?[ -]loop(?:s|ing|ed)?\b",
    re.IGNORECASE,
)


# These mean the whole also without a length.
_SURE = re.compile(
    r"\bloopable\b|\b(?:must|should|can) loop\b|\b(?:seamless|endless|perfect)(?:ly)?[ -]loop(?:s|ing|ed)?\b",
    re.IGNORECASE,
)


def asks_for_loop(text: str, *, has_length: bool) -> bool:
    """Whether a prompt says that the music as a whole is a loop.

    Without a length, "loop" may as well mean the style, or one instrument's part.
    """
    return _SURE.search(text) is not None or (has_length and _LOOP.search(text) is not None)
