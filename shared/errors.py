"""Errors that users and operators read. Messages say what to do next, unless a retry is all that helps."""


class MusicgenError(Exception):
    """Base of all errors that this project raises on purpose."""


class SettingsError(MusicgenError):
    """A setting is missing or wrong. The message names it and says what it may be."""


class TopologyError(MusicgenError):
    """A stream, consumer or bucket exists with other settings than this version needs."""


class UnavailableError(MusicgenError):
    """NATS or S3 cannot be reached now. The same call may work later."""


class DiskError(UnavailableError):
    """A disk of the worker cannot be written."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"The worker's disk cannot be written: {reason}. Free some space on it.")


class BucketError(UnavailableError):
    """S3 answers, but the bucket is missing or these keys may not use it. An operator has to fix that."""


class DamagedRecordError(UnavailableError):
    """The value under a job's key is not a valid record of that job.

    Attributes:
        revision: of the value; a compare-and-set on it replaces the value with a valid record.
        data: the stored value.
    """

    def __init__(self, job_id: str, revision: int, data: bytes, why: str) -> None:
        super().__init__(
            f"The record of {job_id} is damaged: {why.rstrip('.')}. An operator sees it with "
            f"`nats kv get music_jobs {job_id}` and removes it with `nats kv del music_jobs {job_id}`."
        )
        self.revision = revision
        self.data = data


class QueueFullError(UnavailableError):
    """The job queue has reached its limit."""


class ConflictError(MusicgenError):
    """A record changed between reading and writing: the compare-and-set lost."""


class TransitionError(MusicgenError):
    """A change of a record that no transition allows."""


class ModelUnavailableError(MusicgenError):
    """The model cannot be loaded.

    Attributes:
        remedy: one sentence that tells the operator what would help.
        retryable: whether a retry may help, for example after a network failure.
    """

    def __init__(self, reason: str, remedy: str, *, retryable: bool = False) -> None:
        super().__init__(reason)
        self.remedy = remedy
        self.retryable = retryable
