"""Foreign readers of audio files for `bench.grid`: programs and libraries that the service does not use to write."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import mutagen
import soundfile
import wavinfo

from shared.files import Audio
from shared.messages import Recipe

# Frames by which lengths may differ in formats that encode blocks, if the reader does not know about the padding.
PADDED = 2 * 1152 + 1105


class Facts(NamedTuple):
    """What a reader says about a file; `frames` is None if it does not say."""

    sample_rate: int
    channels: int
    frames: float | None


class Reader(NamedTuple):
    """A reader. `formats` are those that it can open; `program` has to be installed, if there is one."""

    name: str
    read: Callable[[Path], Facts]
    program: str | None = None
    formats: tuple[str, ...] = ("wav", "flac", "ogg", "mp3")

    def reads(self, audio_format: str) -> bool:
        """Whether it can open this format and is here."""
        return audio_format in self.formats and (self.program is None or shutil.which(self.program) is not None)

    def check(self, file: Path, audio: Audio) -> str | None:
        """What the reader gets wrong about a file, or None."""
        try:
            found = self.read(file)
        except Exception as error:  # whatever a foreign reader raises counts as not opened
            return f"not opened: {error!r}"
        frames = audio.duration * audio.sample_rate
        allowed = PADDED if file.suffix == ".mp3" else 0.002 * audio.sample_rate
        if (found.sample_rate, found.channels) != (audio.sample_rate, audio.channels):
            return f"says {found}"
        if found.frames is not None and abs(found.frames - frames) > allowed:
            return f"says {found.frames:g} frames, not {frames:g}"
        return None


def _libsndfile(file: Path) -> Facts:
    samples, rate = soundfile.read(file, always_2d=True)
    return Facts(rate, samples.shape[1], len(samples))


def _ffprobe(file: Path) -> Facts:
    told = json.loads(_run("ffprobe", "-v", "error", "-show_streams", "-of", "json", file))
    (stream,) = [each for each in told["streams"] if each["codec_type"] == "audio"]
    rate = int(stream["sample_rate"])
    return Facts(rate, int(stream["channels"]), float(stream["duration"]) * rate)


def _sox(file: Path) -> Facts:
    rate, channels, frames = (int(_run("sox", "--info", option, file)) for option in ("-r", "-c", "-s"))
    return Facts(rate, channels, frames or None)


def _mediainfo(file: Path) -> Facts:
    told = json.loads(_run("mediainfo", "--Output=JSON", file))
    (audio,) = [each for each in told["media"]["track"] if each["@type"] == "Audio"]
    rate = int(float(audio["SamplingRate"]))
    return Facts(rate, int(audio["Channels"]), float(audio["Duration"]) * rate)


def _exiftool(file: Path) -> Facts:
    (told,) = json.loads(_run("exiftool", "-json", file))
    channels = told.get("NumChannels") or told.get("Channels") or told.get("AudioChannels")
    if channels is None:  # of MP3 it names the mode
        channels = 1 if told["ChannelMode"] == "Single Channel" else 2
    return Facts(int(told["SampleRate"]), int(channels), None)


def _mutagen(file: Path) -> Facts:
    info = mutagen.File(file).info
    return Facts(info.sample_rate, info.channels, info.length * info.sample_rate)


def _wavinfo(file: Path) -> Facts:
    found = wavinfo.WavInfoReader(str(file))
    return Facts(found.fmt.sample_rate, found.fmt.channel_count, found.data.frame_count)


READERS = (
    Reader("libsndfile", _libsndfile),
    Reader("ffprobe", _ffprobe, "ffprobe"),
    Reader("sox", _sox, "sox", formats=("wav", "flac", "ogg")),  # Debian has MP3 in a package of its own
    Reader("mediainfo", _mediainfo, "mediainfo"),
    Reader("exiftool", _exiftool, "exiftool"),
    Reader("mutagen", _mutagen),
    Reader("wavinfo", _wavinfo, formats=("wav",)),
)


def foreign_recipe(file: Path) -> Recipe:
    """The recipe in a file's tags, read by wavinfo or mutagen."""
    if file.suffix == ".wav":
        text = wavinfo.WavInfoReader(str(file)).info.comment
    elif file.suffix == ".mp3":
        text = mutagen.File(file).tags["TXXX:RECIPE"].text[0]
    else:
        (text,) = mutagen.File(file).tags["RECIPE"]
    return msgspec.json.decode(text, type=Recipe)


def _run(program: str, *arguments: str | Path) -> str:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=60)
    if done.stderr.strip():
        raise ValueError(done.stderr.strip())
    return done.stdout
