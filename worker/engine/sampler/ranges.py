"""The sounding ranges of instruments, in MIDI keys: S. Adler, The Study of Orchestration, 4th ed. (2016), appendix A.

Instruments without a range of their own, such as the synthesizer, have that of the piano.
"""

WHOLE = (21, 108)
RANGES: dict[str, tuple[int, int]] = {
    "electric piano": (28, 103), "organ": (36, 96), "bells": (60, 108), "marimba": (45, 96),
    "bass guitar": (28, 67), "synth bass": (24, 72), "double bass": (28, 67), "cello": (36, 81), "violin": (55, 103),
    "fiddle": (55, 96), "strings": (28, 103), "harp": (24, 103), "choir": (41, 84),
    "acoustic guitar": (40, 88), "electric guitar": (40, 88), "distorted guitar": (40, 88), "banjo": (48, 88),
    "mandolin": (55, 93), "flute": (60, 98), "clarinet": (50, 94), "saxophone": (44, 80), "trumpet": (52, 86),
    "brass": (34, 86), "harmonica": (48, 96), "timpani": (38, 60),
}  # fmt: skip


def range_of(sound: str) -> tuple[int, int]:
    """The lowest and the highest key of an instrument."""
    return RANGES.get(sound, WHOLE)


def fold(key: int, lowest: int, highest: int) -> int:
    """A key, moved by octaves into a range of at least an octave."""
    while key < lowest:
        key += 12
    while key > highest:
        key -= 12
    return key
