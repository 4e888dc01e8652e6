"""The programs, drum keys and channels of General MIDI 2 (RP-024) for the instruments and kits. Numbers are from 0."""

from worker.engine.sampler.instruments import Stream

PROGRAMS: dict[str, int] = {
    "piano": 0, "electric piano": 4, "bells": 14, "marimba": 12, "organ": 16, "harmonica": 22,
    "acoustic guitar": 25, "mandolin": 25, "electric guitar": 27, "distorted guitar": 30,
    "double bass": 32, "bass guitar": 33, "synth bass": 38, "violin": 40, "cello": 42, "harp": 46, "timpani": 47,
    "strings": 48, "choir": 52, "trumpet": 56, "brass": 61, "saxophone": 66, "clarinet": 71, "flute": 73,
    "synthesizer": 81, "pads": 89, "banjo": 105, "fiddle": 110,
}  # fmt: skip

# Bank numbers of variations: General MIDI 2 has the mandolin as a variation of the steel guitar.
BANKS: dict[str, int] = {"mandolin": 16}

DRUM_PROGRAMS: dict[str, int] = {"acoustic": 0, "electronic": 25, "brushes": 40, "hard": 16, "lofi": 32}

# The timpani are missing: they have a pitch, so they are notes of their own program.
DRUM_KEYS: dict[str, int] = {
    "kick": 36, "snare": 38, "clap_or_rim": 37, "closed_hat": 42, "open_hat": 46, "ride": 51, "crash": 49,
    "high_tom": 48, "low_tom": 43, "shaker_or_tambourine": 82, "high_conga": 63, "low_conga": 64,
}  # fmt: skip

# Drums and percussion are on the drum channel, so the percussion's own number is free for the timpani.
TIMPANI_CHANNEL = Stream.PERCUSSION - 1


def pitched_channel(stream: Stream) -> int:
    """The channel of a stream of notes or chords."""
    return stream - 1
