"""Every message about jobs as a struct: NATS, WebSocket and the KV bucket carry JSON of these.

Fields are only ever added, with a default, and never renamed or retyped, because programs in the field decode them.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.audio_conditions import AudioConditions
from shared.edits import Edit, ParentAudio
from shared.files import Audio, AudioFormat, Output, OutputKind, OutputLink, SampleFormat, audio_url
from shared.lanes import NORMAL
from shared.music import Measured, Music
from shared.played_score import PlayedScore
from shared.webhook import Webhook

# Errors that decoding untrusted bytes can raise: msgspec's, invalid UTF-8, and too deep nesting.
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

Moment = Annotated[datetime, Meta(tz=True)]
ModelName = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,64}\Z")]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]


_encode = msgspec.json.Encoder().encode
# msgspec writes zero or six decimals. Quotes inside strings are escaped, so user text cannot match this pattern. It
# begins with plain bytes, which the search skips to: five times as fast as with the lookbehind first.
_TIME = re.compile(rb'at":"(?<=[_"]at":")(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{3})\d{3})?Z"')


def encode(message: object) -> bytes:
    """Encode structs, or containers of structs, as JSON. Times always have exactly three decimals."""
    return _TIME.sub(_to_milliseconds, _encode(message))


def _to_milliseconds(time: re.Match[bytes]) -> bytes:
    return b'at":"%b.%bZ"' % (time[1], time[2] or b"000")


def now() -> datetime:
    """The current time in UTC, in whole milliseconds: the precision of every timestamp on the wire."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class JobStatus(StrEnum):
    """The status of a job. Terminal ones never change."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


TERMINAL = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})

EventType = Literal["queued", "processing", "progress", "completed", "failed", "cancelled"]
LIFECYCLE: tuple[EventType, ...] = ("queued", "processing", "completed", "failed", "cancelled")


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What to generate. On the same device the same recipe gives the same files; `outputs` do not affect the audio.

    Attributes:
        duration: in seconds; with `bars` it is their length.
        bars: whole bars in the file; the recipe then has `bpm` and `meter` as well.
        bpm: quarter notes per minute.
        meter: such as 4/4.
        key: in the long form, such as A minor.
        loop: the end of the file continues at its start; the recipe then has `bars`.
        format: of the audio and the stems.
        sample_rate: of the files, in hertz; None is the model's.
        loudness: integrated loudness of the audio in LUFS; None is as the model made it.
        title: of the music, for the file's metadata and name.
        edit: how the take is made of another one, its parent; None if it is composed as a whole.
        negative_prompt: what the music should not be.
        audio: what the music is conditioned on.
        score: the notes that the music is made of, and what becomes of them.
    """

    model: ModelName
    prompt: str
    duration: Annotated[float, Meta(gt=0)]
    temperature: float = 1.0
    top_k: int = 250
    top_p: float = 0.0
    cfg_coef: float = 3.0
    seed: Seed = 0
    sample_format: SampleFormat = "int16"
    outputs: tuple[OutputKind, ...] = ()
    bars: int | None = None
    bpm: float | None = None
    meter: str | None = None
    key: str | None = None
    loop: bool = False
    format: AudioFormat = "wav"
    sample_rate: int | None = None
    loudness: float | None = None
    title: str | None = None
    edit: Edit | None = None
    negative_prompt: str | None = None
    audio: AudioConditions | None = None
    score: PlayedScore | None = None

    @property
    def parent(self) -> str | None:
        """The job that the take is made of."""
        source = self.edit or self.score
        return source.parent if source else None

    @property
    def parent_audio(self) -> ParentAudio | None:
        """The audio that the take is made of, if it is a child of a take without a score."""
        return self.edit.audio if self.edit else None


class RequestedTake(msgspec.Struct, frozen=True, kw_only=True):
    """One of several jobs that a single request asked for; they differ in their seeds."""

    job_id: str
    seed: Seed


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """The message on MUSIC_JOBS: enough to recreate the job's record if that has expired."""

    job_id: str
    recipe: Recipe
    created_at: Moment
    owner: str | None = None
    fingerprint: str | None = None
    lane: str = NORMAL
    webhook: Webhook | None = None


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Duration of each phase of the successful attempt, in seconds."""

    generating: float = 0.0
    encoding: float = 0.0
    uploading: float = 0.0


# Fields whose names on the wire are older than their names here.
_WIRE_NAMES = {"quarantined": "suspect", "awaiting_engine": "waits", "is_follower": "follows"}


class JobRecord(msgspec.Struct, frozen=True, kw_only=True, rename=_WIRE_NAMES):
    """The authoritative state of a job, in the KV bucket; changed only by compare-and-set.

    Attributes:
        keep_requested: a client stopped the job and wants to keep the audio made so far.
        quarantined: the job may have crashed a worker; it runs exclusively in its engine.
        awaiting_engine: a quarantined job that is claimed but not yet in the engine; a crash now is not its fault.
        claims: how often a worker claimed the job. It never falls, unlike `attempts`, which a graceful stop of the
            worker takes back. From 1 on, files of the job may exist in storage.
        owner: the name of the API key that sent the request; None on a gateway without keys.
        expired_at: when the audio expired or was found lost; `audio` still describes it.
        lost: keys of the job's files that are missing from the store or differ from what was stored.
        is_follower: the job has no message in the queue: it waits for its leader, an equal job, or for its gateway to
            answer or queue it.
        source: the job whose stored audio answered this one.
        checkpoint: identifies the model's weights and how the engine computed with them, if the engine knows.
        warnings: sentences about what the model could not do as requested.
        seq: of the event that announced this state, if the record was changed since without a new event.
        music: tempo, key, sections and instruments of the finished audio.
        measured: what was measured of the finished audio.
        extras: files that every job has besides `outputs`: the waveform's peaks and pictures.
        seed: of the take in the file, if the model needed another seed than the recipe's to meet the tempo.
        lane: of the queue; see shared/lanes.py.
        takes: all jobs of the request, this one included, if it asked for variations.
        cancel_at: when the job is cancelled unless it has ended, by the broker's clock.
        attempt_traceparent: the span of the last claim, to which the span of the next one is linked; None while no
            spans are recorded.
    """

    job_id: str
    recipe: Recipe
    created_at: Moment
    updated_at: Moment
    status: JobStatus = JobStatus.QUEUED
    progress: float = 0.0
    message: str = "Generation job queued"
    started_at: Moment | None = None
    completed_at: Moment | None = None
    error_message: str | None = None
    attempts: int = 0
    worker_id: str | None = None
    audio: Audio | None = None
    timings: Timings | None = None
    fingerprint: str | None = None
    traceparent: str | None = None
    keep_requested: bool = False
    quarantined: bool = False
    awaiting_engine: bool = False
    outputs: tuple[Output, ...] = ()
    claims: int = 0
    owner: str | None = None
    expired_at: Moment | None = None
    lost: tuple[str, ...] = ()
    seq: int = 0
    is_follower: bool = False
    source: str | None = None
    checkpoint: str | None = None
    warnings: tuple[str, ...] = ()
    music: Music | None = None
    measured: Measured | None = None
    extras: tuple[Output, ...] = ()
    seed: Seed | None = None
    lane: str = NORMAL
    takes: tuple[RequestedTake, ...] = ()
    cancel_at: Moment | None = None
    webhook: Webhook | None = None
    attempt_traceparent: str | None = None

    def is_visible_to(self, viewer: str | None) -> bool:
        """Whether the API key of this name may see the job; None, on a gateway without keys, sees every job."""
        return viewer is None or viewer == self.owner

    @property
    def files(self) -> tuple[Audio | Output, ...]:
        """The stored files of the job, the audio first."""
        return (*filter(None, (self.audio,)), *self.outputs, *self.extras)

    @property
    def known_music(self) -> Music:
        """The music of the finished job; before that, and in records of earlier versions, what its recipe states."""
        if self.music is not None:
            return self.music
        recipe = self.recipe
        return Music(bpm=recipe.bpm, key=recipe.key, meter=recipe.meter, bars=recipe.bars)

    @property
    def has_audio(self) -> bool:
        """Whether the job has audio that has not expired by this record; the audio of its `source` may have."""
        return self.status.is_terminal and self.audio is not None and self.expired_at is None

    @property
    def keeps_audio(self) -> bool:
        """Whether this record keeps audio in the store, as opposed to sharing another job's."""
        return self.has_audio and self.source is None

    @property
    def can_be_shared(self) -> bool:
        """Whether the files of this job can answer an equal one."""
        return self.status is JobStatus.COMPLETED and self.keeps_audio and not self.lost


def job_of(record: JobRecord) -> Job:
    """The queue message for a record."""
    return Job(
        job_id=record.job_id,
        recipe=record.recipe,
        created_at=record.created_at,
        owner=record.owner,
        fingerprint=record.fingerprint,
        lane=record.lane,
        webhook=record.webhook,
    )


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a job, as sent over WebSocket and on `music.events.<job_id>.<type>`.

    `seq` rises with every event of a job: it is the revision of the record that it announces.
    """

    type: EventType
    job_id: str
    seq: int
    status: JobStatus
    progress: float
    message: str
    at: Moment
    attempts: int = 0
    error_message: str | None = None
    audio_url: str | None = None
    file_size: int | None = None
    actual_duration: float | None = None
    outputs: tuple[OutputLink, ...] = ()


def output_links(record: JobRecord) -> tuple[OutputLink, ...]:
    """Download links of a job's outputs, without lost files."""
    if record.expired_at:
        return ()
    return tuple(
        OutputLink(
            kind=output.kind,
            name=output.name,
            size=output.size,
            download_url=f"{audio_url(record.job_id)}/{output.name}",
            instrument=output.instrument,
            program=output.program,
            gain_db=output.gain_db,
        )
        for output in record.outputs
        if output.key not in record.lost
    )


def event_of(record: JobRecord, revision: int, kind: EventType | None = None) -> Event:
    """The event that announces `record` at `revision`; a lifecycle event unless `kind` is given."""
    audio = None if record.expired_at else record.audio
    return Event(
        type=kind or record.status.value,
        job_id=record.job_id,
        seq=record.seq or revision,
        status=record.status,
        progress=record.progress,
        message=record.message,
        at=record.updated_at,
        attempts=record.attempts,
        error_message=record.error_message,
        audio_url=audio_url(record.job_id) if audio else None,
        file_size=audio.size if audio else None,
        actual_duration=audio.duration if audio else None,
        outputs=output_links(record),
    )
