"""MIDI files that are played: uploaded, kept for workers, rendered by the real engine, and answered from the store."""

import io
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile

from gateway.uploads.midi_reader import read_midi
from shared.music import bar_seconds
from shared.note_score import SCORES_PREFIX
from shared.uploaded_files import UPLOADS_PREFIX
from tests.integration.system import Api, System
from tests.integration.test_outputs import with_model
from tests.midi_files import control, meta, midi_file, note, program
from tests.sampler_checkpoint import write_sampler_checkpoint
from tests.unit.gateway.samples import DAW, WEB, bearer
from tests.uploads import FILES

KEYS = {"API_KEYS": f"daw:{DAW},web:{WEB}"}
BPM = 126
# Two bars for an organ and a kit.
SONG = midi_file(
    [meta("set_tempo", tempo=round(60_000_000 / BPM)), meta("end_of_track", 2 * 4 * 480)],
    [program(16), control(0, 10, 20), *note(17, 1900, 60), *note(1920, 3800, 64)],
    [beat for tick in range(0, 3840, 480) for beat in note(tick, tick + 60, 36, channel=9)],
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sampler_checkpoint(tmp_path_factory.mktemp("sampler") / "tiny")


async def upload(api: Api, data: bytes = SONG, headers: dict[str, str] | None = None) -> str:
    types = {"Content-Type": "audio/midi"}
    async with api.http.post("/api/v1/audio", data=data, headers=types | (headers or {})) as response:
        assert response.status == 200, await response.text()
        return str((await response.json())["audio_id"])


async def generate(api: Api, headers: dict[str, str] | None = None, **body: Any) -> tuple[int, dict[str, Any]]:
    async with api.http.post("/api/v1/generate", json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def play(api: Api, headers: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
    """The status of a job that has played a score."""
    status, accepted = await generate(api, headers, **body)
    assert status == 200, accepted
    return await api.until(accepted["job_id"], "completed")


async def output(api: Api, job: dict[str, Any], name: str) -> bytes:
    async with api.http.get(f"/api/v1/download/{job['job_id']}/{name}?proxy=1") as response:
        assert response.status == 200, await response.text()
        return await response.read()


async def test_a_midi_file_is_played_with_all_that_jobs_have(system: System, checkpoint: Path) -> None:
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    found = await play(api, score={"audio_id": await upload(api)}, outputs=["midi", "stems"], title="Edited")
    assert (found["bpm"], found["meter"], found["bars"], found["prompt"]) == (126.0, "4/4", 3, "MIDI score")
    assert found["actual_duration"] == pytest.approx(float(3 * bar_seconds(BPM)), abs=1e-3)
    played = [(each["name"], each["stream"]) for each in found["instruments"]]
    assert played == [("organ", "part 1"), ("drums", "part 2")]
    assert {each["kind"] for each in found["outputs"]} == {"midi", "stem", "project"}
    assert found["measured"]["lufs"] == pytest.approx(-14, abs=0.6)
    written = read_midi(mido.MidiFile(file=io.BytesIO(await output(api, found, "audio.mid"))))
    assert [part.notes for part in written.parts] == [
        part.notes for part in read_midi(mido.MidiFile(file=io.BytesIO(SONG))).parts
    ]
    files = [await api.download(found["job_id"])] + [
        await output(api, found, name) for name in ("organ.wav", "drums.wav")
    ]
    mix, *stems = [soundfile.read(io.BytesIO(file), dtype="int16")[0] for file in files]
    assert np.array_equal(np.sum(stems, axis=0, dtype=np.int32), mix)


async def test_the_status_has_a_reference_and_no_notes(system: System, checkpoint: Path) -> None:
    api = await system.gateway(**with_model(checkpoint))
    many = midi_file([each for tick in range(5000) for each in note(tick * 5, tick * 5 + 4, 60)])
    _, accepted = await generate(api, score={"audio_id": await upload(api, many)})
    async with api.http.get(f"/api/v1/status/{accepted['job_id']}") as response:
        text = await response.text()
    assert len(text) < 4096
    assert set((await api.status(accepted["job_id"]))["recipe"]["score"]) == {"sha256"}


async def test_a_job_does_not_need_the_upload_once_it_is_accepted(system: System, checkpoint: Path) -> None:
    api = await system.gateway(**with_model(checkpoint))
    audio_id = await upload(api)
    _, accepted = await generate(api, score={"audio_id": audio_id})
    async with api.http.delete(f"/api/v1/audio/{audio_id}") as response:
        assert response.status == 200
    await system.worker(**with_model(checkpoint))
    found = await api.until(accepted["job_id"], "completed")
    again = await play(api, **{name: value for name, value in found["recipe"].items() if value is not None})
    assert again["cached"]
    status, problem = await generate(api, score={"audio_id": audio_id})
    assert (status, "Upload it" in problem["detail"]) == (404, True)


async def test_the_same_content_is_rendered_once(system: System, checkpoint: Path) -> None:
    """By its checksum: the file was uploaded twice."""
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    first = await play(api, score={"audio_id": await upload(api)}, prompt="once")
    second = await play(api, score={"audio_id": await upload(api)}, prompt="once")
    assert not first["cached"]
    assert second["cached"]
    fresh = await play(api, score={"audio_id": await upload(api)}, prompt="once", cache=False)
    assert not fresh["cached"]
    assert await api.download(fresh["job_id"]) == await api.download(first["job_id"])


async def test_a_repeated_request_is_known_by_the_content(system: System) -> None:
    api, headers = await system.gateway(), {"Idempotency-Key": "score-1"}
    _, first = await generate(api, headers, score={"audio_id": await upload(api)})
    status, again = await generate(api, headers, score={"audio_id": await upload(api)})
    assert (status, again["job_id"]) == (200, first["job_id"])
    other = midi_file(note(0, 100, 60))
    status, problem = await generate(api, headers, score={"audio_id": await upload(api, other)})
    assert (status, problem["errors"][0]["field"]) == (422, "Idempotency-Key")


async def test_a_played_score_is_played_again_with_other_instruments(system: System, checkpoint: Path) -> None:
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    first = await play(api, score={"audio_id": await upload(api)}, outputs=["stems"])
    source = {"job_id": first["job_id"], "programs": {"organ": 73}}
    changed = await play(api, score=source, outputs=["stems"])
    assert [each["name"] for each in changed["instruments"]] == ["flute", "drums"]
    assert changed["parent"] == first["job_id"]
    solo = await play(api, score={"job_id": changed["job_id"], "instruments": ["flute"]}, outputs=["midi"])
    assert [(each["name"], each["program"]) for each in solo["instruments"]] == [("flute", 73)]
    async with api.http.get(f"/api/v1/jobs/{solo['job_id']}/lineage") as response:
        family = (await response.json())["jobs"]
    assert [(each["job_id"], each["kind"]) for each in family] == [
        (first["job_id"], None),
        (changed["job_id"], "play"),
        (solo["job_id"], "play"),
    ]
    status, problem = await generate(api, score={"job_id": first["job_id"], "instruments": ["harp"]})
    assert (status, problem["errors"][0]["message"]) == (422, "The score has no 'harp'. It has organ, drums.")


async def test_a_loop_has_the_bars_of_the_file(system: System, checkpoint: Path) -> None:
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    found = await play(api, score={"audio_id": await upload(api)}, loop=True)
    assert (found["bars"], found["loop"]) == (2, True)
    assert found["actual_duration"] == pytest.approx(float(2 * bar_seconds(BPM)), abs=1e-3)


def notes_of(file: bytes) -> list[tuple[int, int, int, int]]:
    """Begin, end, key and velocity of all notes of a MIDI file."""
    parts = read_midi(mido.MidiFile(file=io.BytesIO(file))).parts
    return sorted((note.start, note.end, note.key, note.velocity) for part in parts for note in part.notes)


async def test_a_score_is_given_to_other_instruments(system: System, checkpoint: Path) -> None:
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    score = {"audio_id": await upload(api), "as": "orchestrate"}
    found = await play(api, score=score, components={"genre": "rock", "instruments": ["flute"]}, seed=3)
    assert next(each["name"] for each in found["instruments"]) == "flute"
    assert {"rock", "flute"} <= {each["as"] for each in found["understood"]}
    written = notes_of(await output(api, found, "audio.mid"))
    assert [(begin, end, key % 12) for begin, end, key, _ in written] == [
        (begin, end, key % 12) for begin, end, key, _ in notes_of(SONG)
    ]
    again = await play(api, **{name: value for name, value in found["recipe"].items() if value is not None})
    assert again["cached"]


async def test_what_was_composed_to_a_score_is_a_score_for_the_next_step(system: System, checkpoint: Path) -> None:
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    score = {"audio_id": await upload(api), "as": "accompany"}
    band = await play(api, score=score, prompt="with harp and double bass", seed=3, key="Am")
    assert {"harp", "double bass"} & {each["name"] for each in band["instruments"]}
    assert (band["key"], band["bars"], band["composed"]["candidates"]) == ("A minor", 3, 4)
    longer = await play(api, score={"job_id": band["job_id"], "as": "continue"}, seed=3, bars=4)
    assert (longer["bars"], longer["parent"]) == (4, band["job_id"])
    given, made = notes_of(await output(api, band, "audio.mid")), notes_of(await output(api, longer, "audio.mid"))
    assert set(given) <= set(made)
    quartet = await play(api, score={"job_id": longer["job_id"], "as": "orchestrate"}, prompt="string quartet")
    assert quartet["parent"] == longer["job_id"]
    async with api.http.get(f"/api/v1/jobs/{quartet['job_id']}/lineage") as response:
        kinds = [each["kind"] for each in (await response.json())["jobs"]]
    assert kinds == [None, "continue", "orchestrate"]
    played = await play(api, score={"job_id": band["job_id"]}, outputs=["midi"])
    assert notes_of(await output(api, played, "audio.mid")) == given


async def test_a_take_of_the_model_with_a_midi_file_is_a_score(system: System, checkpoint: Path) -> None:
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    take = await play(api, prompt="happy piano", bars=2, bpm=120, seed=1, outputs=["midi"])
    found = await play(api, score={"job_id": take["job_id"], "as": "orchestrate"}, prompt="string quartet")
    assert (found["parent"], found["meter"]) == (take["job_id"], "4/4")
    mute = await play(api, prompt="happy piano", bars=2, bpm=120, seed=1, cache=False)
    status, problem = await generate(api, score={"job_id": mute["job_id"], "as": "accompany"})
    assert (status, problem["errors"][0]["field"]) == (422, "score.job_id")
    assert "/vary" in problem["errors"][0]["message"]


async def test_variations_of_an_accompaniment_differ_by_their_seeds(system: System, checkpoint: Path) -> None:
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    score = {"audio_id": await upload(api), "as": "accompany"}
    _, accepted = await generate(api, score=score, prompt="house", seed=5, variations=2)
    first, second = [await api.until(each["job_id"], "completed") for each in accepted["takes"]]
    assert [first["seed"], second["seed"]] == [5, 6]
    assert await output(api, first, "audio.mid") != await output(api, second, "audio.mid")


async def test_scores_belong_to_their_key(system: System) -> None:
    api = await system.gateway(**KEYS)
    audio_id = await upload(api, headers=bearer(DAW))
    _, accepted = await generate(api, bearer(DAW), score={"audio_id": audio_id})
    async with api.http.get(f"/api/v1/status/{accepted['job_id']}", headers=bearer(DAW)) as response:
        recipe = (await response.json())["recipe"]
    for score in ({"audio_id": audio_id}, {"job_id": accepted["job_id"]}, recipe["score"]):
        assert (await generate(api, bearer(WEB), score=score))[0] == 404
    assert (await generate(api, bearer(DAW), score=recipe["score"]))[0] == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"score": {}}, "score"),
        ({"score": {"audio_id": "AUD", "job_id": "gen_000000000001"}}, "score"),
        ({"score": {"audio_id": "AUD", "parent": "gen_000000000001"}}, "score.parent"),
        ({"score": {"audio_id": "AUD", "programs": {"organ": 3}}}, "score"),
        ({"score": {"audio_id": "AUD"}, "bpm": 90}, "bpm"),
        ({"score": {"audio_id": "AUD"}, "duration": 9}, "duration"),
        ({"score": {"audio_id": "AUD"}, "variations": 2}, "variations"),
        ({"score": {"audio_id": "AUD"}, "negative_prompt": "drums"}, "negative_prompt"),
        ({"score": {"audio_id": "AUD"}, "model": "small"}, "score"),
        ({"score": {"audio_id": "WAV"}}, "score.audio_id"),
        ({"score": {"audio_id": "AUD", "as": "orchestrate"}}, "prompt"),
        ({"score": {"audio_id": "AUD", "as": "orchestrate"}, "prompt": "something nice"}, "prompt"),
        ({"score": {"audio_id": "AUD", "as": "continue"}, "bars": 1}, "bars"),
        ({"score": {"audio_id": "AUD", "as": "accompany"}, "bpm": 90}, "bpm"),
        (
            {"score": {"audio_id": "AUD", "as": "accompany"}, "prompt": "rock", "components": {"genre": "rock"}},
            "components",
        ),
    ],
)
async def test_what_cannot_be_played_is_refused(system: System, body: dict[str, Any], field: str) -> None:
    api = await system.gateway(MUSICGEN_MODEL_SIZE="starter")
    if (named := body["score"].get("audio_id")) is not None:
        audio_id = await upload(api, FILES["wav"] if named == "WAV" else SONG)
        body = body | {"score": body["score"] | {"audio_id": audio_id}}
    status, problem = await generate(api, **body)
    assert (status, problem["errors"][0]["field"]) == (422, field)


async def test_a_score_that_is_lost_fails_the_job_with_the_remedy(system: System, checkpoint: Path) -> None:
    api = await system.gateway(**with_model(checkpoint))
    _, accepted = await generate(api, score={"audio_id": await upload(api)})
    sha256 = (await api.status(accepted["job_id"]))["recipe"]["score"]["sha256"]
    await system.storage().remove_uploaded(f"{SCORES_PREFIX}no.key/{sha256}.json")
    await system.worker(**with_model(checkpoint))
    found = await api.until(accepted["job_id"], "failed")
    assert "Upload its file again" in found["error_message"]


def test_stored_scores_are_where_the_gateway_may_write() -> None:
    assert SCORES_PREFIX.startswith(UPLOADS_PREFIX)
