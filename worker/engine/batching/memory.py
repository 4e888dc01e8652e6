"""How many slots fit."""

import psutil
import torch

# Of what is free once the model is there: the rest is for decoding to audio, for texts and for graphs.
SHARE = {"cuda": 0.85, "mps": 0.5, "cpu": 0.6}


def free_memory(device: torch.device) -> int:
    """Bytes that the device has left for slots."""
    on_gpu = device.type == "cuda"  # Apple's GPUs share the memory of the CPU
    free = torch.cuda.mem_get_info(device)[0] if on_gpu else psutil.virtual_memory().available
    return int(free * SHARE[device.type])


def count_slots(free: int, bytes_per_slot: int, wanted: int) -> int:
    """As many as fit, at most `wanted`. One slot beyond them is scratch.

    Raises:
        MemoryError: if there is no room for a single one.
    """
    slots = min(free // bytes_per_slot - 1, wanted)
    if slots < 1:
        raise MemoryError(f"one slot takes {bytes_per_slot / 2**20:.0f} MB and {free / 2**20:.0f} MB are free for it")
    return slots
