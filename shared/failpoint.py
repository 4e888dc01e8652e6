"""Named places where a test has a process die, so that every gap between two steps is tried.

`MUSICGEN_FAILPOINT=worker.after_put` has the process kill itself the first time it gets there. Only the environment of
the process names one, and only `musicgen gateway` and `musicgen worker` look: no request reaches this.
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
    """Arm the point that the environment names, if it names one.

    Raises:
        SettingsError: if there is no such point.
    """
    global _armed
    name = environ.get(VARIABLE, "")
    if name and name not in POINTS:
        raise SettingsError(f"{VARIABLE} must be one of {', '.join(POINTS)}, not {name!r}. Unset it: it is for tests.")
    _armed = name
    if name:
        log.warning("this process kills itself", failpoint=name)


def failpoint(name: str) -> None:
    """Die here, as by kill -9, if this point is armed."""
    if name == _armed:
        os.kill(os.getpid(), signal.SIGKILL)
