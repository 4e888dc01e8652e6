"""Damaged audio and MIDI files: a verdict for each, within the limits, and nothing left in the store."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import get_args

import mido
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.uploads.formats import format_of
from gateway.uploads.verdict import decode_verdict
from shared.audio_conditions import Excerpt, decode_excerpt
from shared.messages import Recipe
from shared.note_score import NoteScore, decode_score
from shared.played_score import PlayedScore, ScoreAction
from tests.fuzz.conftest import Served
from tests.fuzz.test_targets import Edits, edits
from tests.midi_files import control, meta, midi_file, note, program
from tests.uploads import FILES, audio, midi
from worker.engine.sampler.added_parts import Candidate
from worker.engine.sampler.addition import Addition
from worker.engine.sampler.arrangement import Arrangement
from worker.engine.sampler.arranging import arrange
from worker.engine.sampler.note_midi import note_midi
from worker.engine.sampler.played_take import PlayedTake
from worker.production.midi_notes import read_note_tracks

SEEDS = [*FILES.values(), audio("wav", channels=2, subtype="FLOAT"), audio("ogg", rate=48_000), midi(40)]
RAW, FORM = "application/octet-stream", "multipart/form-data; boundary=limit"
FORMS = [
    b'--limit\r\nContent-Disposition: form-data; name="note"\r\n\r\nmine\r\n'
    b'--limit\r\nContent-Disposition: form-data; name="file"; filename="a.mid"\r\nContent-Type: audio/midi\r\n\r\n'
    + FILES["mid"]
    + b"\r\n--limit--\r\n"
]
# Bytes of the gateway's memory that uploads may add for good.
GROWTH = 60 * 2**20


class Decoders:
    """A process that decodes files one by one."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "upload"
        command = [sys.executable, "-m", "tests.fuzz.decode_many"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def verdict(self, name: str, data: bytes) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._file.write_bytes(data)
        self._process.stdin.write(f"{name} {self._file}\n".encode())
        self._process.stdin.flush()
        return self._process.stdout.read(int(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def decoders(folder: Path) -> Iterator[Decoders]:
    running = Decoders(folder)
    try:
        yield running
    finally:
        running.close()


def damaged() -> st.SearchStrategy[Edits]:
    return edits(SEEDS)


@pytest.mark.timeout(1800)
def test_the_decoder_survives_damaged_files(tmp_path: Path, inputs: int) -> None:
    with decoders(tmp_path) as running:
        for seed in SEEDS:
            assert decode_verdict(running.verdict(str(format_of(seed)), seed)).refusal is None

        @settings(max_examples=inputs, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(damaged())
        def try_one(edit: Edits) -> None:
            data = edit.of(SEEDS)
            name = format_of(data)
            if name is not None:
                decode_verdict(running.verdict(name, data))

        try_one()


AUDIO = [data for data in SEEDS if format_of(data) != "mid"]
# Parts of half a second of audio: the whole, within it, across its end, and behind it; in seconds.
PARTS = ((0.0, 0.5), (0.1, 0.2), (0.4, 30.0), (0.6, 1.0))


@pytest.mark.timeout(1800)
def test_excerpts_of_damaged_files_are_sound_or_refused(tmp_path: Path, inputs: int) -> None:
    with decoders(tmp_path) as running:

        def cut(data: bytes, part: tuple[float, float]) -> Excerpt | None:
            start, end = part
            answer = running.verdict(f"{format_of(data)}:{start}:{end}", data)
            if not answer.startswith(b"{"):
                return decode_excerpt(answer)
            assert decode_verdict(answer).refusal is not None
            return None

        assert all(cut(data, PARTS[0]) for data in AUDIO)
        assert not any(cut(data, PARTS[-1]) for data in AUDIO)

        @settings(max_examples=inputs, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(edits(AUDIO), st.sampled_from(PARTS))
        def try_one(edit: Edits, part: tuple[float, float]) -> None:
            data = edit.of(AUDIO)
            excerpt = cut(data, part) if format_of(data) not in (None, "mid") else None
            if excerpt is not None:
                samples = np.frombuffer(excerpt.samples, "<f4")
                assert np.isfinite(samples).all()
                assert 0 < samples.size <= excerpt.channels * (1 + (part[1] - part[0]) * excerpt.sample_rate)

        try_one()


SONGS = [
    FILES["mid"],
    midi_file(
        [
            meta("set_tempo", tempo=483_871),
            meta("time_signature", numerator=7, denominator=8),
            meta("marker", text="A"),
        ],
        [program(73), control(0, 7, 90), control(0, 64, 127), *note(0, 90, 60), control(200, 64, 0), *note(5, 9, 64)],
        [*note(0, 10, 36, channel=9), *note(0, 10, 56, channel=9), mido.Message("pitchwheel", pitch=3, time=7)],
    ),
]


def silence(addition: Addition) -> list[Candidate]:
    """A model that composes no notes."""
    return [(np.zeros(addition.held.shape, np.int64), 0.0) for _ in addition.seeds]


@pytest.mark.timeout(1800)
def test_damaged_midi_files_are_read_and_played_or_refused(tmp_path: Path, inputs: int) -> None:
    with decoders(tmp_path) as running:

        @settings(max_examples=inputs, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(edits(SONGS), st.sampled_from(get_args(ScoreAction)))
        def try_one(edit: Edits, action: ScoreAction) -> None:
            found = running.verdict("score", edit.of(SONGS))
            if b'"division"' not in found:
                assert decode_verdict(found).refusal is not None
                return
            score = decode_score(found)
            recipe = Recipe(
                model="starter",
                prompt="string quartet",
                duration=0.5,
                score=PlayedScore(sha256="0" * 64, action=action),
            )
            arranged: NoteScore | Arrangement = score
            with suppress(ValueError):  # no part is left to play, or to compose
                arranged = arrange(recipe, score, 16_000, 2, silence)
            take = PlayedTake(recipe, arranged, 16_000)
            if take.parts:
                audio = np.concatenate(list(take.play(lambda done, total: None, lambda output: None)))
                assert audio.shape == (16_000, 2)
                assert np.isfinite(audio).all()
                read_note_tracks(note_midi(take.score, take.parts, 0.5))

        try_one()


@pytest.mark.timeout(1800)
def test_the_gateway_survives_damaged_files(served: Served, inputs: int) -> None:
    kept: set[str] = set()
    before = psutil.Process(served.process.pid).memory_info().rss

    @settings(max_examples=max(inputs // 20, 10), deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(damaged().map(lambda edit: (edit.of(SEEDS), RAW)) | edits(FORMS).map(lambda edit: (edit.of(FORMS), FORM)))
    def try_one(request: tuple[bytes, str]) -> None:
        (data, kind), url = request, f"{served.url}/api/v1/audio"
        answer = served.http.post(url, data=data, headers={"Content-Type": kind}, timeout=60)
        assert answer.status_code in (200, 400, 415, 422), answer.text
        if answer.status_code == 200:
            kept.add(answer.json()["audio_id"])
            assert served.http.delete(f"{url}/{answer.json()['audio_id']}", timeout=60).status_code == 200

    try_one()
    assert served.process.exit_code is None
    gateway = psutil.Process(served.process.pid)
    assert gateway.children(recursive=True) == []
    assert gateway.memory_info().rss - before < GROWTH
    for audio_id in kept:
        assert served.http.get(f"{served.url}/api/v1/audio/{audio_id}", timeout=60).status_code == 404
