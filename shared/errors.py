"""The errors that a person gets to read. Every message says what to do next."""


class MusicgenError(Exception):
    """Base of all errors that this project raises on purpose."""


class SettingsError(MusicgenError):
    """A setting is missing or wrong. The message names it and says what it may be."""


class TopologyError(MusicgenError):
    """A stream, consumer or bucket exists with other settings than this version needs."""


class UnavailableError(MusicgenError):
    """NATS or S3 cannot be reached now. The same call may work later."""


class BucketError(UnavailableError):
    """S3 answers, but the bucket is not there or is closed to these keys. An operator has to mend it."""


class DamagedRecordError(UnavailableError):
    """What is stored under a job's key is no record of that job, or one with which no job can go on.

    Attributes:
        revision: at which it is stored. A compare-and-set on it puts a record in its place.
        data: what is stored.
    """

    def __init__(self, job_id: str, revision: int, data: bytes, why: str) -> None:
        super().__init__(
            f"The record of {job_id} is damaged: {why.rstrip('.')}. An operator sees it with "
            f"`nats kv get music_jobs {job_id}` and removes it with `nats kv del music_jobs {job_id}`."
        )
        self.revision = revision
        self.data = data


class QueueFullError(UnavailableError):
    """The job queue holds as many jobs as it may."""


class ConflictError(MusicgenError):
    """A record changed between reading and writing: the compare-and-set lost."""


class TransitionError(MusicgenError):
    """A record was about to change in a way in which no job does."""


class ModelUnavailableError(MusicgenError):
    """The model cannot be loaded. `remedy` says what would help.

    Attributes:
        remedy: one sentence for the person who runs the worker.
        retryable: whether waiting may help, as with a network that is away.
    """

    def __init__(self, reason: str, remedy: str, *, retryable: bool = False) -> None:
        super().__init__(reason)
        self.remedy = remedy
        self.retryable = retryable
