"""W3C trace context: one `traceparent` follows a request from HTTP through NATS to the object.

Format: https://www.w3.org/TR/trace-context/#traceparent-header
"""

import re
import secrets

_FORMAT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")


def new_traceparent() -> str:
    """A new sampled trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def child_of(traceparent: str | None) -> str:
    """The same trace with a span of our own; a new trace where there is none or it is malformed."""
    if traceparent is None or not _FORMAT.fullmatch(traceparent):
        return new_traceparent()
    version, trace_id, _, flags = traceparent.split("-")
    return f"{version}-{trace_id}-{secrets.token_hex(8)}-{flags}"
