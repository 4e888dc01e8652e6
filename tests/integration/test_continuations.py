"""Music that continues a file or another take, or follows its melody, through the whole pipeline."""

import io
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from shared.audio_conditions import EXCERPTS_PREFIX
from shared.messages import now
from shared.uploaded_files import upload_key
from tests.integration.system import Api, System
from tests.integration.test_outputs import with_model
from tests.unit.gateway.samples import DAW, bearer
from tests.unit.worker.engine.batching.conditioned import write_model
from tests.unit.worker.engine.batching.test_melody import MELODY, without_demucs
from tests.uploads import FILES, audio

Floats = NDArray[np.float32]
KEYS = {"API_KEYS": f"daw:{DAW},other:another-key-of-24-letters"}
OTHER = bearer("another-key-of-24-letters")
RATE = 32_000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return audio_model(tmp_path_factory.mktemp("models") / "tiny")


def audio_model(folder: Path) -> dict[str, str]:
    """The settings of a tiny model that makes audio and goes on from it."""
    with warnings.catch_warnings():
        # audiocraft uses a deprecated weight norm of PyTorch.
        warnings.simplefilter("ignore", FutureWarning)
        write_model(folder, 1, {"dataset.segment_duration": 30})
    return with_model(folder)


def tone(seconds: float = 1.0, **options: Any) -> bytes:
    return audio("wav", seconds, RATE, **options)


async def upload(api: Api, data: bytes, headers: dict[str, str] | None = None) -> str:
    """The id of an uploaded file."""
    kind = {"Content-Type": "audio/wav"}
    async with api.http.post("/api/v1/audio", data=io.BytesIO(data), headers=kind | (headers or {})) as answer:
        body = await answer.json()
        assert answer.status == 200, body
        return str(body["audio_id"])


async def refused(
    api: Api, source: dict[str, Any], headers: dict[str, str] | None = None, **fields: Any
) -> dict[str, str]:
    """The field and the reason of a refusal."""
    audio = source if source.keys() & {"continue_from", "melody"} else {"continue_from": source}
    body = {"prompt": "house", "duration": 2.0, "audio": audio, **fields}
    async with api.http.post("/api/v1/generate", json=body, headers=headers or {}) as response:
        answer = await response.json()
        assert response.status == 422, answer
        return {answer["errors"][0]["field"]: answer["errors"][0]["message"]}


async def samples(api: Api, job_id: str) -> Floats:
    async with api.http.get(f"/api/v1/download/{job_id}?proxy=1") as response:
        assert response.status == 200
        found, rate = soundfile.read(io.BytesIO(await response.read()), dtype="float32")
    assert rate == RATE
    return np.asarray(found)


async def excerpts(system: System) -> set[str]:
    return {each.key for each in await system.storage().page("", EXCERPTS_PREFIX)}


async def test_a_take_begins_with_the_excerpt_and_goes_on_by_its_own_prompt(
    system: System, model: dict[str, str]
) -> None:
    api, _ = await system.gateway(**model), await system.worker(**model)
    source = {"audio_id": await upload(api, tone()), "start": 0.2, "end": 0.8}
    asked: dict[str, Any] = {"duration": 1.5, "seed": 7, "audio": {"continue_from": source}}
    jobs = [await api.generate("happy piano", **asked), await api.generate("dark drums", **asked)]
    jobs.append(await api.generate("happy piano", duration=1.5, seed=7))
    for job_id in jobs:
        status = await api.until(job_id, "completed", "failed")
        assert (status["status"], status["actual_duration"]) == ("completed", 1.5), status
    first, second, other = [await samples(api, job_id) for job_id in jobs]
    kept, new = round(0.5 * RATE), round(0.7 * RATE)
    assert np.array_equal(first[:kept], second[:kept])
    assert not np.array_equal(first[new:], second[new:])
    assert not np.array_equal(first[:kept], other[:kept])


async def test_a_finished_take_can_be_continued_at_any_second(system: System, model: dict[str, str]) -> None:
    api, _ = await system.gateway(**model), await system.worker(**model)
    parent = await api.generate("happy piano", duration=2.0, seed=1, format="flac", sample_rate=48_000)
    await api.until(parent, "completed")
    whole = {"continue_from": {"job_id": parent}}
    part = {"continue_from": {"job_id": parent, "start": 1.25}}
    for asked, duration in ((whole, 3.0), (part, 1.0)):
        job_id = await api.generate("happy piano", duration=duration, audio=asked)
        assert (await api.until(job_id, "completed", "failed"))["actual_duration"] == duration


async def test_an_accepted_job_needs_its_source_no_more(system: System, model: dict[str, str]) -> None:
    api = await system.gateway(**model)
    audio_id = await upload(api, tone())
    asked: dict[str, Any] = {"duration": 2.0, "audio": {"continue_from": {"audio_id": audio_id}}}
    job_id = await api.generate("happy piano", headers={"Idempotency-Key": "again"}, **asked)
    async with api.http.delete(f"/api/v1/audio/{audio_id}") as response:
        assert response.status == 200
    assert "audio.continue_from.audio_id" in await refused(api, {"audio_id": audio_id})
    assert await api.generate("happy piano", headers={"Idempotency-Key": "again"}, **asked) == job_id
    await system.worker(**model)
    assert (await api.until(job_id, "completed", "failed"))["status"] == "completed"


async def test_a_job_whose_excerpt_is_lost_says_what_to_do(system: System, model: dict[str, str]) -> None:
    api = await system.gateway(**model)
    before = await excerpts(system)
    source = {"audio_id": await upload(api, tone(0.713))}
    job_id = await api.generate("happy piano", duration=2.0, audio={"continue_from": source})
    (key,) = await excerpts(system) - before
    await system.storage().remove_uploaded(key)
    await system.worker(**model)
    status = await api.until(job_id, "completed", "failed")
    assert (status["status"], status["error_message"]) == (
        "failed",
        "The audio that the job is conditioned on is no longer stored. Send the request again.",
    )


async def test_equal_audio_from_two_uploads_is_made_once(system: System, model: dict[str, str]) -> None:
    api, _ = await system.gateway(**model), await system.worker(**model)
    jobs = []
    for data in (tone(0.9), tone(0.9), tone(0.8)):
        source = {"audio_id": await upload(api, data)}
        jobs.append(await api.generate("happy piano", duration=1.5, seed=9, audio={"continue_from": source}))
        await api.until(jobs[-1], "completed")
    assert [(await api.status(job_id))["cached"] for job_id in jobs] == [False, True, False]


async def test_retention_keeps_an_excerpt_until_its_job_has_ended(system: System, model: dict[str, str]) -> None:
    api, retention = await system.gateway(**model), await system.retention()
    before = await excerpts(system)
    source = {"audio_id": await upload(api, tone(0.637))}
    job_id = await api.generate("happy piano", duration=2.0, audio={"continue_from": source})
    (key,) = await excerpts(system) - before
    later = now() + timedelta(hours=2)
    await retention.clean(later)
    assert key in await excerpts(system)
    await system.worker(**model)
    await api.until(job_id, "completed")
    await retention.clean(now())
    assert key in await excerpts(system)
    await retention.clean(later)
    assert key not in await excerpts(system)


async def test_what_cannot_be_continued_is_refused_with_the_reason(system: System, model: dict[str, str]) -> None:
    api = await system.gateway(**model)
    audio_id, long = await upload(api, tone(1.0)), await upload(api, tone(40.0))
    midi, odd = await upload(api, FILES["mid"]), await upload(api, audio("wav", 1.0, 16_001))
    queued = await api.generate("happy piano", duration=1.0)
    field, melody = "audio.continue_from", {"melody": {"audio_id": audio_id}}
    for source, fields, place, reason in (
        ({"audio_id": "aud_000000000000"}, {}, f"{field}.audio_id", "it has expired, or it was deleted. Upload it."),
        ({"audio_id": midi}, {}, f"{field}.audio_id", "It is a MIDI file"),
        ({"audio_id": odd}, {}, f"{field}.audio_id", "It has 16001 Hz"),
        ({"job_id": "gen_000000000000"}, {}, f"{field}.job_id", "gen_000000000000"),
        ({"job_id": queued}, {}, f"{field}.job_id", "Wait until it has completed"),
        ({}, {}, field, "Give either audio_id or job_id"),
        ({"audio_id": audio_id, "job_id": queued}, {}, field, "Give either audio_id or job_id"),
        ({"audio_id": audio_id, "end": 1.5}, {}, f"{field}.end", "The audio lasts 1 seconds"),
        ({"audio_id": audio_id, "start": 0.8, "end": 0.5}, {}, f"{field}.start", "Give another start or end"),
        ({"audio_id": long, "start": 0}, {"duration": 60}, f"{field}.start", "0.1 to 29 are possible"),
        ({"audio_id": audio_id, "sha256": "0" * 64}, {}, f"{field}.sha256", "Give that, or leave it out"),
        ({"audio_id": audio_id}, {"duration": 1.0}, "duration", "The excerpt lasts 1 seconds"),
        ({"audio_id": audio_id}, {"bpm": 120}, "bpm", "has its tempo"),
        ({"audio_id": audio_id}, {"model": "starter"}, "audio", "writes scores and hears no audio"),
        (melody, {"model": "small"}, "audio.melody", "follows no melody"),
        (melody | {"continue_from": melody["melody"]}, {}, "audio", "Give one of continue_from, melody"),
    ):  # fmt: skip
        found = await refused(api, source, **fields)
        assert list(found) == [place], found
        assert reason in found[place]


async def test_a_melody_models_take_follows_the_melody_and_says_that_it_heard_the_whole_mix(
    system: System, tmp_path: Path
) -> None:
    with warnings.catch_warnings(), without_demucs():
        warnings.simplefilter("ignore")
        write_model(tmp_path / "tuneful", 1, MELODY | {"dataset.segment_duration": 30})
    settings = with_model(tmp_path / "tuneful")
    api, _ = await system.gateway(**settings), await system.worker(**settings)
    source = {"audio_id": await upload(api, tone(2.0))}
    asked: dict[str, Any] = {"duration": 1.0, "seed": 7}
    jobs = [await api.generate("happy piano", **asked, audio={"melody": source}), await api.generate("tone", **asked)]
    found = [await api.until(job_id, "completed", "failed") for job_id in jobs]
    assert [(each["status"], each["actual_duration"]) for each in found] == [("completed", 1.0)] * 2
    assert [any("from the whole mix" in text for text in each["warnings"]) for each in found] == [True, False]


async def test_without_a_start_the_last_twelve_seconds_count(system: System, model: dict[str, str]) -> None:
    api = await system.gateway(**model)
    long = await upload(api, tone(40.0))
    assert "The excerpt lasts 12 seconds" in (await refused(api, {"audio_id": long}, duration=12))["duration"]


async def test_another_keys_audio_cannot_be_continued(system: System, model: dict[str, str]) -> None:
    api = await system.gateway(**model, **KEYS)
    audio_id = await upload(api, tone(), bearer(DAW))
    job_id = await api.generate("happy piano", duration=2.0, headers=bearer(DAW))
    assert list(await refused(api, {"audio_id": audio_id}, OTHER)) == ["audio.continue_from.audio_id"]
    assert list(await refused(api, {"job_id": job_id}, OTHER)) == ["audio.continue_from.job_id"]
    assert upload_key("daw", audio_id).startswith("uploads/daw/")


async def test_a_model_without_an_encoder_fails_the_job_with_the_reason(system: System) -> None:
    folder = {"MUSICGEN_MODEL_SIZE": str(Path("/models/scripted"))}
    api, _ = await system.gateway(**folder), await system.worker(**folder)
    source = {"audio_id": await upload(api, tone())}
    job_id = await api.generate("tone", duration=2.0, audio={"continue_from": source})
    status = await api.until(job_id, "completed", "failed")
    assert "only models whose codec is EnCodec can, such as small" in status["error_message"]
