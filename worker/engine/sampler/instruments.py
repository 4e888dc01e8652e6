"""The instruments and kits of each stream. Names are words of gateway/prompts/vocabulary.json; indices are codes.

Trained models depend on the lists: their order must not change.
"""

from enum import IntEnum


class Stream(IntEnum):
    """A stream of the score. Each is one codebook."""

    CONDUCTOR = 0
    BASS = 1
    CHORDS = 2
    PAD = 3
    ARPEGGIO = 4
    LEAD = 5
    DRUMS = 6
    PERCUSSION = 7


NOTE_STREAMS = (Stream.BASS, Stream.ARPEGGIO, Stream.LEAD)
CHORD_STREAMS = (Stream.CHORDS, Stream.PAD)
HIT_STREAMS = (Stream.DRUMS, Stream.PERCUSSION)

INSTRUMENTS: dict[Stream, tuple[str, ...]] = {
    Stream.BASS: (
        "bass guitar", "synth bass", "double bass", "cello", "timpani", "piano",
        "electric piano", "organ", "strings", "brass", "distorted guitar",
    ),
    Stream.CHORDS: (
        "piano", "electric piano", "organ", "synthesizer", "acoustic guitar", "electric guitar", "distorted guitar",
        "banjo", "mandolin", "harp", "marimba", "bells", "brass", "strings",
    ),
    Stream.PAD: (
        "pads", "strings", "choir", "organ", "synthesizer", "brass", "cello",
        "violin", "flute", "clarinet", "saxophone", "electric piano", "piano", "harp",
    ),
    Stream.ARPEGGIO: (
        "piano", "electric piano", "synthesizer", "bells", "marimba", "acoustic guitar",
        "electric guitar", "banjo", "mandolin", "harp", "strings",
    ),
    Stream.LEAD: (
        "piano", "violin", "fiddle", "flute", "clarinet", "saxophone",
        "trumpet", "harmonica", "synthesizer", "electric guitar", "distorted guitar",
    ),
}  # fmt: skip

# The vocabulary calls the electronic kit "drum machine", and all other drum kits "drums".
KITS: dict[Stream, tuple[str, ...]] = {
    Stream.DRUMS: ("acoustic", "electronic", "brushes", "hard", "lofi"),
    Stream.PERCUSSION: ("percussion", "tambourine", "congas", "timpani", "cinematic", "electronic", "vinyl crackle"),
}

# The instruments or kits of every stream but the conductor's, in the streams' order.
PLAYERS: dict[Stream, tuple[str, ...]] = {stream: {**INSTRUMENTS, **KITS}[stream] for stream in list(Stream)[1:]}

# The kit pieces, lowest bit first. In "tambourine" the shaker is a tambourine; in "timpani" and "cinematic" the toms
# are big drums.
PIECES: dict[Stream, tuple[str, ...]] = {
    Stream.DRUMS: ("kick", "snare", "clap_or_rim", "closed_hat", "open_hat", "ride", "crash"),
    Stream.PERCUSSION: ("high_tom", "low_tom", "shaker_or_tambourine", "high_conga", "low_conga", "timpani"),
}

CRACKLE = "vinyl crackle"
