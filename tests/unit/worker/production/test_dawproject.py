"""The session against Bitwig's schema of the format, and its times against the grid.

The schema is of https://github.com/bitwig/dawproject at ee4dcdd, whose licence (MIT) lies beside it.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import mido
import pytest
from lxml import etree
from msgspec.structs import replace

from shared.messages import Recipe
from shared.music import Instrument, Music, SectionStart
from worker.production.dawproject import AudioTrack, make_dawproject

SCHEMA = Path(__file__).parent / "dawproject_schema"
RATE = 48_000
STRINGS = Instrument(name="strings", stream="pad", program=48, channel=3)
DRUMS = Instrument(name="drums", stream="drums", program=0, channel=10)
# Eight bars of 4/4 at 124 BPM.
FRAMES = 743_226
MUSIC = Music(
    bpm=124,
    key="A minor",
    meter="4/4",
    bars=8,
    sections=(SectionStart(name="intro", bar=1, start=0), SectionStart(name="chorus", bar=5, start=7.742)),
    instruments=(STRINGS, DRUMS),
)
RECIPE = Recipe(model="starter", prompt="house & <deep>\x07", duration=15.484, seed=7, bars=8, bpm=124, meter="4/4")
STEMS = (
    AudioTrack("strings", "strings.wav", FRAMES, RATE, 2, STRINGS),
    AudioTrack("drums", "drums.wav", FRAMES, RATE, 2, DRUMS),
)


def midi_file() -> bytes:
    """A score of two tracks, by another writer: a chord with an overlapping repeated note, and a drum roll."""
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    conductor = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(124))])
    strings = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name="strings"),
            mido.Message("program_change", channel=2, program=48),
            mido.Message("note_on", channel=2, note=60, velocity=100, time=0),
            mido.Message("note_on", channel=2, note=64, velocity=127, time=0),
            mido.Message("note_on", channel=2, note=60, velocity=50, time=240),
            mido.Message("note_off", channel=2, note=60, velocity=64, time=240),
            mido.Message("note_on", channel=2, note=60, velocity=0, time=480),
            mido.Message("note_off", channel=2, note=64, velocity=0, time=960),
        ]
    )
    drums = mido.MidiTrack([mido.MetaMessage("track_name", name="drums")])
    for _ in range(33):
        drums.append(mido.Message("note_on", channel=9, note=38, velocity=90))
        drums.append(mido.Message("note_off", channel=9, note=38, time=480))
    file.tracks += [conductor, strings, drums]
    target = io.BytesIO()
    file.save(file=target)
    return target.getvalue()


def opened(session: bytes) -> Any:
    """The project of a session, after both documents were validated."""
    with zipfile.ZipFile(io.BytesIO(session)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["metadata.xml", "project.xml"]
        for document, schema in (("project.xml", "Project.xsd"), ("metadata.xml", "MetaData.xsd")):
            root = etree.fromstring(archive.read(document))
            etree.XMLSchema(file=str(SCHEMA / schema)).assertValid(root)
        return etree.fromstring(archive.read("project.xml"))


def numbers(element: Any, *names: str) -> list[float]:
    return [float(element.get(name)) for name in names]


@pytest.mark.parametrize("midi", [None, midi_file()])
@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize(
    "music", [MUSIC, Music(), Music(bpm=93.5, meter="7/8"), Music(bpm=60, sections=MUSIC.sections)]
)
@pytest.mark.parametrize("stems", [STEMS, STEMS[:1], (AudioTrack("audio", "audio.flac", 1, 32_000, 1),)])
def test_every_session_follows_the_schema(midi: bytes | None, loop: bool, music: Music, stems: Any) -> None:
    recipe = Recipe(model="starter", prompt="quiet\0 piano", duration=8, loop=loop)
    project = opened(make_dawproject(recipe, music, stems, midi))
    names = project.xpath("Structure/Track/@name")
    assert names[: len(stems)] == [stem.name for stem in stems]
    assert names[-1] == "Master"
    assert len(names) == len(stems) + 1 + (2 if midi and music.bpm else 0)


def test_the_session_has_the_tempo_the_meter_and_the_sections() -> None:
    project = opened(make_dawproject(RECIPE, MUSIC, STEMS))
    (tempo,) = project.xpath("Transport/Tempo")
    assert (tempo.get("unit"), tempo.get("value")) == ("bpm", "124")
    (meter,) = project.xpath("Transport/TimeSignature")
    assert (meter.get("numerator"), meter.get("denominator")) == ("4", "4")
    markers = project.xpath("Arrangement/Markers[@timeUnit='beats']/Marker")
    assert [(each.get("name"), *numbers(each, "time")) for each in markers] == [("intro", 0), ("chorus", 16)]


def test_each_stem_is_a_clip_that_fills_its_bars() -> None:
    project = opened(make_dawproject(RECIPE, MUSIC, STEMS))
    (lanes,) = project.xpath("Arrangement/Lanes[@timeUnit='beats']")
    for lane, stem, colour in zip(lanes, STEMS, ("#c78540", "#d9423a"), strict=True):
        (track,) = project.xpath("Structure/Track[@id=$id]", id=lane.get("track"))
        assert (track.get("name"), track.get("color"), track.get("contentType")) == (stem.name, colour, "audio")
        (clip,) = lane.xpath("Clips/Clip")
        (event,) = clip.xpath("Clips/Clip")
        for each in (clip, event):
            assert numbers(each, "time", "duration", "playStart") == [0, 32, 0]
        (warps,) = event.xpath("Warps[@timeUnit='beats'][@contentTimeUnit='seconds']")
        ends = [numbers(warp, "time", "contentTime") for warp in warps.xpath("Warp")]
        assert ends == [[0, 0], [32, pytest.approx(FRAMES / RATE, abs=1e-9)]]
        (audio,) = warps.xpath("Audio")
        assert numbers(audio, "channels", "sampleRate") == [2, RATE]
        assert numbers(audio, "duration") == [pytest.approx(FRAMES / RATE, abs=1e-9)]
        (file,) = audio.xpath("File")
        assert (file.get("path"), file.get("external")) == (stem.file, "true")


def test_music_that_ends_within_a_bar_keeps_its_tempo() -> None:
    music = Music(bpm=93.5, meter="7/8")
    project = opened(make_dawproject(RECIPE, music, [AudioTrack("audio", "audio.wav", 10 * RATE, RATE, 2)]))
    (clip,) = project.xpath("Arrangement/Lanes/Lanes/Clips/Clip")
    beats = pytest.approx(10 * 93.5 / 60, abs=1e-8)
    assert numbers(clip, "time", "duration") == [0, beats]
    assert numbers(clip.xpath("Clips/Clip/Warps/Warp")[1], "time", "contentTime") == [beats, 10]
    assert project.xpath("Transport/TimeSignature/@denominator") == ["8"]


def test_without_a_tempo_the_session_is_in_seconds() -> None:
    music = Music(sections=(SectionStart(name="chorus", bar=5, start=7.75),))
    project = opened(make_dawproject(RECIPE, music, STEMS, midi_file()))
    assert project.xpath("Transport") == []
    assert project.xpath("Arrangement/Lanes/@timeUnit") == ["seconds"]
    assert numbers(project.xpath("Arrangement/Markers/Marker")[0], "time") == [7.75]
    clips = project.xpath("Arrangement/Lanes/Lanes/Clips/Clip")
    assert [numbers(clip, "time", "duration") for clip in clips] == [[0, pytest.approx(FRAMES / RATE)]] * 2
    assert len(project.xpath("//Clip/Audio/File")) == 2


def test_each_part_of_the_score_is_a_clip_of_notes() -> None:
    project = opened(make_dawproject(RECIPE, MUSIC, STEMS, midi_file()))
    tracks = project.xpath("Structure/Track[@contentType='notes']")
    assert [(track.get("name"), track.get("color")) for track in tracks] == [
        ("strings MIDI", "#c78540"),
        ("drums MIDI", "#d9423a"),
    ]
    strings, drums = project.xpath("//Clip/Notes")
    fields = ("time", "duration", "channel", "key", "vel", "rel")
    assert [numbers(note, *fields) for note in strings] == [
        pytest.approx(note)
        for note in [
            (0, 1, 2, 60, 100 / 127, 64 / 127),
            (0, 4, 2, 64, 1, 0),
            (0.5, 1.5, 2, 60, 50 / 127, 0),
        ]
    ]
    # The 33rd beat lies beyond the audio.
    assert [numbers(note, "time", "duration", "channel") for note in drums] == [[beat, 1, 9] for beat in range(32)]


@pytest.mark.parametrize("loop", [False, True])
def test_clips_of_a_loop_loop(loop: bool) -> None:
    project = opened(make_dawproject(replace(RECIPE, loop=loop), MUSIC, STEMS, midi_file()))
    loops = [(clip.get("loopStart"), clip.get("loopEnd")) for clip in project.xpath("//Lanes/Clips/Clip")]
    assert loops == [("0", "32") if loop else (None, None)] * 4


def test_a_loop_that_was_stopped_early_has_clips_that_do_not_loop() -> None:
    project = opened(make_dawproject(replace(RECIPE, loop=True), replace(MUSIC, bars=None), STEMS, midi_file()))
    assert not project.xpath("//Clip/@loopStart")


def test_the_mixer_leaves_the_sum_of_the_stems_as_it_is() -> None:
    project = opened(make_dawproject(RECIPE, MUSIC, STEMS, midi_file()))
    (master,) = project.xpath("Structure/Track/Channel[@role='master']")
    channels = project.xpath("Structure/Track/Channel[@role='regular']")
    assert [channel.get("destination") for channel in channels] == [master.get("id")] * 4
    for channel in (master, *channels):
        assert channel.xpath("Volume[@unit='linear']/@value") == ["1"]
        assert channel.xpath("Pan[@unit='normalized']/@value") == ["0.5"]
        assert channel.xpath("Mute/@value") == ["false"]


def test_the_gain_of_a_stem_is_the_volume_of_its_channel() -> None:
    stems = [STEMS[0]._replace(gain_db=6.0206), STEMS[1]._replace(gain_db=12.0412)]
    volumes = opened(make_dawproject(RECIPE, MUSIC, stems)).xpath("Structure/Track/Channel/Volume")
    assert [numbers(volume, "value", "max") for volume in volumes] == [
        pytest.approx([2, 2], abs=1e-5),
        pytest.approx([4, 4], abs=1e-5),
        [1, 2],
    ]


def test_the_metadata_tells_the_title_and_the_prompt() -> None:
    for title in (None, "Night & day"):
        recipe = Recipe(model="starter", prompt="house & <deep>\x07", duration=8, seed=7, title=title)
        with zipfile.ZipFile(io.BytesIO(make_dawproject(recipe, MUSIC, STEMS))) as archive:
            root = etree.fromstring(archive.read("metadata.xml"))
        assert root.findtext("Title") == (title or "house & <deep>")
        assert root.findtext("Comment") == "house & <deep>, A minor, model starter, seed 7"


def test_the_same_take_gives_the_same_bytes() -> None:
    assert make_dawproject(RECIPE, MUSIC, STEMS, midi_file()) == make_dawproject(RECIPE, MUSIC, STEMS, midi_file())
