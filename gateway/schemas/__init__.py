"""The bodies and queries of the REST API."""

from gateway.schemas.answers import (
    JobAccepted,
    JobList,
    JobView,
    Links,
    Message,
    ServiceInfo,
    WaveformPeaks,
)
from gateway.schemas.bodies import (
    DEFAULT_DURATION,
    IDEMPOTENCY_KEY_PATTERN,
    MAX_PROMPT,
    MAX_TAKES,
    MIN_DURATION,
    GenerateRequest,
    Outputs,
    ParseRequest,
    Prompt,
    SampleRate,
    ScoreRequest,
    Title,
)
from gateway.schemas.queries import (
    CancelQuery,
    DownloadQuery,
    JobsQuery,
    RandomQuery,
    SocketQuery,
)

__all__ = [
    "DEFAULT_DURATION",
    "IDEMPOTENCY_KEY_PATTERN",
    "MAX_PROMPT",
    "MAX_TAKES",
    "MIN_DURATION",
    "CancelQuery",
    "DownloadQuery",
    "GenerateRequest",
    "JobAccepted",
    "JobList",
    "JobView",
    "JobsQuery",
    "Links",
    "Message",
    "Outputs",
    "ParseRequest",
    "Prompt",
    "RandomQuery",
    "SampleRate",
    "ScoreRequest",
    "ServiceInfo",
    "SocketQuery",
    "Title",
    "WaveformPeaks",
]
