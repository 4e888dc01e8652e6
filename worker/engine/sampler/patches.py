"""The mix: level, pan, release and voicing of each instrument, levels and reverb sends of the streams."""

from dataclasses import dataclass

from worker.engine.sampler.instruments import Stream


@dataclass(frozen=True, slots=True)
class Patch:
    """How an instrument is played in a stream.

    Attributes:
        sound: its name in the bank.
        decibels: its gain.
        pan: -1 is left, 1 is right.
        release: seconds until a released note has fallen by 60 dB.
        strum: seconds from one note of a chord to the next.
        centre: the MIDI key that chords are voiced around.
        spread: stereo width of a chord; 1 is from left to right.
        double: pan of the two takes that play a chord or an arpeggio, one on each side; 0 if one take plays it.
        glides: whether a note that follows soon glides from the pitch of the note before.
    """

    sound: str
    decibels: float = 0.0
    pan: float = 0.0
    release: float = 0.3
    strum: float = 0.0
    centre: float = 60.0
    spread: float = 0.3
    double: float = 0.0
    glides: bool = False


PATCHES: dict[str, Patch] = {
    "piano": Patch("piano", 1.0, -0.15, 0.35, centre=62, spread=0.5),
    "electric piano": Patch("electric piano", 0.0, 0.2, 0.3, centre=61, spread=0.5, double=0.6),
    "organ": Patch("organ", -3.0, 0.2, 0.15, centre=62, double=0.6),
    "synthesizer": Patch("synthesizer", -1.5, 0.1, 0.25, centre=62, spread=0.6, double=0.8),
    "synth bass": Patch("synth bass", -9.5, release=0.12, glides=True),
    "pads": Patch("pads", -1.0, release=1.2, centre=61, spread=0.9, double=0.9),
    "bells": Patch("bells", 1.0, 0.3, 1.2, centre=74, spread=0.6),
    "marimba": Patch("marimba", 2.0, 0.3, 0.5, centre=64, spread=0.5),
    "acoustic guitar": Patch("acoustic guitar", 1.5, -0.35, 0.25, 0.011, centre=57, spread=0.3, double=0.75),
    "electric guitar": Patch("electric guitar", 0.0, 0.35, 0.25, 0.009, centre=57, spread=0.3, double=0.8),
    "distorted guitar": Patch("distorted guitar", -3.5, -0.3, 0.15, 0.004, centre=50, spread=0.7, double=0.95),
    "bass guitar": Patch("bass guitar", 0.0, release=0.15),
    "double bass": Patch("double bass", 0.0, 0.05, 0.25),
    "banjo": Patch("banjo", 1.5, 0.35, 0.2, 0.010, centre=62, double=0.4),
    "mandolin": Patch("mandolin", 0.5, 0.35, 0.2, 0.008, centre=67, double=0.5),
    "fiddle": Patch("fiddle", -2.0, -0.15, 0.18, centre=67),
    "violin": Patch("violin", -2.0, -0.2, 0.25, centre=67, double=0.5),
    "cello": Patch("cello", -1.5, 0.25, 0.3, centre=52, double=0.4),
    "strings": Patch("strings", -1.5, release=0.6, centre=60, spread=0.9, double=0.7),
    "pizzicato": Patch("pizzicato", 2.5, -0.2, 0.4, centre=62, spread=0.6),
    "harp": Patch("harp", 1.5, -0.3, 0.9, 0.025, centre=62, spread=0.6, double=0.5),
    "flute": Patch("flute", -2.0, 0.15, 0.2, centre=70),
    "clarinet": Patch("clarinet", -3.5, -0.15, 0.2, centre=64),
    "saxophone": Patch("saxophone", -2.0, 0.1, 0.2, centre=58),
    "trumpet": Patch("trumpet", -3.5, -0.1, 0.2, centre=64),
    "brass": Patch("brass", -2.5, 0.15, 0.25, centre=60, spread=0.6, double=0.6),
    "harmonica": Patch("harmonica", -2.5, 0.1, 0.2, centre=67),
    "choir": Patch("choir", -1.0, release=0.7, centre=62, spread=0.9, double=0.75),
    "timpani": Patch("timpani", 0.0, 0.1, 1.2),
}

# Strings play arpeggios pizzicato.
OTHER_SOUNDS = {("strings", Stream.ARPEGGIO): "pizzicato"}

# Gains of the streams in decibels, and their reverb sends as factors. Instruments and kits of `HALLS` are in a hall,
# all others in a room.
LEVELS: dict[Stream, float] = {
    Stream.BASS: -3.0, Stream.CHORDS: -7.5, Stream.PAD: -10.5, Stream.ARPEGGIO: -4.0,
    Stream.LEAD: 0.0, Stream.DRUMS: -1.0, Stream.PERCUSSION: -5.5,
}  # fmt: skip
SENDS: dict[Stream, float] = {
    Stream.BASS: 0.02, Stream.CHORDS: 0.16, Stream.PAD: 0.30, Stream.ARPEGGIO: 0.24,
    Stream.LEAD: 0.24, Stream.DRUMS: 0.07, Stream.PERCUSSION: 0.16,
}  # fmt: skip

HALLS = frozenset({
    "strings", "pizzicato", "brass", "choir", "violin", "cello", "flute", "clarinet", "trumpet", "harp", "timpani",
    "pads", "bells", "cinematic",
})  # fmt: skip

# How much the highs of acoustic instruments are raised, see `Air`: their recordings end early.
AIR: dict[str, float] = {
    **dict.fromkeys((
        "strings", "violin", "cello", "brass", "trumpet", "flute", "clarinet", "choir", "harp", "timpani",
    ), 3.0),
    **dict.fromkeys((
        "piano", "electric piano", "acoustic guitar", "banjo", "mandolin", "fiddle", "saxophone", "harmonica",
        "double bass", "pads",
    ), 1.5),
}  # fmt: skip

# Level of the first echo, which comes in the tempo of the piece.
ECHOES: dict[tuple[str, Stream], float] = {
    ("synthesizer", Stream.LEAD): 0.3, ("synthesizer", Stream.ARPEGGIO): 0.35,
    ("electric guitar", Stream.LEAD): 0.2, ("electric guitar", Stream.ARPEGGIO): 0.25,
    ("distorted guitar", Stream.LEAD): 0.2, ("bells", Stream.ARPEGGIO): 0.3, ("electric piano", Stream.ARPEGGIO): 0.25,
}  # fmt: skip

# The share by which a kick of the electronic drums lowers a stream.
DUCKS: dict[Stream, float] = {
    Stream.BASS: 0.5, Stream.CHORDS: 0.4, Stream.PAD: 0.65, Stream.ARPEGGIO: 0.25,
    Stream.LEAD: 0.0, Stream.DRUMS: 0.0, Stream.PERCUSSION: 0.0,
}  # fmt: skip

# Level of the early reflections that widen a stream; see `Widener`.
WIDTHS: dict[Stream, float] = {
    Stream.BASS: 0.0, Stream.CHORDS: 0.45, Stream.PAD: 0.5, Stream.ARPEGGIO: 0.5,
    Stream.LEAD: 0.4, Stream.DRUMS: 0.55, Stream.PERCUSSION: 0.5,
}  # fmt: skip

# Gains in decibels and pans of the kit pieces, from the audience's side.
PIECE_LEVELS: dict[str, float] = {
    "kick": 0.0, "snare": -2.0, "clap_or_rim": -4.0, "closed_hat": -11.0, "open_hat": -11.0, "ride": -12.0,
    "crash": -8.0, "high_tom": -3.0, "low_tom": -2.0, "shaker_or_tambourine": -9.0, "high_conga": -5.0,
    "low_conga": -4.0, "timpani": 6.0, "crackle": 0.0,
}  # fmt: skip
PIECE_PANS: dict[str, float] = {
    "snare": 0.05, "clap_or_rim": -0.1, "closed_hat": 0.3, "open_hat": 0.3, "ride": -0.35, "crash": -0.4,
    "high_tom": 0.25, "low_tom": -0.3, "shaker_or_tambourine": -0.45, "high_conga": 0.4, "low_conga": 0.2,
    "timpani": -0.15,
}  # fmt: skip

# The key of the timpani in C. Those of the percussion play the tonic.
TIMPANI_LOWEST = 36

# Gains in decibels of single pieces of a kit, and of whole kits.
KIT_PIECE_LEVELS: dict[tuple[str, str], float] = {
    ("electronic", "kick"): -7.5, ("electronic", "closed_hat"): -2.0, ("electronic", "open_hat"): -2.0,
}  # fmt: skip
KIT_LEVELS: dict[str, float] = {"electronic": -4.0, "hard": -1.5, "lofi": -3.5}

VELOCITY_DECIBELS = (-7.0, -3.0, 0.0, -11.0, -5.0, 2.0)
VELOCITY_LAYERS = (0, 1, 1, 0, 0, 1)
CHORD_DECIBELS = (-5.0, -1.0, -9.0, 1.5)
CHORD_LAYERS = (0, 1, 0, 1)


def patch_of(instrument: str, stream: Stream) -> Patch:
    """The patch of an instrument in a stream."""
    return PATCHES[OTHER_SOUNDS.get((instrument, stream), instrument)]


def gain(decibels: float) -> float:
    """Convert decibels to an amplitude factor."""
    return float(10 ** (decibels / 20))
