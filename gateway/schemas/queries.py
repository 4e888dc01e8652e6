"""The queries of requests. They are a contract: only add fields, with defaults."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.prompts import Complexity
from shared.messages import JobStatus


class JobsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of GET /api/v1/jobs.

    Attributes:
        limit: the most jobs in the answer.
        status: only jobs in this status.
    """

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    status: JobStatus | None = None
    cursor: (
        Annotated[
            str,
            Meta(
                max_length=64,
                description="The next_cursor of the previous page; empty for the first page",
                extra_json_schema={"pattern": r"^([0-9]{1,14}-gen_[a-z0-9]{12})?$"},
            ),
        ]
        | None
    ) = None


class DownloadQuery(msgspec.Struct, frozen=True):
    """The query of GET /api/v1/download/{job_id} and /api/v1/download/{job_id}/{name}.

    Attributes:
        proxy: the gateway sends the bytes itself, instead of a redirect to the store.
    """

    proxy: bool = False


class CancelQuery(msgspec.Struct, frozen=True):
    """The query of DELETE /api/v1/jobs/{job_id}.

    Attributes:
        keep: stores the audio that a running job has generated so far.
        takes: cancels the other takes of the job's request, too; 409 only if all have finished.
    """

    keep: bool = False
    takes: bool = False


class SocketQuery(msgspec.Struct, frozen=True):
    """The query of GET /ws: an initial subscription.

    Attributes:
        job_id: the job.
        audio: whether to send its live audio, too.
    """

    job_id: str | None = None
    audio: bool = False


class RandomQuery(msgspec.Struct, frozen=True):
    """The query of GET /api/v1/prompt/random.

    Attributes:
        complexity: how many fields the prompt has.
    """

    complexity: Complexity = "medium"
