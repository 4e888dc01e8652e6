"""Names of downloads."""

from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.jobs.file_names import content_disposition, file_name, folder_name
from shared.messages import JobRecord
from shared.music import Music
from tests.unit.gateway.samples import completed, job_id

ID = job_id(1)


def job(music: Music | None = None, **recipe: Any) -> JobRecord:
    done = completed(1)
    return replace(done, recipe=replace(done.recipe, **recipe), music=music)


def test_a_name_tells_words_tempo_key_bars_and_job() -> None:
    house = job(prompt="house with piano", bpm=124.0, key="A minor", bars=8)
    assert file_name(house, "audio.wav") == f"house_124bpm_Amin_8bars_{ID}.wav"


@pytest.mark.parametrize(
    ("stored", "ending"),
    [
        ("audio.flac", ".flac"),
        ("audio.mid", ".mid"),
        ("audio.peaks.json", ".peaks.json"),
        ("audio.svg", ".svg"),
        ("session.dawproject", ".dawproject"),
        ("bundle.zip", ".zip"),
        ("strings.wav", "_strings.wav"),
        ("electric_piano.mp3", "_electric-piano.mp3"),
        ("strings.peaks.json", "_strings.peaks.json"),
    ],
)
def test_files_of_a_part_name_the_part(stored: str, ending: str) -> None:
    assert file_name(job(prompt="house"), stored) == f"house_{ID}{ending}"


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("house at 124 BPM", "house"),
        ("Upbeat electronic music with synthesizer and drums", "upbeat-electronic-music"),
        ("drum and bass, dark", "drum-and-bass"),
        ("a lo-fi hip hop beat", "lo-fi-hip-hop"),
        ("the sound of the sea", "sound"),
        ("with piano", "piano"),
        ("808 beat", "808-beat"),
        ("at 120 BPM", "120-bpm"),
        ("a", "a"),
        ("夜の音楽", "music"),
        ("♫♫♫", "music"),
        ("x" * 500, "x" * 48),
        ("../../etc/passwd", "etc-passwd"),
    ],
)
def test_the_words_are_the_prompts_first_phrase(prompt: str, words: str) -> None:
    assert folder_name(job(prompt=prompt)) == f"{words}_{ID}"


def test_the_title_comes_before_the_prompt_and_the_music_before_the_recipe() -> None:
    music = Music(bpm=92.5, key="F# major", meter="3/4", bars=1)
    titled = job(music, title="Night Drive (v2)", bpm=100.0, bars=8, key="A minor")
    assert folder_name(titled) == f"Night-Drive-v2_92.5bpm_F#maj_1bar_{ID}"
    assert folder_name(replace(titled, music=Music())) == f"Night-Drive-v2_{ID}"
    assert folder_name(job(Music(bpm=123.987654))) == f"tone_123.99bpm_{ID}"


def test_other_letters_are_sent_in_utf_8_beside_an_ascii_name() -> None:
    header = content_disposition(job(title="Café 夜"), "audio.wav")
    assert header == f"attachment; filename=\"Cafe_{ID}.wav\"; filename*=UTF-8''Caf%C3%A9-%E5%A4%9C_{ID}.wav"
    assert content_disposition(job(title="Cafe"), "audio.wav") == f'attachment; filename="Cafe_{ID}.wav"'


@given(
    st.text(max_size=100),
    st.none() | st.text(max_size=20),
    st.none() | st.floats(),
    st.sampled_from(["a.wav", '"\r\n']),
)
def test_any_record_gives_a_header_that_names_one_safe_file(
    title: str, key: str | None, bpm: float | None, stored: str
) -> None:
    """Records come from other programs, too."""
    header = content_disposition(job(Music(key=key, bpm=bpm), title=title), stored)
    assert header.isascii()
    assert header.isprintable()
    message = EmailMessage()
    message["Content-Disposition"] = header
    plain = message.get_filename()
    assert header.startswith('attachment; filename="')
    assert plain
    assert ID in plain
    _, _, extended = header.partition("filename*=UTF-8''")
    for name in (file_name(job(Music(key=key, bpm=bpm), title=title), stored), unquote(extended)):
        assert not set(name) & set('/\\"\r\n\0:*?<>|%;')
        assert len(name) < 200
