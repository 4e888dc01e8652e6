"""Named points at which a test makes a process kill itself, to test a crash between any two steps.

With `MUSICGEN_FAILPOINT=worker.after_put` the process kills itself the first time it reaches that point. Only the
environment of `musicgen gateway` and `musicgen worker` can set one; no request can.
"""

import os
import signal
from collections.abc import Mapping

from shared.errors import SettingsError
from shared.logs import get_logger

log = get_logger(__name__)

VARIABLE = "MUSICGEN_FAILPOINT"
POINTS = (
    "gateway.after_record",
    "gateway.after_publish",
    "gateway.after_cancel",
    "worker.after_claim",
    "worker.after_put",
    "worker.after_record",
    "worker.after_event",
    "worker.after_hand_back",
)

_armed = ""


def arm(environ: Mapping[str, str] = os.environ) -> None:
    """Arm the failpoint that the environment names, if any.

    Raises:
        SettingsError: if the name is unknown.
    """
    global _armed
    name = environ.get(VARIABLE, "")
    if name and name not in POINTS:
        raise SettingsError(f"{VARIABLE} must be one of {', '.join(POINTS)}, not {name!r}. Unset it: it is for tests.")
    _armed = name
    if name:
        log.warning("this process will kill itself", failpoint=name)


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if this failpoint is armed."""
    if name == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
