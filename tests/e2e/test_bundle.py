"""A take of the starter, from the request to the files that foreign programs open."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import mido
import numpy as np
import pytest
import soundfile
import wavinfo
from lxml import etree

from shared.music import grid_samples
from tests.e2e.stack import Up
from tests.e2e.test_up import until
from tests.unit.worker.production.test_dawproject import opened
from tests.unit.worker.production.test_peaks import pairs_of
from tests.unit.worker.production.test_peaks import read as read_peaks

REQUEST: dict[str, Any] = {
    "prompt": "house with piano, synth bass and drum machine",
    "bars": 4,
    "bpm": 124,
    "key": "A minor",
    "loop": True,
    "sample_rate": 48_000,
    "seed": 7,
    "outputs": ["midi", "stems"],
}
FRAMES = grid_samples(4, 124, "4/4", 48_000)


async def take(up: Up, folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Generate the request and unpack its bundle into `folder`; returns the status, and all files of the waveforms."""
    async with aiohttp.ClientSession(up.url) as http:
        async with http.post("/api/v1/generate", json=REQUEST) as response:
            answer = await response.json()
            assert response.status == 200, answer
        status: dict[str, Any] = await until(up, answer["job_id"], "completed", "failed", timeout=100)
        assert status["status"] == "completed", status["error_message"]
        async with http.get(status["links"]["bundle"]) as response:
            assert response.status == 200
            (folder / "bundle.zip").write_bytes(await response.read())
        stems = [output["name"].removesuffix(".wav") for output in status["outputs"] if output["kind"] == "stem"]
        waveforms = {}
        for name in ("audio", *stems):
            for end in ("peaks.json", "overview.json", "svg"):
                async with http.get(f"{status['audio_url']}/{name}.{end}") as response:
                    assert response.status == 200
                    waveforms[f"{name}.{end}"] = await response.read()
    return status, waveforms


@pytest.mark.e2e
def test_every_file_of_a_bundle_opens_in_foreign_programs(up: Callable[..., Up], tmp_path: Path) -> None:
    if not (unzip := shutil.which("unzip")):
        pytest.skip("needs unzip: apt-get install unzip")
    stack = up(engine="batching").start()
    status, waveforms = asyncio.run(take(stack, tmp_path))
    subprocess.run([unzip, "-q", "bundle.zip"], cwd=tmp_path, check=True)
    (folder,) = (path for path in tmp_path.iterdir() if status["job_id"] in path.name)
    assert status["file_name"] == f"{folder.name}.wav"
    stems = check_audio(folder, status)
    check_score(folder)
    check_session(folder, stems)
    check_recipe(folder, status)
    check_waveforms(folder, waveforms)
    assert stack.stop() == 0


def check_audio(folder: Path, status: dict[str, Any]) -> list[str]:
    """All audio opens, is as long as the bars, and the stems sum to the mix; returns the names of the stems."""
    stems = sorted(path.stem for path in folder.glob("*.wav") if path.stem != "audio")
    assert stems == sorted(
        output["name"].removesuffix(".wav") for output in status["outputs"] if output["kind"] == "stem"
    )
    assert len(stems) >= 2
    mix, rate = soundfile.read(folder / "audio.wav", dtype="int16", always_2d=True)
    assert (mix.shape[0], rate) == (FRAMES, 48_000)
    total = np.zeros(mix.shape, np.int32)
    for name in stems:
        total += soundfile.read(folder / f"{name}.wav", dtype="int16", always_2d=True)[0]
    assert np.array_equal(total, mix)
    for path in folder.glob("*.wav"):
        assert wavinfo.WavInfoReader(str(path)).data.frame_count == FRAMES
    return stems


def check_score(folder: Path) -> None:
    midi = mido.MidiFile(folder / "audio.mid")
    assert [message.tempo for message in midi if message.type == "set_tempo"] == [mido.bpm2tempo(124)]


def check_session(folder: Path, stems: list[str]) -> None:
    """The session follows its schema, and its clips lie on the grid and name the files beside it."""
    project = opened((folder / "session.dawproject").read_bytes())
    assert project.xpath("Transport/Tempo/@value") == ["124"]
    clips = project.xpath("Arrangement/Lanes/Lanes/Clips/Clip")
    assert {(clip.get("time"), clip.get("duration"), clip.get("loopEnd")) for clip in clips} == {("0", "16", "16")}
    files: list[str] = project.xpath("//File[@external='true']/@path")
    assert sorted(files) == [f"{name}.wav" for name in stems]
    for audio in project.xpath("//Audio"):
        info = soundfile.info(folder / audio.find("File").get("path"))
        assert (int(audio.get("sampleRate")), int(audio.get("channels"))) == (info.samplerate, info.channels)
        assert float(audio.get("duration")) == pytest.approx(info.frames / info.samplerate, abs=1e-8)
    notes = project.xpath("//Notes/Note")
    assert notes
    assert max(float(note.get("time")) + float(note.get("duration")) for note in notes) <= 16


def check_recipe(folder: Path, status: dict[str, Any]) -> None:
    recipe = json.loads((folder / "recipe.json").read_text())
    assert recipe["recipe"]["bars"] == 4
    assert (recipe["seed"], recipe["music"]["key"], recipe["music"]["bpm"]) == (7, "A minor", 124)
    assert recipe["measured"] == status["measured"]


def check_waveforms(folder: Path, waveforms: dict[str, bytes]) -> None:
    """The peaks are those of the files, and the pictures are SVG."""
    for name, content in waveforms.items():
        stem, _, kind = name.partition(".")
        if kind == "svg":
            assert etree.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
            continue
        header, pairs = read_peaks(content)
        samples, _ = soundfile.read(folder / f"{stem}.wav", dtype="float32", always_2d=True)
        assert pairs == pairs_of(samples, header["samples_per_pixel"])
