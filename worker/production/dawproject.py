"""A session that a DAW opens: tempo, meter, a track for each stem and each part of the score, markers for sections.

The format is DAWproject 1.0: https://github.com/bitwig/dawproject, in Project.xsd, MetaData.xsd and Reference.html. A
beat is a quarter note. The audio is not inside: the session names the files that lie beside it in the same folder.
"""

import io
import zipfile
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from shared.messages import Recipe
from shared.music import DEFAULT_METER, Instrument, Music, bar_quarters
from shared.text import xml_text
from shared.version import SERVICE, VERSION
from worker.production.midi_notes import NoteTrack, read_note_tracks

# The earliest time of a ZIP file, so that the same take gives the same bytes.
NO_TIME = (1980, 1, 1, 0, 0, 0)
DRUM_CHANNEL = 10
DRUM_COLOUR = "#d9423a"
OTHER_COLOUR = "#8a8f98"
# One for each family of eight General MIDI programs, from piano to sound effects.
FAMILY_COLOURS = (
    "#4a90d9", "#7fc8e8", "#5f6fd1", "#e09f3e", "#8e5bd0", "#3fa66b", "#c78540", "#d9b13a",
    "#e8763a", "#b8c04a", "#57b8a5", "#45c4c0", "#a06fe0", "#b0724a", "#c9573f", "#6f7680",
)  # fmt: skip


class AudioTrack(NamedTuple):
    """An audio file of the session, which lies beside it; `gain_db` is to be added to it."""

    name: str
    file: str
    frames: int
    sample_rate: int
    channels: int
    instrument: Instrument | None = None
    gain_db: float = 0.0

    @property
    def seconds(self) -> float:
        return self.frames / self.sample_rate


def make_dawproject(recipe: Recipe, music: Music, audio: Sequence[AudioTrack], midi: bytes | None = None) -> bytes:
    """The content of `session.dawproject`.

    Args:
        recipe: of the job.
        music: with the tempo; without one the session's time is in seconds, and it has no notes.
        audio: at least one file; all have the same length.
        midi: the score.
    """
    notes = read_note_tracks(midi) if midi is not None and music.bpm is not None else []
    project = _Session(recipe, music, audio[0].seconds).build(audio, notes)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, root in (("metadata.xml", _metadata(recipe, music)), ("project.xml", project)):
            info = zipfile.ZipInfo(name, NO_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, tostring(root, encoding="UTF-8", xml_declaration=True))
    return file.getvalue()


class _Session:
    """Builds the project's XML. `seconds` is the length of the audio."""

    def __init__(self, recipe: Recipe, music: Music, seconds: float) -> None:
        self._loops = recipe.loop and music.bars == recipe.bars
        self._music = music
        self._quarters = bar_quarters(music.meter or DEFAULT_METER)
        self._unit = "seconds" if music.bpm is None else "beats"
        self._length = self._beats(seconds)
        if music.bpm is not None and music.bars is not None:
            self._length = float(music.bars * self._quarters)  # on the grid, which the samples only round to
        self._root = Element("Project", version="1.0")

    def build(self, audio: Sequence[AudioTrack], notes: Sequence[NoteTrack]) -> Element:
        SubElement(self._root, "Application", name=SERVICE, version=VERSION)
        self._add_transport()
        self._structure = SubElement(self._root, "Structure")
        arrangement = SubElement(self._root, "Arrangement", id="arrangement")
        self._lanes = SubElement(arrangement, "Lanes", id="lanes", timeUnit=self._unit)
        for number, each in enumerate(audio, 1):
            self._add_audio(f"audio{number}", each)
        for number, track in enumerate(notes, 1):
            self._add_notes(f"notes{number}", track)
        _add_track(self._structure, "master", "Master", "audio notes", OTHER_COLOUR)
        self._add_markers(arrangement)
        SubElement(self._root, "Scenes")
        return self._root

    def _add_transport(self) -> None:
        if self._music.bpm is None:
            return
        transport = SubElement(self._root, "Transport")
        tempo = {"unit": "bpm", "min": "20", "max": "666", "value": _number(self._music.bpm)}
        SubElement(transport, "Tempo", tempo, id="tempo", name="Tempo")
        beats, unit = (self._music.meter or DEFAULT_METER).split("/")
        SubElement(transport, "TimeSignature", id="meter", numerator=beats, denominator=unit)

    def _add_audio(self, identity: str, track: AudioTrack) -> None:
        _add_track(self._structure, identity, track.name, "audio", _colour(track.instrument), track.gain_db)
        # Two levels of clips, as Bitwig Studio writes them: some programs read audio only so, and notes only in one.
        events = SubElement(self._add_clip(identity, track.name), "Clips", id=f"{identity}-events")
        event = SubElement(events, "Clip", self._extent())
        file = {
            "channels": str(track.channels),
            "sampleRate": str(track.sample_rate),
            "duration": _number(track.seconds),
        }
        if self._unit == "beats":
            # Stretched with the session's tempo, from the first beat to the last.
            event = SubElement(event, "Warps", contentTimeUnit="seconds", timeUnit="beats")
            file["algorithm"] = "stretch"
        SubElement(SubElement(event, "Audio", file, timeUnit="seconds"), "File", path=track.file, external="true")
        if self._unit == "beats":
            SubElement(event, "Warp", time="0", contentTime="0")
            SubElement(event, "Warp", time=_number(self._length), contentTime=_number(track.seconds))

    def _add_notes(self, identity: str, track: NoteTrack) -> None:
        instrument = Instrument(name=track.name, stream="", program=track.program, channel=track.channel)
        _add_track(self._structure, identity, f"{track.name} MIDI", "notes", _colour(instrument))
        clip = self._add_clip(identity, f"{track.name} MIDI")
        notes = SubElement(clip, "Notes", timeUnit="beats")
        for note in track.notes:
            if note.start < self._length:
                values = {
                    "time": _number(note.start),
                    "duration": _number(min(note.length, self._length - note.start)),
                    "channel": str(track.channel - 1),
                    "key": str(note.key),
                    "vel": _number(note.velocity / 127),
                    "rel": _number(note.release / 127),
                }
                SubElement(notes, "Note", values)

    def _add_clip(self, identity: str, name: str) -> Element:
        """Add a clip to a track, from its beginning to the end of the session."""
        lane = SubElement(self._lanes, "Lanes", id=f"{identity}-lanes", track=identity)
        clips = SubElement(lane, "Clips", id=f"{identity}-clips")
        loop = {"loopStart": "0", "loopEnd": _number(self._length)} if self._loops else {}
        return SubElement(clips, "Clip", self._extent() | loop, name=xml_text(name))

    def _extent(self) -> dict[str, str]:
        """The attributes of a clip as long as the session."""
        return {"time": "0", "duration": _number(self._length), "contentTimeUnit": self._unit, "playStart": "0"}

    def _add_markers(self, arrangement: Element) -> None:
        if not self._music.sections:
            return
        markers = SubElement(arrangement, "Markers", id="markers", timeUnit=self._unit)
        for section in self._music.sections:
            on_grid = float((section.bar - 1) * self._quarters)
            time = section.start if self._unit == "seconds" else on_grid
            SubElement(markers, "Marker", time=_number(time), name=xml_text(section.name))

    def _beats(self, seconds: float) -> float:
        return seconds if self._music.bpm is None else seconds * self._music.bpm / 60


def _add_track(structure: Element, identity: str, name: str, content: str, colour: str, gain_db: float = 0.0) -> None:
    """Add a track and its mixer channel. Only the gain changes the sound: the stems sum to the mix."""
    attributes = {"contentType": content, "loaded": "true", "color": colour, "name": xml_text(name)}
    track = SubElement(structure, "Track", attributes, id=identity)
    route = {"role": "master"} if identity == "master" else {"role": "regular", "destination": "master-channel"}
    channel = SubElement(track, "Channel", route, id=f"{identity}-channel", audioChannels="2", solo="false")
    SubElement(channel, "Mute", value="false", id=f"{identity}-mute", name="Mute")
    pan = {"unit": "normalized", "min": "0", "max": "1", "value": "0.5"}
    SubElement(channel, "Pan", pan, id=f"{identity}-pan", name="Pan")
    gain = 10 ** (gain_db / 20)
    volume = {"unit": "linear", "min": "0", "max": _number(max(2.0, gain)), "value": _number(gain)}
    SubElement(channel, "Volume", volume, id=f"{identity}-volume", name="Volume")


def _metadata(recipe: Recipe, music: Music) -> Element:
    root = Element("MetaData")
    SubElement(root, "Title").text = xml_text(recipe.title or recipe.prompt)
    facts = (recipe.prompt, music.key, f"model {recipe.model}", f"seed {recipe.seed}")
    SubElement(root, "Comment").text = xml_text(", ".join(filter(None, facts)))
    return root


def _colour(instrument: Instrument | None) -> str:
    if instrument is None:
        return OTHER_COLOUR
    if instrument.channel == DRUM_CHANNEL:
        return DRUM_COLOUR
    return OTHER_COLOUR if instrument.program is None else FAMILY_COLOURS[instrument.program // 8]


def _number(value: float) -> str:
    """A decimal number without an exponent, to a billionth."""
    return f"{value:.9f}".rstrip("0").rstrip(".")
