"""Which recorded sounds play the programs and drum keys of General MIDI, by general_midi.json.

A sound that plays `instead` is the nearest one there is. Names are those of General MIDI (RP-003), in plainer words.
"""

import functools
from importlib.resources import files

import msgspec

from worker.engine.sampler.general_midi import DRUM_PROGRAMS


class Program(msgspec.Struct, frozen=True):
    """A program: `played_by` is one of `PATCHES`; None if no sound resembles it."""

    name: str
    played_by: str | None
    instead: bool = False


class DrumKey(msgspec.Struct, frozen=True):
    """A drum: `kit` is one of the percussion, or `drums` for the part's own kit; None if nothing resembles it."""

    name: str
    kit: str | None
    piece: str | None
    instead: bool = False


class GeneralMidi(msgspec.Struct, frozen=True):
    """The table: programs by their number from 0, drums by their key."""

    programs: tuple[Program, ...]
    drum_keys: dict[int, DrumKey]


@functools.cache
def general_midi() -> GeneralMidi:
    """The table in this package."""
    data = files("worker.engine.sampler").joinpath("general_midi.json").read_bytes()
    return msgspec.json.decode(data, type=GeneralMidi, strict=False)


def kit_of(program: int) -> str:
    """The drum kit for a program of the drum channel: the nearest one below it, as General MIDI 2 orders them."""
    numbers = {number: kit for kit, number in DRUM_PROGRAMS.items()}
    return numbers[max(number for number in numbers if number <= program)]
