"""The presets and drum keys that are recorded from the sound font."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """A melodic instrument.

    Attributes:
        program: General MIDI program, from 0.
        lowest: the lowest root, a MIDI key; the others follow every `interval` semitones.
        highest: upper bound of the roots.
        seconds: length of a sample.
        sustained: whether samples are looped; others decay within `seconds`.
        velocities: MIDI velocities of the layers, soft first.
        bank: bank number in the sound font.
        interval: semitones between roots.
        shelf: gain of the high shelf in decibels, see `brighten`.
    """

    program: int
    lowest: int
    highest: int
    seconds: float
    sustained: bool = False
    velocities: tuple[int, ...] = (100,)
    bank: int = 0
    interval: int = 5
    shelf: float = 0.0

    @property
    def roots(self) -> range:
        return range(self.lowest, self.highest + 1, self.interval)


# Two presets share a name if an instrument's lowest keys come from another preset.
PRESETS: dict[str, tuple[Preset, ...]] = {
    "piano": (Preset(0, 24, 94, 4.5, velocities=(64, 108), shelf=3),),
    "electric piano": (Preset(4, 28, 88, 4.0, velocities=(60, 108), shelf=8),),
    "organ": (Preset(16, 28, 88, 2.6, sustained=True, shelf=4),),
    "bells": (Preset(14, 45, 63, 4.0, interval=6, shelf=6), Preset(9, 66, 98, 2.5, shelf=6)),
    "marimba": (Preset(12, 36, 91, 1.6, shelf=6),),
    "acoustic guitar": (Preset(25, 36, 84, 3.5, velocities=(60, 108), shelf=1),),
    "electric guitar": (Preset(27, 36, 84, 3.5, velocities=(60, 108), shelf=6),),
    "distorted guitar": (Preset(30, 28, 84, 3.2, sustained=True, shelf=4),),
    "bass guitar": (Preset(33, 24, 66, 3.0, velocities=(64, 110), shelf=6),),
    "double bass": (Preset(32, 24, 66, 3.0, shelf=5),),
    "banjo": (Preset(105, 43, 84, 2.0, shelf=2),),
    "mandolin": (Preset(25, 48, 88, 2.2, bank=16, shelf=1),),
    "fiddle": (Preset(110, 52, 88, 2.8, sustained=True, velocities=(126,), shelf=2),),
    "violin": (Preset(40, 52, 92, 3.2, sustained=True, velocities=(84,), shelf=3),),
    "cello": (Preset(42, 30, 76, 3.2, sustained=True, shelf=5),),
    "strings": (Preset(48, 28, 90, 3.8, sustained=True, shelf=7),),
    "pizzicato": (Preset(45, 36, 88, 1.2, shelf=7),),
    "harp": (Preset(46, 28, 90, 3.0, shelf=6),),
    "flute": (Preset(73, 55, 91, 2.8, sustained=True, shelf=5),),
    "clarinet": (Preset(71, 46, 88, 2.8, sustained=True, shelf=4),),
    "saxophone": (Preset(66, 42, 80, 2.8, sustained=True, shelf=4),),
    "trumpet": (Preset(56, 50, 86, 2.8, sustained=True, shelf=3),),
    "brass": (Preset(61, 34, 84, 2.8, sustained=True, shelf=5),),
    "harmonica": (Preset(22, 52, 88, 2.8, sustained=True, shelf=1),),
    "choir": (Preset(52, 43, 83, 3.8, sustained=True, shelf=6),),
    "timpani": (Preset(47, 26, 62, 2.6, interval=6),),
}


@dataclass(frozen=True, slots=True)
class Strike:
    """A kit piece.

    Attributes:
        program: the kit, or a melodic preset if `bank` is not 128.
        key: its MIDI key.
        seconds: its maximum length.
        bank: 128 is the bank of the drum kits.
    """

    program: int
    key: int
    seconds: float = 0.8
    bank: int = 128


def _kit(program: int) -> dict[str, Strike]:
    return {
        "kick": Strike(program, 36),
        "snare": Strike(program, 38),
        "clap_or_rim": Strike(program, 37, 0.5),
        "closed_hat": Strike(program, 42, 0.4),
        "open_hat": Strike(program, 46, 1.0),
        "ride": Strike(program, 51, 2.0),
        "crash": Strike(program, 49, 2.8),
    }


# The electronic, hard and lofi drums are in training/bank/recordings.py, vinyl crackle in training/bank/synthesis.py.
# Timpani are a `Preset`.
STRIKES: dict[str, dict[str, Strike]] = {
    "drums/acoustic": _kit(0),
    "drums/brushes": _kit(40),
    "drums/hard": {"clap_or_rim": Strike(16, 39, 0.5), "ride": Strike(16, 51, 2.0)},
    "percussion/percussion": {
        "high_tom": Strike(0, 48), "low_tom": Strike(0, 43, 1.2), "shaker_or_tambourine": Strike(0, 82, 0.4),
        "high_conga": Strike(0, 63), "low_conga": Strike(0, 64),
    },
    "percussion/tambourine": {
        "high_tom": Strike(8, 50), "low_tom": Strike(8, 45, 1.2), "shaker_or_tambourine": Strike(0, 54, 0.6),
        "high_conga": Strike(0, 60), "low_conga": Strike(0, 61),
    },
    "percussion/congas": {
        "high_tom": Strike(0, 65), "low_tom": Strike(0, 66, 1.0), "shaker_or_tambourine": Strike(0, 69, 0.4),
        "high_conga": Strike(0, 63), "low_conga": Strike(0, 64),
    },
    "percussion/timpani": {
        "high_tom": Strike(116, 48, 2.0, bank=8), "low_tom": Strike(116, 38, 2.4, bank=8),
        "shaker_or_tambourine": Strike(0, 54, 0.6),
        "high_conga": Strike(0, 76, 0.4), "low_conga": Strike(0, 77, 0.4),
    },
    "percussion/cinematic": {
        "high_tom": Strike(116, 60, 1.8, bank=0), "low_tom": Strike(116, 48, 2.4, bank=0),
        "shaker_or_tambourine": Strike(0, 82, 0.4),
        "high_conga": Strike(117, 60, 1.2, bank=0), "low_conga": Strike(117, 50, 1.4, bank=0),
    },
    "percussion/electronic": {
        "high_tom": Strike(118, 60, 0.9, bank=8), "low_tom": Strike(118, 50, 1.0, bank=8),
        "shaker_or_tambourine": Strike(25, 70, 0.3),
        "high_conga": Strike(25, 63), "low_conga": Strike(25, 64),
    },
}  # fmt: skip
