"""Examples in the OpenAPI document: of the structs themselves, so that they have every field."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.jobs.edit_requests import ChildAccepted, Lineage, Relative
from gateway.live.messages import ErrorMessage, Ping, Pong, Unsubscribe
from gateway.problems import FieldError, ProblemDetails
from gateway.prompts import PromptComponents, build_prompt, parse_prompt
from gateway.schemas import JobAccepted, JobList, JobView, Links, Message, ParseRequest
from shared.audio_chunk import AudioChunk
from shared.files import Audio, audio_key, audio_url
from shared.messages import Event, JobStatus, Recipe, RequestedTake, Timings, encode
from shared.music import Instrument, Measured, SectionStart, Understood

JOB_ID = "gen_abc123456789"
_CREATED, _STARTED, _COMPLETED = (
    datetime.fromisoformat(f"2024-12-01T10:00:{second}Z") for second in ("00.125", "00.250", "04.500")
)
_PROMPT = "house with piano"
_RECIPE = Recipe(
    model="starter",
    prompt=_PROMPT,
    duration=480 / 31,
    seed=7,
    bars=8,
    bpm=124.0,
    meter="4/4",
    key="A minor",
    loop=True,
    sample_rate=48_000,
)
_AUDIO = Audio(
    key=audio_key(JOB_ID),
    size=2_973_000,
    duration=480 / 31,
    sample_rate=48_000,
    channels=2,
    sha256="5f" * 32,
    s3_etag="9e" * 16,
)
_ACCEPTED = JobAccepted(job_id=JOB_ID, status=JobStatus.QUEUED, message="Generation job started", created_at=_CREATED)
_TAKES = (RequestedTake(job_id=JOB_ID, seed=7), RequestedTake(job_id="gen_def123456789", seed=8))
_JOB = JobView(
    job_id=JOB_ID,
    status=JobStatus.COMPLETED,
    progress=1.0,
    message="Generation completed successfully",
    created_at=_CREATED,
    started_at=_STARTED,
    completed_at=_COMPLETED,
    error_message=None,
    prompt=_PROMPT,
    duration=_RECIPE.duration,
    audio_url=audio_url(JOB_ID),
    file_size=_AUDIO.size,
    actual_duration=_AUDIO.duration,
    model="starter",
    seed=7,
    attempts=1,
    priority="normal",
    queue_position=None,
    eta_seconds=None,
    recipe=_RECIPE,
    audio=_AUDIO,
    timings=Timings(generating=3.1, encoding=0.4, uploading=0.1),
    outputs=(),
    audio_expired=False,
    cached=False,
    warnings=(),
    bpm=124.0,
    key="A minor",
    meter="4/4",
    bars=8,
    loop=True,
    sample_rate=48_000,
    format="wav",
    file_name=f"house_with_piano_124bpm_Amin_8bars_{JOB_ID}.wav",
    title=None,
    takes=None,
    measured=Measured(lufs=-14.0, true_peak_dbtp=-1.0),
    instruments=(Instrument(name="piano", stream="chords", program=0, channel=1),),
    sections=(SectionStart(name="verse", bar=1, start=0.0),),
    understood=(Understood("house", "house"), Understood("piano", "piano")),
    ignored=(),
    ignored_because=(),
    links=Links(
        status=f"/api/v1/status/{JOB_ID}",
        events=f"/api/v1/jobs/{JOB_ID}/events",
        audio=audio_url(JOB_ID),
        bundle=f"{audio_url(JOB_ID)}/bundle.zip",
    ),
    peaks_url=f"{audio_url(JOB_ID)}/audio.peaks.json",
    parent=None,
    composed=None,
    cancel_at=None,
)
_COMPONENTS = PromptComponents(genre="jazz", instruments=("piano", "double bass"), meter="3/4")

# Bodies are written as a person would: without the fields that they leave to the gateway.
_EXAMPLES: dict[str, tuple[Any, ...]] = {
    "GenerateRequest": (
        {"prompt": "piano"},
        {"components": {"genre": "house"}},
        {"prompt": _PROMPT, "bars": 8, "bpm": 124, "key": "Am", "loop": True, "sample_rate": 48_000},
        {"components": _COMPONENTS, "duration": 30},
        {"prompt": "house with piano", "negative_prompt": "drums, vocals", "variations": 3},
    ),
    "JobAccepted": (_ACCEPTED, replace(_ACCEPTED, takes=_TAKES)),
    "VaryRequest": ({"strength": 0.3}, {"strength": 0, "outputs": ["midi", "stems"]}),
    "ExtendRequest": ({"bars": 8}, {"bars": 4, "at": "start", "prompt": "drums alone"}),
    "ReplaceRequest": ({"from_bar": 5, "to_bar": 8}, {"from_bar": 1, "to_bar": 8, "instruments": ["drums"], "seed": 3}),
    "ChildAccepted": (
        ChildAccepted(
            job_id="gen_def123456789",
            status=JobStatus.QUEUED,
            message="Generation job started",
            created_at=_COMPLETED,
            parent=JOB_ID,
        ),
    ),
    "Lineage": (
        Lineage(
            job_id=JOB_ID,
            jobs=[
                Relative(job_id=JOB_ID, status=JobStatus.COMPLETED, created_at=_CREATED, seed=7),
                Relative(
                    job_id="gen_def123456789",
                    parent=JOB_ID,
                    kind="replace",
                    status=JobStatus.QUEUED,
                    created_at=_COMPLETED,
                    seed=3,
                    from_bar=5,
                    to_bar=8,
                ),
            ],
        ),
    ),
    "JobView": (_JOB,),
    "JobList": (JobList(jobs=[_JOB], total=1, next_cursor=None),),
    "Message": (Message("Job cancelled successfully"),),
    "PromptComponents": (_COMPONENTS,),
    "BuiltPrompt": (build_prompt(_COMPONENTS),),
    "ParseRequest": (ParseRequest("8 bars of house at 124 bpm in A minor"),),
    "ParsedPrompt": (parse_prompt("8 bars of house at 124 bpm in A minor"),),
    "ProblemDetails": (
        ProblemDetails(
            title="Unprocessable Entity",
            status=422,
            detail="duration: Expected `float` >= 0.5",
            errors=[FieldError("duration", "Expected `float` >= 0.5")],
            request_id="7c1f6a0e4b2d4c9f",
        ),
    ),
    "Event": (
        Event(
            type="progress",
            job_id=JOB_ID,
            seq=17,
            status=JobStatus.PROCESSING,
            progress=0.5,
            message="Generating",
            at=_STARTED,
            attempts=1,
        ),
    ),
    "AudioChunk": (
        AudioChunk(job_id=JOB_ID, seq=3, attempt=1, first_sample=48_000, frames=16_000, sample_rate=32_000, channels=1),
    ),
    "Subscribe": ({"type": "subscribe", "job_id": JOB_ID, "after_seq": 17},),
    "Unsubscribe": (Unsubscribe(JOB_ID),),
    "Ping": (Ping(),),
    "Pong": (Pong(),),
    "ErrorMessage": (ErrorMessage("There is no job 'gen_000000000000'.", "gen_000000000000"),),
}


def examples_of(name: str) -> dict[str, list[Any]]:
    """The examples of the schema of this name as its `examples`; empty if it has none."""
    if name not in _EXAMPLES:
        return {}
    return {"examples": msgspec.json.decode(encode(_EXAMPLES[name]))}
