"""What the decoder network is made of: layers that work on a stream of vectors, a chunk at a time.

Vectors lie in time order, [batch, time, channels]: a convolution is then a matrix product, and a transposed one
writes its samples where they belong.
"""

from typing import Protocol

from torch import Tensor


class LayerStream(Protocol):
    """One piece on its way through a layer."""

    def push(self, x: Tensor, last: bool) -> Tensor:
        """The outputs that follow from all inputs so far and were not returned yet.

        Args:
            x: float32 of shape [batch, time, channels], perhaps without any time. The layer may overwrite it.
            last: whether the piece ends with it.

        Returns:
            float32 of shape [batch, time, channels], perhaps without any time; the caller's to keep.
        """
        ...


class Layer(Protocol):
    """A layer with its weights, shared by all streams."""

    def stream(self) -> LayerStream:
        """Begin a piece."""
        ...

    def final(self, length: int) -> int:
        """How many outputs no further input can change, once `length` inputs are there and more will come."""
        ...
