"""Tiny programs in place of servers, and specs that run them."""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from deploy.stack.child import ChildSpec

# Each one creates the file named by its first argument once it is ready.
HEAD = "import os, pathlib, signal, sys, time\nready = pathlib.Path(sys.argv[1])\n"
SLEEP = HEAD + "ready.write_text(str(os.getpid()))\ntime.sleep(60)"
DEAF = HEAD + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nready.write_text('x')\ntime.sleep(60)"
POLITE = HEAD + "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nready.write_text('x')\ntime.sleep(60)"
FAIL = HEAD + "print('first line')\nprint('no such port', file=sys.stderr)\nsys.exit(7)"


def appears(file: Path) -> Callable[[], Awaitable[bool]]:
    async def exists() -> bool:
        return file.exists() and file.read_text() != ""

    return exists


def spec(folder: Path, program: str, *, name: str = "tiny", **fields: Any) -> ChildSpec:
    """Return a child that is ready once its file exists."""
    file = folder / f"{name}.ready"
    values: dict[str, Any] = {
        "name": name,
        "role": name,
        "argv": [sys.executable, "-S", "-c", program, str(file)],
        "env": dict(os.environ),
        "urls": [f"http://{name}"],
        "is_ready": appears(file),
        "grace": 5.0,
        "ready_timeout": 10.0,
    }
    return ChildSpec(**(values | fields))
