"""How much memory a worker's models may use together."""

from contextlib import suppress
from pathlib import Path

import psutil

from worker.engine.interface import ModelInfo

# The rest is for what jobs need beside their models, and for the worker itself.
SHARE = 0.8

# The limit of a container, in cgroups of version 2 and 1; "max" or a huge number means none.
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def default_budget(info: ModelInfo | None) -> int:
    """Bytes for all models: a share of the GPU that a loaded model is on, or else of main memory.

    The limit of a container counts as the size of its main memory.
    """
    total = info.gpu_total if info else 0
    return int(SHARE * (total or _main_memory()))


def _main_memory() -> int:
    sizes = [psutil.virtual_memory().total]
    for file in _LIMITS:
        with suppress(OSError, ValueError):
            sizes.append(int(file.read_text()))
    return min(sizes)
