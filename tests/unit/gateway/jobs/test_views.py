"""The client's view of a job."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from gateway.index.estimator import Estimator
from gateway.index.job_index import JobIndex
from gateway.index.worker_registry import WorkerRegistry
from gateway.jobs.views import Views
from gateway.schemas import JobView
from shared.messages import JobRecord, JobStatus, encode, now
from shared.music import Ignored, Instrument, Measured, Music, SectionStart, Understood
from shared.records import Entry
from shared.transitions import file_lost
from shared.worker_info import ModelState, WorkerInfo, WorkerModel, WorkerState
from tests.unit.gateway.samples import NOON, completed, entry, extras, job_id, message, outputs, record, worker

FINISHED = [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED]


async def view(of: JobRecord, *others: JobRecord, workers: tuple[WorkerInfo, ...] = (worker(),)) -> JobView:
    """The view of a job in an index with others."""
    index, registry = JobIndex(Estimator()), WorkerRegistry()
    for each in (*others, of):
        index.apply(entry(each))
    for info in workers:
        await registry.on_message(message(f"music.workers.{info.worker_id}", info))
    return Views(index, registry).of(of)


async def test_the_first_queued_job_has_position_1() -> None:
    seen = await view(record(1, age=10))
    assert seen.queue_position == 1
    assert seen.message == "Generation job queued"


async def test_only_older_queued_jobs_of_the_same_model_are_ahead() -> None:
    others = (
        record(2, age=20),
        record(3, age=15),
        record(4, age=5),
        record(5, age=30, model="small"),
        record(6, age=30, status=JobStatus.PROCESSING),
        completed(7, age=30),
    )
    seen = await view(record(1, age=10), *others)
    assert seen.queue_position == 3
    assert seen.message == "Queued behind 2 other jobs"


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.QUEUED])
async def test_a_job_outside_the_queue_has_no_position_and_its_own_message(status: JobStatus) -> None:
    seen = await view(record(1, status=status, message="Own words", updated_at=now()), workers=())
    assert seen.queue_position is None
    assert seen.message == "Own words"


async def test_a_job_whose_worker_is_gone_says_so() -> None:
    abandoned = record(1, status=JobStatus.PROCESSING, message="Generating", worker_id="gone")
    assert "Its worker is gone" in (await view(abandoned)).message


async def test_without_a_worker_of_the_model_the_message_says_how_to_start_one() -> None:
    seen = await view(record(1, model="large"))
    assert "no worker serves the model large" in seen.message
    assert "MUSICGEN_MODEL_SIZE=large" in seen.message


@pytest.mark.parametrize("state", [WorkerState.LOADING, WorkerState.FAILED, WorkerState.STOPPING])
async def test_without_a_ready_worker_the_message_is_the_workers_own(state: WorkerState) -> None:
    seen = await view(record(1), workers=(worker("w1", state=state, message="Downloading 40 %"),))
    assert "Downloading 40 %" in seen.message


async def test_a_job_of_a_model_that_is_not_loaded_says_so_until_a_worker_has_it_loaded() -> None:
    loadable = WorkerModel(name="starter", state=ModelState.LOADABLE, message="It is loaded for a job")
    failed = WorkerModel(name="starter", state=ModelState.FAILED, message="Damaged")
    loaded = WorkerModel(name="starter", state=ModelState.LOADED, message="Ready", slots=2)
    workers = worker("w1", models=(failed,)), worker("w2", model="small", models=(loadable,))
    assert (await view(record(1), workers=workers)).message == "Waiting for the model starter: It is loaded for a job"
    seen = await view(record(1), workers=(*workers, worker("w3", model="small", models=(loaded,))))
    assert seen.message == "Generation job queued"


async def test_one_ready_worker_is_enough() -> None:
    loading = worker("w0", state=WorkerState.LOADING)
    assert (await view(record(1), workers=(loading, worker("w1")))).message == "Generation job queued"


async def test_eta_counts_the_audio_ahead_shared_by_all_slots() -> None:
    # Five seconds of work for each job, two of which are ahead.
    jobs = (record(1), completed(2), record(3, age=2), record(4, age=1))
    assert (await view(*jobs, workers=(worker(slots=1),))).eta_seconds == pytest.approx(10 + 5)
    two = await view(*jobs, workers=(worker("w1", slots=1), worker("w2", slots=1)))
    assert two.eta_seconds == pytest.approx(10 / 2 + 5, abs=0.1)


async def test_eta_counts_the_remainder_of_running_jobs() -> None:
    running = record(3, status=JobStatus.PROCESSING, started_at=NOON, updated_at=NOON, progress=0.05)
    seen = await view(record(1), completed(2), running, workers=(worker(slots=1),))
    assert seen.eta_seconds == pytest.approx(0.95 * 5 + 5, abs=0.1)


async def test_eta_with_a_free_slot_ignores_running_jobs() -> None:
    seen = await view(record(1), completed(2), workers=(worker("w1", slots=1), worker("w2", slots=1)))
    assert seen.eta_seconds == pytest.approx(5.0)


async def test_eta_of_a_running_job_follows_its_progress() -> None:
    running = record(1, status=JobStatus.PROCESSING, started_at=NOON, updated_at=NOON, progress=0.05)
    assert (await view(running, completed(2))).eta_seconds == pytest.approx(0.95 * 5, abs=0.1)


async def test_eta_of_a_running_job_without_progress_follows_its_workers_clock() -> None:
    times: dict[str, Any] = {"started_at": NOON, "updated_at": NOON + timedelta(seconds=2)}
    running = record(1, status=JobStatus.PROCESSING, **times)
    assert (await view(running, completed(2))).eta_seconds == pytest.approx(3.0)
    late = record(1, status=JobStatus.PROCESSING, started_at=NOON, updated_at=NOON + timedelta(hours=1))
    assert (await view(late, completed(2))).eta_seconds == 0.0


async def test_no_eta_before_a_job_of_the_model_was_timed() -> None:
    assert (await view(record(1), completed(2, model="small"))).eta_seconds is None


async def test_no_eta_without_a_slot() -> None:
    assert (await view(record(1), completed(2), workers=())).eta_seconds is None


@pytest.mark.parametrize("status", FINISHED)
async def test_a_finished_job_has_no_eta(status: JobStatus) -> None:
    assert (await view(record(1, status=status), completed(2))).eta_seconds is None


async def test_times_are_the_records_to_the_millisecond() -> None:
    moment = NOON.replace(microsecond=999_000)
    seen = await view(completed(1, created_at=moment, started_at=moment, completed_at=None))
    assert (seen.created_at, seen.started_at, seen.completed_at) == (moment, moment, None)


async def test_a_completed_job_has_the_url_of_its_audio() -> None:
    seen = await view(completed(1))
    assert seen.audio_url == f"/api/v1/download/{job_id(1)}"
    assert (seen.file_size, seen.actual_duration) == (44, 10.0)


async def test_a_job_lists_its_outputs() -> None:
    seen = await view(completed(1, outputs=outputs(1)))
    url = f"/api/v1/download/{job_id(1)}"
    unknown = {"instrument": None, "program": None, "gain_db": None}
    assert msgspec.to_builtins(seen.outputs) == (
        {"kind": "midi", "name": "audio.mid", "size": 44, "download_url": f"{url}/audio.mid"} | unknown,
        {"kind": "stem", "name": "bass.wav", "size": 44, "download_url": f"{url}/bass.wav"} | unknown,
    )
    assert (await view(completed(2))).outputs == ()


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.PROCESSING, JobStatus.FAILED])
async def test_a_job_without_audio_has_null_audio_fields(status: JobStatus) -> None:
    seen = await view(record(1, status=status))
    assert (seen.audio_url, seen.file_size, seen.actual_duration, seen.audio) == (None, None, None, None)


async def test_a_follower_has_no_queue_position_and_its_leaders_eta() -> None:
    timed = completed(9)  # half a second of work for each of audio
    first = record(1, status=JobStatus.PROCESSING, started_at=now(), attempts=1, updated_at=now())
    seen = await view(record(2, is_follower=True, message="It is being made"), timed, first)
    assert (seen.queue_position, seen.message, seen.cached) == (None, "It is being made", False)
    assert seen.eta_seconds == pytest.approx(5, abs=0.5)
    assert "no worker serves" in (await view(record(2, is_follower=True), first, workers=())).message


def test_shared_audio_expires_with_its_source() -> None:
    index = JobIndex(Estimator())
    shared = completed(2, audio=completed(1).audio, source=job_id(1), outputs=outputs(1))
    index.apply(entry(shared, 2))
    views = Views(index, WorkerRegistry())
    assert views.of(shared).audio_expired  # its keeper is gone
    index.apply(entry(completed(1), 3))
    seen = views.of(shared)
    assert (seen.cached, seen.audio_expired, seen.audio_url) == (True, False, f"/api/v1/download/{job_id(2)}")
    assert len(seen.outputs) == 2
    index.apply(entry(completed(1, expired_at=now()), 4))
    seen = views.of(shared)
    assert (seen.audio_expired, seen.audio_url, seen.outputs) == (True, None, ())
    assert seen.message == "The audio has expired"


def test_shared_files_are_lost_with_their_source_and_lost_outputs_are_not_listed() -> None:
    index = JobIndex(Estimator())
    shared = completed(2, audio=completed(1).audio, source=job_id(1), outputs=outputs(1))
    keeper = entry(completed(1, outputs=outputs(1)))
    midi, stem = outputs(1)
    views = Views(index, WorkerRegistry())
    without = Entry(file_lost(*keeper, midi), 2)
    index.apply(without)
    for job, names in ((without.record, [stem.name]), (shared, [stem.name])):
        seen = views.of(job)
        assert ([each.name for each in seen.outputs], seen.audio_expired) == (names, False)
        assert seen.audio_url is not None
    assert without.record.audio is not None
    index.apply(Entry(file_lost(*without, without.record.audio), 3))
    seen = views.of(shared)
    assert (seen.audio_expired, seen.audio_url, seen.outputs) == (True, None, ())
    assert seen.message.startswith("The audio is lost")


MUSIC = Music(
    bpm=124.0,
    key="A minor",
    meter="4/4",
    bars=8,
    sections=(SectionStart(name="verse", bar=1, start=0.0),),
    instruments=(Instrument(name="strings", stream="pads", program=48, channel=3),),
    understood=(Understood("124bpm", "124 BPM"), Understood("violins", "strings")),
    ignored=("vocals",),
    ignored_because=(Ignored("vocals", "the starter has no singer"),),
)


async def test_a_finished_job_tells_its_music_and_measurements() -> None:
    measured = Measured(lufs=-14.1, true_peak_dbtp=-1.2, downbeats=(0.0, 1.935))
    done = completed(1, music=MUSIC, measured=measured, extras=extras(1), seed=9)
    recipe = replace(done.recipe, bpm=100.0, bars=4, loop=True, format="flac", title="Night")
    seen = json.loads(encode(await view(replace(done, recipe=recipe))))
    assert (seen["bpm"], seen["key"], seen["meter"], seen["bars"], seen["loop"]) == (124, "A minor", "4/4", 8, True)
    assert (seen["format"], seen["sample_rate"], seen["title"], seen["seed"]) == ("flac", 32_000, "Night", 9)
    unknown = dict.fromkeys(("bpm", "bpm_confidence", "key", "key_confidence", "gain_db"))
    assert seen["measured"] == {**unknown, "lufs": -14.1, "true_peak_dbtp": -1.2, "downbeats": [0.0, 1.935]}
    assert seen["sections"] == [{"name": "verse", "bar": 1, "start": 0.0}]
    assert seen["instruments"] == [{"name": "strings", "stream": "pads", "program": 48, "channel": 3}]
    assert seen["understood"] == [{"words": "124bpm", "as": "124 BPM"}, {"words": "violins", "as": "strings"}]
    assert seen["ignored"] == ["vocals"]
    assert seen["ignored_because"] == [{"words": "vocals", "because": "the starter has no singer"}]
    assert seen["file_name"] == f"Night_124bpm_Amin_8bars_{job_id(1)}.wav"
    url = f"/api/v1/download/{job_id(1)}"
    assert seen["peaks_url"] == f"{url}/audio.peaks.json"
    assert seen["links"] == {
        "self": f"/api/v1/status/{job_id(1)}",
        "cancel": None,
        "events": f"/api/v1/jobs/{job_id(1)}/events",
        "audio": url,
        "bundle": f"{url}/bundle.zip",
    }


async def test_what_is_kept_of_a_cancelled_loop_is_no_loop() -> None:
    done = completed(1, music=MUSIC)
    kept = replace(done, status=JobStatus.CANCELLED, recipe=replace(done.recipe, loop=True))
    assert (await view(kept)).loop is False
    assert (await view(replace(kept, audio=None))).loop is True


async def test_an_unfinished_job_tells_what_its_recipe_states() -> None:
    queued = record(1)
    seen = await view(queued)
    assert (seen.bpm, seen.key, seen.meter, seen.bars, seen.loop, seen.title) == (None, None, None, None, False, None)
    assert (seen.sample_rate, seen.format, seen.file_name, seen.peaks_url) == (None, "wav", None, None)
    assert (seen.measured, seen.instruments, seen.sections) == (None, None, None)
    assert (seen.understood, seen.ignored, seen.ignored_because) == (None, None, None)
    assert (seen.links.cancel, seen.links.audio) == (f"/api/v1/jobs/{job_id(1)}", None)
    on_grid = replace(queued.recipe, bars=8, bpm=124.0, meter="3/4", key="A minor", loop=True, sample_rate=48_000)
    seen = await view(replace(queued, recipe=on_grid))
    assert (seen.bpm, seen.key, seen.meter, seen.bars, seen.loop) == (124, "A minor", "3/4", 8, True)
    assert seen.sample_rate == 48_000


async def test_unknown_music_of_a_finished_job_is_not_guessed_from_the_recipe() -> None:
    done = completed(1, music=Music(meter="4/4"))
    seen = await view(replace(done, recipe=replace(done.recipe, bpm=124.0, key="A minor", bars=8)))
    assert (seen.bpm, seen.key, seen.meter, seen.bars) == (None, None, "4/4", None)
    assert (seen.instruments, seen.sections) == (None, None)


async def test_the_seed_of_the_take_may_be_0() -> None:
    done = completed(1, seed=0)
    assert (await view(replace(done, recipe=replace(done.recipe, seed=5)))).seed == 0
    assert (await view(replace(done, seed=None, recipe=replace(done.recipe, seed=5)))).seed == 5


def test_lost_peaks_have_no_url() -> None:
    index = JobIndex(Estimator())
    keeper = entry(completed(1, extras=extras(1)))
    shared = completed(2, audio=completed(1).audio, source=job_id(1), extras=extras(1))
    index.apply(keeper)
    views = Views(index, WorkerRegistry())
    assert views.of(shared).peaks_url == f"/api/v1/download/{job_id(2)}/audio.peaks.json"
    without = Entry(file_lost(*keeper, extras(1)[0]), 2)
    index.apply(without)
    assert (views.of(shared).peaks_url, views.of(without.record).peaks_url) == (None, None)
    assert views.of(shared).audio_url is not None
    index.apply(entry(completed(1, extras=extras(1), expired_at=now()), 3))
    assert views.of(shared).peaks_url is None
