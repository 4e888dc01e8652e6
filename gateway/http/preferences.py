"""Headers with which a client says how long it waits for a job: Prefer (RFC 7240) and Cancel-After."""

import re
from datetime import timedelta

from aiohttp import web

from gateway.problems import FieldError, invalid

# Seconds.
LONGEST_WAIT = 60
LONGEST_CANCEL_AFTER = 86_400

CANCEL_AFTER_PATTERN = r"^\d{1,5}s$"
_CANCEL_AFTER = re.compile(CANCEL_AFTER_PATTERN, re.ASCII)
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


def preferred_wait(request: web.Request) -> int:
    """The seconds of the preference `wait`, at most LONGEST_WAIT; 0 without one. A malformed one counts as none.

    Of several, the first one counts; parameters after a semicolon are ignored (sections 2 and 4.3).
    """
    for preference in ",".join(request.headers.getall("Prefer", ())).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            seconds = value.strip().strip('"')
            return min(int(seconds), LONGEST_WAIT) if _SECONDS.fullmatch(seconds) else 0
    return 0


def requested_deadline(request: web.Request) -> timedelta | None:
    """The time of Cancel-After; None without one.

    Raises:
        Problem: 422 if it is no such time.
    """
    given = request.headers.get("Cancel-After")
    if given is None:
        return None
    seconds = int(given[:-1]) if _CANCEL_AFTER.fullmatch(given) else 0
    if not 1 <= seconds <= LONGEST_CANCEL_AFTER:
        raise invalid(FieldError("Cancel-After", f"Whole seconds from 1s to {LONGEST_CANCEL_AFTER}s, such as 90s."))
    return timedelta(seconds=seconds)
