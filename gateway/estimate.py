"""How long jobs take, learned from those that are done."""

from shared.messages import JobRecord, JobStatus

# The newest job counts this much: a machine that slows down is noticed after a few jobs.
WEIGHT = 0.3


class Estimator:
    """Seconds of work for a second of audio, by model: an exponentially weighted mean."""

    def __init__(self) -> None:
        self._factors: dict[str, float] = {}

    def observe(self, record: JobRecord) -> None:
        """Learn from a completed job; others teach nothing."""
        if record.status is not JobStatus.COMPLETED or record.timings is None:
            return
        timings, model = record.timings, record.recipe.model
        factor = (timings.generating + timings.encoding + timings.uploading) / record.recipe.duration
        known = self._factors.get(model, factor)
        self._factors[model] = known + WEIGHT * (factor - known)

    def seconds(self, model: str, audio_seconds: float) -> float | None:
        """How long `audio_seconds` of audio should take, or None before the first job was timed."""
        factor = self._factors.get(model)
        return None if factor is None else factor * audio_seconds
