"""The inputs that a convolution still needs, with the padding of the piece's two ends."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

PadMode = Literal["constant", "reflect"]


class InputBuffer:
    """Joins chunks so that a convolution without padding over each window gives every output exactly once."""

    def __init__(self, before: int, after: int, reach: int, mode: PadMode) -> None:
        """Begin a piece.

        Args:
            before: inputs that pad its begin.
            after: inputs that pad its end.
            reach: inputs that an output needs besides its own.
            mode: what the padding holds: zeros, or the inputs mirrored.
        """
        self._before = before
        self._after = after
        self._reach = reach
        self._mode = mode
        self._held: Tensor | None = None
        self._begun = False

    def push(self, x: Tensor, last: bool) -> Tensor:
        """What the next outputs depend on.

        Args:
            x: [batch, time, channels] that follows.
            last: whether the piece ends with it.

        Returns:
            [batch, outputs + reach, channels], or less than that where there is no output yet.
        """
        held = x if self._held is None else torch.cat((self._held, x), 1)
        if self._begun:
            window = pad(held, 0, self._after, self._mode) if last else held
        elif last or _can_pad(held.shape[1], self._before, self._mode):
            window = pad(held, self._before, self._after if last else 0, self._mode)
            self._begun = True
        else:
            self._held = held
            return held[:, :0]
        # A copy, because a view would keep the whole window in memory.
        self._held = window[:, max(window.shape[1] - self._reach, 0) :].clone()
        return window


def final_outputs(length: int, before: int, after: int, mode: PadMode) -> int:
    """How many outputs are final once `length` inputs are there: those that do not reach into the end's padding."""
    return max(length - after, 0) if _can_pad(length, before, mode) else 0


def pad(x: Tensor, before: int, after: int, mode: PadMode) -> Tensor:
    """Pad the time of x [batch, time, channels]: audiocraft's `pad1d` (modules/conv.py), in this layout.

    Like there, what is too short to be mirrored is mirrored together with zeros that follow it.
    """
    if mode == "constant":
        return functional.pad(x, (0, 0, before, after))
    lacking = max(max(before, after) + 1 - x.shape[1], 0)
    if lacking:
        x = functional.pad(x, (0, 0, 0, lacking))
    length = x.shape[1]
    parts = (x[:, 1 : before + 1].flip(1), x, x[:, length - 1 - after : length - 1].flip(1))
    return torch.cat(parts, 1)[:, : before + length + after - lacking]


def _can_pad(length: int, before: int, mode: PadMode) -> bool:
    return length > (before if mode == "reflect" else 0)
