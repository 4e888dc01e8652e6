"""The input buffer of a streaming convolution, which also pads both ends of a piece."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

PadMode = Literal["constant", "reflect"]


class InputBuffer:
    """Joins chunks so that an unpadded convolution over each result yields every output exactly once."""

    def __init__(self, before: int, after: int, reach: int, mode: PadMode) -> None:
        """Start a piece.

        Args:
            before: padding at its start.
            after: padding at its end.
            reach: inputs that an output needs in addition to its own.
            mode: pads with zeros or with mirrored inputs.
        """
        self._before = before
        self._after = after
        self._reach = reach
        self._mode = mode
        self._held: Tensor | None = None
        self._begun = False

    def push(self, x: Tensor, last: bool) -> Tensor:
        """Add inputs and return those that the next outputs depend on.

        Args:
            x: the next inputs, [batch, time, channels].
            last: whether they end the piece.

        Returns:
            [batch, outputs + reach, channels]; shorter while there is no output yet.
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
        # A copy: a view would keep the whole window in memory.
        self._held = window[:, max(window.shape[1] - self._reach, 0) :].clone()
        return window


def final_outputs(length: int, before: int, after: int, mode: PadMode) -> int:
    """How many outputs are final after `length` inputs: those that do not reach into the padding at the end."""
    return max(length - after, 0) if _can_pad(length, before, mode) else 0


def pad(x: Tensor, before: int, after: int, mode: PadMode) -> Tensor:
    """Pad the time axis of x [batch, time, channels], like audiocraft's `pad1d` (modules/conv.py).

    As there, an input too short to be mirrored is first extended with zeros.
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
