"""The names of keys, as people spell them."""

import random
import re

_NAMES = {
    0: ("C",),
    1: ("C#", "Db", "C sharp", "D flat"),
    2: ("D",),
    3: ("Eb", "D#", "E flat"),
    4: ("E",),
    5: ("F",),
    6: ("F#", "Gb", "F sharp"),
    7: ("G",),
    8: ("Ab", "G#", "A flat"),
    9: ("A",),
    10: ("Bb", "A#", "B flat"),
    11: ("B",),
}
_PITCHES = {name.lower(): key for key, names in _NAMES.items() for name in names}
_MODES = {False: ("major", "major", "major", "maj"), True: ("minor", "minor", "minor", "min")}
_WRITTEN = re.compile(r"\b([a-g](?:#|b| sharp| flat)?) (maj|min)(?:or)?\b", re.IGNORECASE)


def key_name(key: int, minor: bool, source: random.Random) -> str:
    """`F# minor`, or another way to write it."""
    return f"{source.choice(_NAMES[key])} {source.choice(_MODES[minor])}"


def read_key_name(text: str) -> tuple[int, bool] | None:
    """The first key that a text names: the tonic's pitch class, and whether it is minor."""
    match = _WRITTEN.search(text)
    return (_PITCHES[match[1].lower()], match[2].lower() == "min") if match else None
