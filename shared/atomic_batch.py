"""Several messages of one stream, stored together or not at all.

Protocol: https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-50.md, from nats-server 2.12 on.
"""

import secrets
from collections.abc import Sequence

from nats.js import JetStreamContext

from shared.errors import UnavailableError

BATCH_ID, BATCH_SEQUENCE, BATCH_COMMIT = "Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit"

# Subject, payload and headers.
Message = tuple[str, bytes, dict[str, str]]


async def publish_together(js: JetStreamContext, stream: str, messages: Sequence[Message]) -> int:
    """Store messages in their order; returns the sequence number of the first one.

    A process that dies before the last message leaves nothing behind: the broker drops the incomplete batch.

    Raises:
        UnavailableError: if the stream does not accept atomic batches.
        nats.js.errors.APIError: if the broker refuses the batch, such as for a wrong expected sequence number.
        One of `shared.bus.AWAY`: if the broker does not answer.
    """
    # Asked each time: a broker without batches would store the messages one by one, and an operator may allow them.
    if not (await js.stream_info(stream)).config.allow_atomic:
        raise UnavailableError(
            f"The NATS stream {stream} accepts no atomic batches, so no request for several takes. An operator allows "
            "them: set its allow_atomic to true (nats-server 2.12 or newer), with `nats stream edit` or a restart of "
            "`musicgen up`. Until then, send one request for each take."
        )
    batch = secrets.token_hex(16)
    for number, (subject, payload, headers) in enumerate(messages[:-1], 1):
        await js._nc.publish(subject, payload, headers=headers | _place(batch, number))
    subject, payload, headers = messages[-1]
    last = {**headers, **_place(batch, len(messages)), BATCH_COMMIT: "1"}
    acknowledged = await js.publish(subject, payload, headers=last)
    return acknowledged.seq - len(messages) + 1


def _place(batch: str, number: int) -> dict[str, str]:
    return {BATCH_ID: batch, BATCH_SEQUENCE: str(number)}
