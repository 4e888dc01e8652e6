"""MIDI and stems: requested, generated, stored, listed, downloaded, and removed with the audio."""

import asyncio
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shared.files import Output
from shared.storage import Storage
from tests.engines import EMPTY_MIDI
from tests.integration.jobs import stored_audio, stored_jobs
from tests.integration.listener import listen
from tests.integration.system import Api, System, eventually
from tests.sampler_checkpoint import write_sampler_checkpoint
from tests.unit.worker.engine.sampler.test_midi import read

RATE = 32_000
BOTH = ["midi", "stems"]
# The players are those of the prompt, the notes those of the checkpoint's song.
PLAYERS = "only bass guitar, piano, violin, drums and congas, 126 bpm"
STEMS = ["bass_guitar", "piano_chords", "piano_arpeggio", "violin", "drums", "congas"]

# The engine that only pretends to write scores, and is fast.
SCORING = {"MUSICGEN_ENGINE": "tests.engines:load_scoring"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sampler_checkpoint(tmp_path_factory.mktemp("sampler") / "tiny")


def with_model(checkpoint: Path) -> dict[str, str]:
    """The settings of a gateway or worker for the real engine."""
    return {"MUSICGEN_ENGINE": "batching", "MUSICGEN_DEVICE": "cpu", "MUSICGEN_MODEL_SIZE": str(checkpoint)}


async def keys(system: System, job_id: str) -> set[str]:
    """The names of all objects of a job."""
    storage = system.storage()
    found = await asyncio.to_thread(
        lambda: list(storage._client.list_objects(storage.bucket, prefix=f"jobs/{job_id}/", recursive=True))
    )
    return {str(item.object_name).rsplit("/", 1)[1] for item in found}


def with_waveforms(*names: str) -> set[str]:
    """The names of a job's objects: those given, and the waveforms of the audio among them."""
    waveforms = {
        f"{name.removesuffix('.wav')}.{end}"
        for name in names
        if name.endswith(".wav")
        for end in ("peaks.json", "overview.json", "svg")
    }
    return {*names, *waveforms}


async def fetch(api: Api, output: dict[str, Any], *, proxy: bool = False) -> bytes:
    """The bytes of an output, checked against its description."""
    query = "?proxy=1" if proxy else ""
    async with api.http.get(output["download_url"] + query) as response:
        assert response.status == 200
        assert [each.status for each in response.history] == ([] if proxy else [302])
        assert response.content_type == {"midi": "audio/midi", "stem": "audio/wav"}[output["kind"]]
        job_id, name = output["download_url"].split("/")[-2:]
        assert response.headers["Content-Disposition"].endswith(
            f'_{job_id}.mid"' if output["kind"] == "midi" else f'_{job_id}_{name.replace("_", "-")}"'
        )
        data = await response.read()
    assert (output["name"], output["size"]) == (name, len(data))
    return data


async def check_outputs(api: Api, status: dict[str, Any], subtype: str) -> None:
    """Each holds as much as the audio does, which the stems are parts of."""
    audio = await stored_audio(api, status["job_id"])
    midi, *stems, session = status["outputs"]
    assert (session["kind"], session["name"]) == ("project", "session.dawproject")
    assert (midi["kind"], midi["name"]) == ("midi", "audio.mid")
    tracks = read(await fetch(api, midi))
    names = [event[3:].decode() for track in tracks for _, event in track if event[:2] == b"\xff\x03"]
    # Timpani among the percussion are pitched, so they have a track of their own.
    assert [name.replace(" ", "_") for name in names if name != "timpani"] == ["conductor", *STEMS]
    # 480 ticks a beat, 126 beats a minute.
    last = max(tick for track in tracks for tick, _ in track)
    assert last == round(len(audio) / RATE / 60 * 126 * 480)
    assert [(stem["kind"], stem["name"]) for stem in stems] == [("stem", f"{name}.wav") for name in STEMS]
    together = np.zeros_like(audio)
    for stem in stems:
        file = soundfile.SoundFile(io.BytesIO(await fetch(api, stem)))
        assert (file.samplerate, file.channels, file.subtype) == (RATE, 2, subtype)
        samples = file.read(dtype="float32")
        assert samples.shape == audio.shape
        together += samples
    np.testing.assert_allclose(together, audio, rtol=0, atol=1e-6)


async def test_midi_and_stems_are_made_stored_listed_and_downloaded(system: System, checkpoint: Path) -> None:
    settings = with_model(checkpoint)
    api, _ = await system.gateway(**settings), await system.worker(**settings)
    listener = await listen(system)
    job_id = await api.generate(PLAYERS, duration=2.5, seed=3, sample_format="int24", outputs=BOTH)
    status = await api.until(job_id, "completed", "failed", timeout=60)
    assert status["status"] == "completed", status["error_message"]
    assert status["recipe"]["outputs"] == BOTH
    await check_outputs(api, status, "PCM_24")
    assert await fetch(api, status["outputs"][0], proxy=True) == await fetch(api, status["outputs"][0])
    stored = with_waveforms("audio.wav", "audio.mid", "session.dawproject", *(f"{name}.wav" for name in STEMS))
    assert await keys(system, job_id) == stored
    await listener.until_ended(job_id)
    (end,) = listener.terminal_events[job_id]
    assert end["outputs"] == status["outputs"]
    plain = await api.until(await api.generate("happy piano", duration=0.5), "completed")
    assert plain["outputs"] == []
    assert await keys(system, plain["job_id"]) == with_waveforms("audio.wav")


async def test_a_stopped_job_keeps_the_outputs_of_its_audio(system: System, checkpoint: Path) -> None:
    settings = with_model(checkpoint)
    api, _ = await system.gateway(**settings), await system.worker(**settings)
    listener = await listen(system)
    job_id = await api.generate(PLAYERS, duration=120, seed=3, outputs=BOTH)
    await listener.until_chunks(job_id, 3)
    assert await api.delete(job_id, keep=True) == 200
    status = await api.until(job_id, "cancelled", timeout=60)
    assert status["message"] == "Job cancelled; what was made is kept"
    assert 1 < status["actual_duration"] < 110
    await check_outputs(api, status, "PCM_16")


async def test_a_cancelled_job_leaves_no_files(system: System, checkpoint: Path) -> None:
    settings = with_model(checkpoint)
    api, worker = await system.gateway(**settings), await system.worker(**settings)
    listener = await listen(system)
    job_id = await api.generate("happy piano", duration=120, outputs=BOTH)
    await listener.until_chunks(job_id, 1)
    assert await api.delete(job_id) == 200

    async def is_idle() -> bool:
        return worker.worker.describe().busy == 0 and not worker.worker._handling

    await eventually(is_idle, "the worker has ended it")
    assert (await api.status(job_id))["outputs"] == []
    assert await keys(system, job_id) == set()


async def test_the_status_warns_of_prompt_parts_that_the_model_ignores(system: System, checkpoint: Path) -> None:
    settings = with_model(checkpoint)
    api, _ = await system.gateway(**settings), await system.worker(**settings)
    made, cached = [
        await api.until(await api.generate("happy piano in 11/8, 300 bpm", duration=0.5, seed=3), "completed")
        for _ in range(2)
    ]
    assert (made["cached"], cached["cached"]) == (False, True)
    assert cached["warnings"] == made["warnings"]
    assert made["warnings"] == [
        "This model plays 40 to 240 beats a minute: 300 BPM became 150 BPM.",
        "This model cannot play in 11/8: the music is in 4/4.",
    ]
    plain = await api.until(await api.generate("happy piano", duration=0.5), "completed")
    assert plain["warnings"] == []


@pytest.mark.parametrize("name", ["audio.mid", "bass.wav"])
async def test_a_cancel_between_two_uploads_removes_both(
    system: System, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    api, _ = await system.gateway(), await system.worker(**SCORING)
    upload = Storage.put_output
    stored: list[set[str]] = []

    async def disturbed(storage: Storage, output: Output, file: Path, metadata: dict[str, str]) -> Output:
        put = await upload(storage, output, file, metadata)
        if output.name == name:
            stored.append(await keys(system, job_id))
            assert await api.delete(job_id) == 200
        return put

    monkeypatch.setattr(Storage, "put_output", disturbed)
    job_id = await api.generate("slow", duration=0.5, outputs=BOTH)
    assert (await api.until(job_id, "completed", "cancelled"))["status"] == "cancelled"

    async def gone() -> bool:
        return not await keys(system, job_id)

    await eventually(gone, "nothing is stored")
    assert {"audio.wav", name} <= stored[0]


async def test_a_successor_overwrites_the_uploads_of_a_dead_worker(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.topology.ACK_WAIT", 2.0)
    monkeypatch.setattr("worker.lease.HEARTBEAT", 0.5)
    upload, stored = Storage.put_output, asyncio.Event()

    async def store_and_hang(storage: Storage, output: Output, file: Path, metadata: dict[str, str]) -> Output:
        await upload(storage, output, file, metadata)
        stored.set()
        await asyncio.Event().wait()
        raise AssertionError("never woken")

    monkeypatch.setattr(Storage, "put_output", store_and_hang)
    api, worker = await system.gateway(), await system.worker(**SCORING)
    job_id = await api.generate("tone", duration=0.5, outputs=BOTH)
    await stored.wait()
    await worker.vanish()
    monkeypatch.setattr(Storage, "put_output", upload)
    await system.worker(**SCORING)
    status = await api.until(job_id, "completed")
    assert [output["name"] for output in status["outputs"]] == ["audio.mid", "bass.wav", "session.dawproject"]
    assert await keys(system, job_id) == with_waveforms("audio.wav", "audio.mid", "bass.wav", "session.dawproject")


async def test_only_requested_outputs_are_stored(system: System) -> None:
    api, _ = await system.gateway(), await system.worker(**SCORING)
    midi = await api.until(await api.generate(duration=0.5, outputs=["midi"]), "completed")
    stems = await api.until(await api.generate(duration=0.5, outputs=["stems"]), "completed")
    for made, name in ((midi, "audio.mid"), (stems, "bass.wav")):
        assert [output["name"] for output in made["outputs"]] == [name, "session.dawproject"]
    assert await fetch(api, midi["outputs"][0]) == EMPTY_MIDI
    async with api.http.get(f"/api/v1/download/{midi['job_id']}/bass.wav") as response:
        assert response.status == 404
        assert "outputs: audio.mid" in (await response.json())["detail"]


async def test_a_long_stem_is_stored_completely(system: System) -> None:
    api, _ = await system.gateway(), await system.worker(**SCORING)
    job_id = await api.generate(duration=30, sample_format="float32", outputs=["stems"])
    stem, _ = (await api.until(job_id, "completed"))["outputs"]
    samples, _ = soundfile.read(io.BytesIO(await fetch(api, stem)), dtype="float32", always_2d=True)
    assert np.array_equal(samples, await stored_audio(api, job_id))


async def test_an_engine_without_outputs_fails_the_job_with_the_reason(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate("tone", outputs=["midi"])
    status = await api.until(job_id, "failed")
    assert "only models that write scores do, such as starter" in status["error_message"]
    assert job_id not in await stored_jobs(system)


async def test_outputs_of_a_model_without_them_are_refused_at_once(system: System) -> None:
    api = await system.gateway()
    body = {"prompt": "tone", "model": "small", "outputs": ["midi"]}
    async with api.http.post("/api/v1/generate", json=body) as response:
        assert response.status == 400
        problem = await response.json()
    assert problem["errors"][0]["field"] == "outputs"
    assert "starter" in problem["detail"]


async def test_an_idempotency_key_covers_the_outputs_of_the_request(system: System) -> None:
    api = await system.gateway()
    headers = {"Idempotency-Key": "one"}
    job_id = await api.generate(outputs=["midi"], headers=headers)
    assert await api.generate(outputs=["midi"], headers=headers) == job_id
    body = {"prompt": "tone", "duration": 1.0}
    async with api.http.post("/api/v1/generate", json=body, headers=headers) as response:
        assert response.status == 422


@pytest.mark.parametrize("prompt", ["poison", "torn"])
async def test_an_engine_crash_loses_the_outputs_and_not_the_audio(
    system: System, monkeypatch: pytest.MonkeyPatch, prompt: str
) -> None:
    monkeypatch.setattr("worker.attempt.REPORT_INTERVAL", 60.0)
    monkeypatch.setattr("worker.lease.MAX_RECORD_IDLE", 60.0)
    monkeypatch.setattr("shared.subjects.cancel_subject", lambda job_id: "music.cancel.nobody")
    api, _ = await system.gateway(), await system.worker(**SCORING)
    listener = await listen(system)
    job_id = await api.generate(prompt, duration=1.0, outputs=BOTH)
    await listener.until_chunks(job_id, 1)
    assert await api.delete(job_id, keep=True) == 200
    status = await api.until(job_id, "cancelled")
    assert status["message"] == "Job cancelled; what was made is kept, but no MIDI or stems of it"
    assert (status["actual_duration"], status["outputs"]) == (1.0, [])
