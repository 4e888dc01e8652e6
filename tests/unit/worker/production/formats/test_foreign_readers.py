"""Programs and libraries that we did not write read every kind of file, without a complaint."""

import ctypes
import json
from pathlib import Path
from typing import Any

import msgspec
import mutagen
import pytest
import soundfile
import wavinfo

from shared.files import AudioFormat, SampleFormat
from shared.music import Measured, Music
from shared.version import SERVICE, VERSION
from tests.foreign_programs import output_of
from tests.unit.worker.production.formats import takes
from worker.production.formats import tags_for, write_audio

# Constants of sndfile.h.
_GET_LOOP_INFO, _LOOP_FORWARD = 0x10E0, 801
_BITS = {"int16": 16, "int24": 24, "float32": 32}


def every_file(*, but: str = "") -> pytest.MarkDecorator:
    """Every kind of file, but those of one format."""
    kinds = [(*kind, channels) for kind in takes.ALL if kind[0] != but for channels in (1, 2)]
    return pytest.mark.parametrize(("audio_format", "sample_format", "channels"), kinds)


every_wav = pytest.mark.parametrize(
    ("sample_format", "channels"),
    [(samples, channels) for samples in ("int16", "int24", "float32") for channels in (1, 2)],
)


@pytest.fixture
def path(tmp_path: Path, audio_format: AudioFormat, sample_format: SampleFormat, channels: int) -> Path:
    """A file of that kind."""
    file = tmp_path / f"take.{audio_format}"
    write_audio(file, takes.samples(sample_format, channels), takes.RATE, audio_format, takes.tags())
    return file


@pytest.fixture
def audio_format() -> AudioFormat:
    """Of tests that are about WAV files alone."""
    return "wav"


def lower(tags: dict[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in tags.items()}


@every_file()
def test_ffprobe_reads_tags_and_chapters(path: Path, audio_format: AudioFormat, channels: int) -> None:
    shown = ("-show_format", "-show_streams", "-show_chapters")
    found = json.loads(output_of("ffprobe", "-v", "warning", "-of", "json", *shown, path))
    (stream,) = found["streams"]
    assert (stream["sample_rate"], stream["channels"]) == (str(takes.RATE), channels)
    tags = lower(found["format"].get("tags", {}) | stream.get("tags", {}))
    assert (tags["title"], tags["artist"]) == ("Fête du café", SERVICE)
    if audio_format == "wav":
        recipe, chapters = tags["comment"], ["intro (bar 1)", "verse (bar 2)"]
        assert tags["isbj"] == takes.PROMPT
    else:
        recipe, chapters = tags["recipe"], ["intro", "verse"]
        assert tags["comment"] == takes.PROMPT
        assert (tags["bpm"], tags["key"], tags["meter"], tags["bars"]) == ("124.5", "A minor", "3/4", "2")
    assert json.loads(recipe)["prompt"] == takes.PROMPT
    assert [chapter["tags"]["title"] for chapter in found["chapters"]] == chapters
    assert float(found["chapters"][1]["start_time"]) == pytest.approx(takes.VERSE, abs=0.001)


@every_file()
def test_exiftool_reads_the_tags(path: Path, audio_format: AudioFormat, channels: int) -> None:
    (found,) = json.loads(output_of("exiftool", "-json", "-a", "-charset", "riff=utf8", path))
    assert not {"Warning", "Error"} & found.keys()
    assert (found["SampleRate"], found["Title"], found["Artist"]) == (takes.RATE, "Fête du café", SERVICE)
    expected: dict[str, object] = {
        "wav": {"Meter": "3/4", "Tempo": 124.5, "Beats": 6, "RootNote": "A", "AcidizerFlags": "Root note set, Stretch"}
        | {"MIDIUnityNote": 57, "NumSampleLoops": 1, "NumChannels": channels, "BwfxmlAswgIsGenerated": True},
        "flac": {
            "Bpm": 124.5,
            "Key": "A minor",
            "Initialkey": "Am",
            "Meter": "3/4",
            "Loop": True,
            "Looplength": takes.FRAMES,
        }
        | {"Channels": channels, "TotalSamples": takes.FRAMES},
        "ogg": {"Bpm": 124.5, "Key": "A minor", "Initialkey": "Am", "Meter": "3/4", "AudioChannels": channels},
        "mp3": {"BeatsPerMinute": 124, "InitialKey": "Am", "Comment": takes.PROMPT},
    }[audio_format]
    assert {name: found.get(name) for name in expected} == expected


@every_file()
def test_mediainfo_reads_the_tags(path: Path, sample_format: SampleFormat, channels: int) -> None:
    found = json.loads(output_of("mediainfo", "--Output=JSON", path))
    general, audio = (found["media"]["track"][place] for place in (0, 1))
    assert (audio["SamplingRate"], audio["Channels"]) == (str(takes.RATE), str(channels))
    assert float(audio["Duration"]) == pytest.approx(takes.FRAMES / takes.RATE, abs=0.05)
    if path.suffix in (".wav", ".flac"):
        assert audio["BitDepth"] == str(_BITS[sample_format])
    if path.suffix == ".wav":
        assert json.loads(general["Comment"])["seed"] == takes.RECIPE.seed
        assert audio["extra"] == {"LoudnessValue": "-14.02", "MaxTruePeakLevel": "-1.03"}
    else:
        assert general["Title"] == "Fête du café"
        assert general.get("BPM", general["extra"].get("BPM")).startswith("124")


# Debian's sox reads MP3 only with another package.
@every_file(but="mp3")
def test_sox_reads_every_sample(path: Path, channels: int) -> None:
    assert output_of("sox", "--i", "-s", path) == f"{takes.FRAMES}\n"
    assert output_of("sox", "--i", "-c", path) == f"{channels}\n"
    assert output_of("sox", path, "-n") == ""


# mutagen reads no INFO chunk.
@every_file(but="wav")
def test_mutagen_reads_the_tags(path: Path, audio_format: AudioFormat, channels: int) -> None:
    file = mutagen.File(path)
    assert (file.info.sample_rate, file.info.channels) == (takes.RATE, channels)
    assert file.info.length == pytest.approx(takes.FRAMES / takes.RATE, abs=0.05)
    if audio_format != "mp3":
        tags = {name: file[name] for name in ("title", "bpm", "initialkey", "key", "meter", "loopstart", "description")}
        assert list(tags.values()) == [["Fête du café"], ["124.5"], ["Am"], ["A minor"], ["3/4"], ["0"], [takes.PROMPT]]
        return
    assert file.tags.version == (2, 4, 0)
    texts = {name: file.tags[name].text[0] for name in ("TIT2", "TBPM", "TKEY", "TXXX:BPM", "TXXX:KEY", "COMM::eng")}
    assert list(texts.values()) == ["Fête du café", "124", "Am", "124.5", "A minor", takes.PROMPT]
    assert file.tags["CTOC:sections"].child_element_ids == ["section0", "section1"]
    assert file.tags["CHAP:section1"].start_time == round(takes.VERSE * 1000)
    assert file.tags["CHAP:section1"].sub_frames["TIT2"].text == ["verse"]


@every_wav
def test_wavinfo_reads_the_chunks(path: Path, sample_format: SampleFormat, channels: int) -> None:
    found = wavinfo.WavInfoReader(path, info_encoding="utf-8")
    assert (found.fmt.channel_count, found.fmt.bits_per_sample) == (channels, _BITS[sample_format])
    assert found.data.frame_count == takes.FRAMES
    broadcast = found.bext
    assert (broadcast.version, broadcast.description) == (2, "Fete du cafe")
    assert (broadcast.loudness_value, broadcast.max_true_peak) == (-14.02, -1.03)
    assert (broadcast.originator_date, broadcast.originator_time, broadcast.time_reference) == ("", "", 0)
    mode = {1: "mono", 2: "stereo"}[channels]
    technology = f"F={takes.RATE},W={_BITS[sample_format]},M={mode},T=tellurstori-musicgen {VERSION}"
    assert broadcast.coding_history == f"A=PCM,{technology}\r\n"
    info = found.info
    assert (info.title, info.artist, info.subject) == ("Fête du café", SERVICE, takes.PROMPT)
    assert info.keywords == "124.5 BPM; A minor; 3/4; 2 bars; loop; generated"
    assert json.loads(info.comment)["seed"] == takes.RECIPE.seed
    assert [track.name for track in found.ixml.track_list] == ["mix"] * channels
    assert found.ixml.project == "Fête du café"
    (loop,) = found.smpl.sample_loops
    assert (found.smpl.midi_note, loop.start, loop.end) == (57, 0, takes.FRAMES - 1)
    assert loop.loop_type_desc() == "FORWARD"
    assert [label.text for label in found.cues.labels] == ["intro (bar 1)", "verse (bar 2)"]
    assert [cue.sample_offset for cue in found.cues.cues] == [0, round(takes.VERSE * takes.RATE)]


class LoopInfo(ctypes.Structure):
    """SF_LOOP_INFO of libsndfile, from which Audacity takes the tempo."""

    _fields_ = (
        ("numerator", ctypes.c_short),
        ("denominator", ctypes.c_short),
        ("loop_mode", ctypes.c_int),
        ("beats", ctypes.c_int),
        ("bpm", ctypes.c_float),
        ("root_note", ctypes.c_int),
        ("reserved", ctypes.c_int * 6),
    )


def loop_info(path: Path) -> tuple[object, ...]:
    """Meter, whether it is no one-shot, beats, tempo and root note, as libsndfile reads them."""
    with soundfile.SoundFile(path) as file:
        buffer = soundfile._ffi.new("char[]", ctypes.sizeof(LoopInfo))
        assert soundfile._snd.sf_command(file._file, _GET_LOOP_INFO, buffer, ctypes.sizeof(LoopInfo))
        found = LoopInfo.from_buffer_copy(soundfile._ffi.buffer(buffer))
    is_tempo = found.loop_mode == _LOOP_FORWARD
    return f"{found.numerator}/{found.denominator}", is_tempo, found.beats, found.bpm, found.root_note


@every_wav
def test_libsndfile_reads_the_chunks(path: Path, sample_format: SampleFormat, channels: int) -> None:
    with soundfile.SoundFile(path) as file:
        assert (file.title, file.artist, file.software) == ("Fête du café", SERVICE, f"tellurstori-musicgen {VERSION}")
        # Its log marks what it does not understand. That an odd length is padded is no fault, but RIFF's rule. The
        # length of the log is limited, so the line or its end may be missing.
        complaints = [line for line in file.extra_info.splitlines() if line.startswith("***")]
    is_odd = takes.FRAMES * channels * _BITS[sample_format] // 8 % 2
    assert len(complaints) <= is_odd
    assert all("*** 'data' chunk should be an even number".startswith(line[:40]) for line in complaints)
    assert loop_info(path) == ("3/4", True, 6, 124.5, 57)


@pytest.mark.parametrize(
    ("meter", "bars", "seconds", "beats", "flags"),
    [
        ("4/4", 2, 4.0, 8, "Stretch"),
        ("3/4", 2, 3.0, 6, "Stretch"),
        ("6/8", 2, 3.0, 6, "Stretch"),
        ("7/8", 2, 3.5, 7, "Stretch"),
        # Three and a half quarter notes: readers must not compute the tempo from the number of beats.
        ("7/8", 1, 1.75, 4, "Stretch, Disk-based"),
        ("4/4", None, 3.1234, 6, "Stretch, Disk-based"),
    ],
)
def test_both_readers_agree_on_meter_beats_and_tempo(
    tmp_path: Path, meter: str, bars: int | None, seconds: float, beats: int, flags: str
) -> None:
    """The order of the meter's two numbers in `acid` was never published."""
    file, frames = tmp_path / "take.wav", round(seconds * 44_100)
    music = Music(bpm=120.0, meter=meter, bars=bars)
    said = tags_for(takes.RECIPE, music, Measured(), None, frames, 44_100)
    write_audio(file, takes.samples("int16", frames=frames), 44_100, "wav", said)
    assert loop_info(file) == (meter, True, beats, 120.0, -1)
    (found,) = json.loads(output_of("exiftool", "-json", file))
    assert (found["Meter"], found["Beats"], found["Tempo"], found["AcidizerFlags"]) == (meter, beats, 120, flags)


def test_a_take_of_unknown_tempo_says_nothing_about_it(tmp_path: Path) -> None:
    """A one-shot would keep Audacity from looking for the tempo in the name and the sound."""
    file = tmp_path / "take.wav"
    recipe = msgspec.structs.replace(takes.RECIPE, loop=False)
    write_audio(
        file,
        takes.samples("int16"),
        takes.RATE,
        "wav",
        tags_for(recipe, Music(), Measured(), None, takes.FRAMES, takes.RATE),
    )
    (found,) = json.loads(output_of("exiftool", "-json", file))
    assert not {"Tempo", "Meter", "Beats", "AcidizerFlags", "NumSampleLoops", "CuePoints"} & found.keys()
    assert found["Keywords"] == "generated"
