"""The client's view of a job: its record, its place in the queue and its estimated time."""

from datetime import timedelta

from msgspec.structs import replace

from gateway.index.estimator import QueuePlace
from gateway.index.job_index import JobIndex
from gateway.index.recipe_key import recipe_key
from gateway.index.worker_registry import WorkerRegistry
from gateway.jobs.file_names import file_name
from gateway.schemas import JobView, Links
from shared.files import PEAKS, audio_url, stored_name
from shared.lanes import priority_of
from shared.messages import JobRecord, JobStatus, now, output_links
from shared.worker_info import ModelState

# Workers report progress several times a second. A running job without a change for this long, by this machine's
# clock, counts as abandoned if its worker does not announce itself either.
ABANDONED = timedelta(seconds=8)

# The times of a record that its view has, too.
_TIMES = ("created_at", "started_at", "completed_at", "cancel_at")


class Views:
    """Builds views from memory alone, so that polling is cheap."""

    def __init__(self, index: JobIndex, workers: WorkerRegistry) -> None:
        self._index = index
        self._workers = workers

    def of(self, record: JobRecord) -> JobView:
        """The view of `record` now."""
        keeper = self._index.keeper(record)
        return self._view(record, keeper, self._place(record), expired=self._index.has_expired(record))

    def _place(self, record: JobRecord) -> QueuePlace | None:
        """The job's place in the queue; None if it does not wait for a worker."""
        waits = record.status is JobStatus.QUEUED and not record.is_follower
        return self._index.queue_place(record) if waits else None

    def _view(self, record: JobRecord, keeper: JobRecord | None, place: QueuePlace | None, *, expired: bool) -> JobView:
        recipe, audio, music, links = record.recipe, record.audio, record.known_music, _links(record, expired=expired)
        return JobView(
            job_id=record.job_id,
            status=record.status,
            progress=record.progress,
            message=self._message(record, keeper, place.jobs if place else 0, expired=expired),
            **{name: getattr(record, name) for name in _TIMES},
            error_message=record.error_message,
            prompt=recipe.prompt,
            duration=recipe.duration,
            audio_url=links.audio,
            file_size=audio.size if audio else None,
            actual_duration=audio.duration if audio else None,
            model=recipe.model,
            seed=recipe.seed if record.seed is None else record.seed,
            attempts=record.attempts,
            priority=priority_of(record.lane),
            queue_position=place.jobs + 1 if place else None,
            eta_seconds=self._eta(record, place),
            recipe=recipe,
            audio=audio,
            timings=record.timings,
            outputs=() if expired or keeper is None else output_links(replace(record, lost=keeper.lost)),
            audio_expired=expired,
            cached=record.source is not None,
            warnings=record.warnings,
            bpm=music.bpm,
            key=music.key,
            meter=music.meter,
            bars=music.bars,
            loop=_is_loop(record),
            sample_rate=audio.sample_rate if audio else recipe.sample_rate,
            format=recipe.format,
            file_name=file_name(record, stored_name(audio.key)) if audio else None,
            title=recipe.title,
            takes=record.takes or None,
            measured=record.measured,
            instruments=music.instruments or None,
            sections=music.sections or None,
            understood=music.understood,
            ignored=music.ignored,
            ignored_because=music.ignored_because,
            links=links,
            peaks_url=None if expired or keeper is None else _peaks_url(record, keeper.lost),
            parent=recipe.parent,
            composed=music.composed,
        )

    def _message(self, record: JobRecord, keeper: JobRecord | None, ahead: int, *, expired: bool) -> str:
        """The record's message, unless the job waits, or its audio or its worker is gone."""
        if record.status is JobStatus.QUEUED:
            return self._queued_message(record, ahead)
        if expired:
            return keeper.message if keeper and keeper.lost else "The audio has expired"
        abandoned = record.status is JobStatus.PROCESSING and now() - record.updated_at > ABANDONED
        if abandoned and all(worker.worker_id != record.worker_id for worker in self._workers.live()):
            return "Its worker is gone; the job waits for another worker"
        return record.message

    def _queued_message(self, record: JobRecord, ahead: int) -> str:
        model = record.recipe.model
        served = self._workers.of_model(model)
        if not served:
            return f"Waiting: no worker serves the model {model} now. Start one with MUSICGEN_MODEL_SIZE={model}."
        if not self._workers.ready(model):
            worker, about = min(served, key=lambda each: (not each[0].takes_jobs, each[1].state is ModelState.FAILED))
            return f"Waiting for the model {model}: {about.message if worker.takes_jobs else worker.message}"
        return f"Queued behind {ahead} other jobs" if ahead else record.message

    def _eta(self, record: JobRecord, place: QueuePlace | None) -> float | None:
        """Seconds until the job completes; None without a ready worker or a timed job of its model."""
        if record.is_follower:
            leader = self._index.record(self._index.by_recipe.active(recipe_key(record)) or "")
            return self._eta(leader, self._place(leader)) if leader else None
        model, estimator = record.recipe.model, self._index.estimator
        ready = self._workers.ready(model)
        if record.status is JobStatus.PROCESSING:
            seconds = estimator.remaining(record, len(ready))
        elif place and (slots := sum(each.slots for each in ready)):
            seconds = estimator.queued(record, place, slots, len(ready))
        else:
            return None
        return None if seconds is None else round(seconds, 1)


def _is_loop(record: JobRecord) -> bool:
    """What is kept of a cancelled job has only some of its bars, so its file is no loop."""
    return record.recipe.loop and not (record.audio and record.status is JobStatus.CANCELLED)


def _links(record: JobRecord, *, expired: bool) -> Links:
    """The job's paths."""
    audio = None if expired else record.audio
    return Links(
        status=f"/api/v1/status/{record.job_id}",
        cancel=None if record.status.is_terminal else f"/api/v1/jobs/{record.job_id}",
        events=f"/api/v1/jobs/{record.job_id}/events",
        audio=audio_url(record.job_id) if audio else None,
        bundle=f"{audio_url(record.job_id)}/bundle.zip" if audio else None,
    )


def _peaks_url(record: JobRecord, lost: tuple[str, ...]) -> str | None:
    has_peaks = any(file.name == PEAKS and file.key not in lost for file in record.extras)
    return f"{audio_url(record.job_id)}/{PEAKS}" if has_peaks else None
