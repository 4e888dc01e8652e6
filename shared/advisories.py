"""JetStream advisories about messages in MUSIC_JOBS that will not be redelivered.

JetStream publishes each advisory once, without storing it. All fields:
https://docs.nats.io/reference/jetstream/advisory
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.job_id import is_job_id

Sequence = Annotated[int, Meta(ge=1, le=2**63 - 1)]

# Characters of a reason that are kept in logs and records.
REASON_LENGTH = 300


class MaxDeliveries(
    msgspec.Struct, frozen=True, tag_field="type", tag="io.nats.jetstream.advisory.v1.max_deliver", kw_only=True
):
    """A message reached its consumer's delivery limit without an acknowledgement. It stays in the stream."""

    stream_seq: Sequence
    deliveries: int = 0

    @property
    def why(self) -> str:
        return f"not acknowledged at delivery {self.deliveries}, the last one that its consumer allows"


class Terminated(
    msgspec.Struct, frozen=True, tag_field="type", tag="io.nats.jetstream.advisory.v1.terminated", kw_only=True
):
    """A worker or an operator terminated a message. It has left the work queue."""

    stream_seq: Sequence
    deliveries: int = 0
    reason: str = ""

    @property
    def why(self) -> str:
        return self.reason[:REASON_LENGTH] or "terminated without a reason"

    @property
    def refused(self) -> tuple[str, str] | None:
        """The job id in the reason, and why a worker refused the job; None if the reason names no job."""
        job_id, _, why = self.why.partition(": ")
        return (job_id, why) if why and is_job_id(job_id) else None


Advisory = MaxDeliveries | Terminated

decode_advisory = msgspec.json.Decoder(Advisory).decode


def refusal(job_id: str, why: str) -> str:
    """The reason to terminate a job's message with. It names the job because no other field of an advisory does."""
    return f"{job_id}: {why}"
