"""Names of saved files."""

from pathlib import Path

import pytest

from deploy.cli.file_names import beside, is_safe, safe_name

DEFAULT = "gen_abc123456789.wav"


@pytest.mark.parametrize("name", ["house_124bpm_Amin_8bars_gen_abc123456789.wav", "Nachtmusik é 日本.wav", "a b.WAV"])
def test_the_name_of_the_gateway_is_used(name: str) -> None:
    assert safe_name(name, DEFAULT) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".wav", ".bashrc", "../x.wav", "/etc/x.wav", "a/b.wav", "..\\x.wav", "C:\\x.wav"),
        *("a\nb.wav", "\x1b[2J.wav", "\u202evaw.exe.wav", "\x00.wav", "\ud800.wav", "é" * 100 + ".wav"),
        *("x.sh", "wav", "x.wav.exe", "x.mp3"),
    ],
)
def test_an_unsafe_name_is_replaced(name: str) -> None:
    assert safe_name(name, DEFAULT) == DEFAULT


@pytest.mark.parametrize("name", ["drums.wav", "synth bass.flac", "audio.mid"])
def test_names_of_outputs_are_safe(name: str) -> None:
    assert is_safe(name)


@pytest.mark.parametrize(
    ("audio", "output", "path"),
    [
        ("a/song.wav", "audio.mid", "a/song.mid"),
        ("a/song.flac", "bass.flac", "a/song_bass.flac"),
        ("a/song.wav", "drum_machine.wav", "a/song_drum-machine.wav"),
        ("Mix 1.2", "audio.mid", "Mix 1.2.mid"),
        ("Mix 1.2", "bass.wav", "Mix 1.2_bass.wav"),
    ],
)
def test_outputs_are_named_after_the_audio(audio: str, output: str, path: str) -> None:
    assert beside(Path(audio), output) == Path(path)
