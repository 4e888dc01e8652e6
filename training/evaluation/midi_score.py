"""Reads a take's MIDI file with pretty_midi, a library that is not ours, and tells who plays in it."""

import io
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pretty_midi
from numpy.typing import NDArray

# The programs of General MIDI 1, from 0, that a person would call so.
PROGRAMS: dict[str, frozenset[int]] = {
    name: frozenset(programs)
    for name, programs in {
        "piano": range(0, 4), "electric piano": (4, 5), "harpsichord": (6,), "bells": (8, 9, 10, 14),
        "vibraphone": (11,), "marimba": (12, 13), "organ": range(16, 21), "accordion": (21, 23), "harmonica": (22,),
        "acoustic guitar": (24, 25), "electric guitar": (26, 27, 28), "distorted guitar": (29, 30),
        "double bass": (32, 43), "bass guitar": range(33, 38), "synth bass": (38, 39), "violin": (40, 110),
        "fiddle": (40, 110), "viola": (41,), "cello": (42,), "strings": (44, 45, 48, 49, 50, 51), "harp": (46,),
        "timpani": (47,), "choir": (52, 53, 54), "trumpet": (56, 59), "trombone": (57,), "tuba": (58,),
        "french horn": (60,), "brass": (56, 57, 58, 60, 61, 62, 63), "saxophone": range(64, 68), "oboe": (68,),
        "bassoon": (70,), "clarinet": (71,), "flute": range(72, 76), "synthesizer": range(80, 88),
        "pads": range(88, 96), "banjo": (105,), "mandolin": (25,),
    }.items()
}  # fmt: skip
BASSES = frozenset(PROGRAMS["double bass"] | PROGRAMS["bass guitar"] | PROGRAMS["synth bass"])
ELECTRONIC_KITS = range(24, 27)
KICKS, SNARES = frozenset({35, 36}), frozenset({37, 38, 39, 40})
# Hand percussion: what General MIDI's drum channel has beyond a drum kit's cymbals.
PERCUSSION = frozenset(range(54, 82)) - {55, 57, 59}
CONGAS = frozenset({62, 63, 64})


@dataclass(frozen=True)
class MidiScore:
    """A MIDI file of one tempo and one meter."""

    file: pretty_midi.PrettyMIDI

    @classmethod
    def read(cls, data: bytes) -> "MidiScore":
        """Read a standard MIDI file."""
        return cls(pretty_midi.PrettyMIDI(io.BytesIO(data)))

    @cached_property
    def tempo(self) -> float:
        return float(self.file.get_tempo_changes()[1][0])

    @cached_property
    def meters(self) -> set[str]:
        return {f"{each.numerator}/{each.denominator}" for each in self.file.time_signature_changes}

    @cached_property
    def keys(self) -> list[tuple[int, bool]]:
        """The declared keys: the tonic's pitch class, and whether it is minor."""
        return [(each.key_number % 12, each.key_number >= 12) for each in self.file.key_signature_changes]

    @cached_property
    def bar(self) -> float:
        """The length of a bar in seconds."""
        beats, unit = map(int, next(iter(self.meters), "4/4").split("/"))
        return 60 / self.tempo * 4 * beats / unit

    @cached_property
    def pitched(self) -> list[pretty_midi.Instrument]:
        return [each for each in self.file.instruments if not each.is_drum and each.notes]

    @cached_property
    def kits(self) -> list[pretty_midi.Instrument]:
        return [each for each in self.file.instruments if each.is_drum and each.notes]

    @cached_property
    def players(self) -> set[str]:
        """Everything that an instrument of the file may be called."""
        return {name for track in (*self.pitched, *self.kits) for name in names_of(track)}

    @property
    def streams(self) -> int:
        """The number of instruments that play."""
        return len(self.pitched) + len(self.kits)

    @property
    def has_bass(self) -> bool:
        return any(track.program in BASSES or track.name == "bass" for track in self.pitched)

    def hits(self, pieces: frozenset[int]) -> list[set[int]]:
        """Of each bar in which any drum is hit: the sixteenths at which one of these pieces is."""
        bars: dict[int, set[int]] = defaultdict(set)
        sixteenth = 60 / self.tempo / 4
        for note in (note for kit in self.kits for note in kit.notes):
            step = round(note.start / sixteenth)
            bar, place = divmod(step, max(round(self.bar / sixteenth), 1))
            bars[bar] |= {place} if note.pitch in pieces else set()
        return list(bars.values())

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """How long each pitch class sounds, in seconds."""
        found = np.zeros(12)
        for note in (note for track in self.pitched for note in track.notes):
            found[note.pitch % 12] += note.end - note.start
        return found

    @cached_property
    def heard_key(self) -> tuple[int, bool]:
        """The key that the notes suggest, by the method of Krumhansl and Schmuckler."""
        fits = {
            (tonic, minor): np.corrcoef(np.roll(profile, tonic), self.weights)[0, 1]
            for minor, profile in ((False, MAJOR), (True, MINOR))
            for tonic in range(12)
        }
        return max(fits, key=lambda key: fits[key])


# The probe tone ratings of Krumhansl and Kessler 1982, from the tonic.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def names_of(track: pretty_midi.Instrument) -> set[str]:
    """What the player of a track may be called."""
    if not track.is_drum:
        return {name for name, programs in PROGRAMS.items() if track.program in programs}
    pitches = {note.pitch for note in track.notes}
    found = {"drum machine"} if track.program in ELECTRONIC_KITS else set()
    found |= {"percussion"} if pitches & PERCUSSION else set()
    found |= {"congas"} if pitches & CONGAS else set()
    return found | ({"drums"} if pitches - PERCUSSION else set())
