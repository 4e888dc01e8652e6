"""What JetStream tells of messages in MUSIC_JOBS that nobody gets again: its advisories, as far as they are read here.

They are sent once, to whoever listens at that moment. https://docs.nats.io/reference/jetstream/advisory has all fields.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.job_id import is_job_id

Sequence = Annotated[int, Meta(ge=1, le=2**63 - 1)]

# So much of a reason goes into logs and records.
REASON_LENGTH = 300


class MaxDeliveries(
    msgspec.Struct, frozen=True, tag_field="type", tag="io.nats.jetstream.advisory.v1.max_deliver", kw_only=True
):
    """A message was delivered as often as its consumer allows, and not acknowledged. It stays in the stream."""

    stream_seq: Sequence
    deliveries: int = 0

    @property
    def why(self) -> str:
        return f"given up at delivery {self.deliveries}, the last one that its consumer allows"


class Terminated(
    msgspec.Struct, frozen=True, tag_field="type", tag="io.nats.jetstream.advisory.v1.terminated", kw_only=True
):
    """A worker, or a person, said that a message can never work. It has left the work queue."""

    stream_seq: Sequence
    deliveries: int = 0
    reason: str = ""

    @property
    def why(self) -> str:
        return self.reason[:REASON_LENGTH] or "terminated without a reason"

    @property
    def refused(self) -> tuple[str, str] | None:
        """The id of the job that the reason names, and why that was refused; None if it names none."""
        job_id, _, why = self.why.partition(": ")
        return (job_id, why) if why and is_job_id(job_id) else None


Advisory = MaxDeliveries | Terminated

decode_advisory = msgspec.json.Decoder(Advisory).decode


def refusal(job_id: str, why: str) -> str:
    """The reason to terminate a job's message with, if it is to end the job: nothing else in an advisory names that."""
    return f"{job_id}: {why}"
