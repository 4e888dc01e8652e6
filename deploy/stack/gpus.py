"""The GPUs of this machine that `up` starts workers on."""

import os
from collections.abc import Sequence

import pynvml

from shared.errors import MusicgenError


def choose_gpus(wanted: str) -> Sequence[int]:
    """The numbers of the wanted GPUs, as `nvidia-smi` counts them, or among CUDA_VISIBLE_DEVICES if that is set.

    Args:
        wanted: `all`, or numbers with commas between them.

    Raises:
        MusicgenError: if `wanted` is neither, or names a GPU that is not there.
    """
    count = count_gpus()
    if wanted == "all":
        if not count:
            raise MusicgenError("There is no NVIDIA GPU here. Check nvidia-smi, or use --workers.")
        return range(count)
    numbers = [part.strip() for part in wanted.split(",")]
    if not all(part.isdecimal() for part in numbers) or len(set(numbers)) < len(numbers):
        raise MusicgenError(f"--gpus must be all, or different numbers such as 0,1, not {wanted!r}.")
    found = [int(part) for part in numbers]
    if max(found) >= count:
        raise MusicgenError(f"There is no GPU {max(found)}: this machine has {count}, counted from 0. See nvidia-smi.")
    return found


def count_gpus() -> int:
    """How many GPUs a worker can use; 0 without NVIDIA's driver."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([part for part in visible.split(",") if part.strip()])
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return 0
    try:
        return int(pynvml.nvmlDeviceGetCount())
    finally:
        pynvml.nvmlShutdown()
