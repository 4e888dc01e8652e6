"""The client's view of a job: its record, its place in the queue and its estimated time."""

from datetime import timedelta

from msgspec.structs import replace

from gateway.index.estimator import QueuePlace
from gateway.index.job_index import JobIndex
from gateway.index.recipe_index import recipe_key
from gateway.index.worker_registry import WorkerRegistry
from gateway.schemas import JobView
from shared.files import audio_url
from shared.messages import JobRecord, JobStatus, WorkerState, now, output_links

# Workers report progress several times a second. A running job without a change for this long, by this machine's
# clock, counts as abandoned if its worker does not announce itself either.
ABANDONED = timedelta(seconds=8)


class Views:
    """Builds views from memory alone, so that polling is cheap."""

    def __init__(self, index: JobIndex, workers: WorkerRegistry) -> None:
        self._index = index
        self._workers = workers

    def of(self, record: JobRecord) -> JobView:
        """The view of `record` now."""
        recipe, audio = record.recipe, record.audio
        queued = record.status is JobStatus.QUEUED
        expired, keeper = self._index.has_expired(record), self._index.keeper(record)
        waits = queued and not record.is_follower
        ahead = self._index.queue_place(record) if waits else QueuePlace(0, 0.0)
        return JobView(
            job_id=record.job_id,
            status=record.status,
            progress=record.progress,
            message=self._queued_message(record, ahead.jobs) if queued else self._message(record, expired, keeper),
            created_at=record.created_at,
            started_at=record.started_at,
            completed_at=record.completed_at,
            error_message=record.error_message,
            prompt=recipe.prompt,
            duration=recipe.duration,
            audio_url=audio_url(record.job_id) if audio and not expired else None,
            file_size=audio.size if audio else None,
            actual_duration=audio.duration if audio else None,
            model=recipe.model,
            seed=recipe.seed,
            attempts=record.attempts,
            queue_position=ahead.jobs + 1 if waits else None,
            eta_seconds=self._eta(record, ahead),
            recipe=recipe,
            audio=audio,
            timings=record.timings,
            outputs=() if expired or keeper is None else output_links(replace(record, lost=keeper.lost)),
            audio_expired=expired,
            cached=record.source is not None,
            warnings=record.warnings,
        )

    def _message(self, record: JobRecord, expired: bool, keeper: JobRecord | None) -> str:
        """The record's message, unless its audio or its worker is gone."""
        if expired:
            return keeper.message if keeper and keeper.lost else "The audio has expired"
        abandoned = record.status is JobStatus.PROCESSING and now() - record.updated_at > ABANDONED
        if abandoned and all(worker.worker_id != record.worker_id for worker in self._workers.live()):
            return "Its worker is gone; the job waits for another worker"
        return record.message

    def _queued_message(self, record: JobRecord, ahead: int) -> str:
        model = record.recipe.model
        workers = self._workers.of_model(model)
        if not workers:
            return f"Waiting: no worker serves the model {model} now. Start one with MUSICGEN_MODEL_SIZE={model}."
        if not any(worker.state is WorkerState.READY for worker in workers):
            return f"Waiting for the model {model}: {workers[0].message}"
        return f"Queued behind {ahead} other jobs" if ahead else record.message

    def _eta(self, record: JobRecord, ahead: QueuePlace) -> float | None:
        """Seconds until the job completes; None without a ready worker or a timed job of its model."""
        if record.is_follower:
            leader = self._index.record(self._index.by_recipe.active(recipe_key(record)) or "")
            return self._eta(leader, self._index.queue_place(leader)) if leader else None
        model, estimator = record.recipe.model, self._index.estimator
        ready = self._workers.ready(model)
        if record.status is JobStatus.PROCESSING:
            seconds = estimator.remaining(record, len(ready))
        elif record.status is JobStatus.QUEUED and (slots := sum(worker.slots for worker in ready)):
            seconds = estimator.queued(record, ahead, slots, len(ready))
        else:
            return None
        return None if seconds is None else round(seconds, 1)
