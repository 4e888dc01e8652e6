"""The convolution that makes audio: many channels go in, and very few come out."""

from torch import Tensor

from worker.engine.encodec.convolution import Convolution


class NarrowConvolution:
    """See `Convolution`. One product for all taps, whose results are then added where they meet.

    A matrix product that makes one number of each row leaves most of a vector unit idle; one for each tap does not.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Take weight [out, in, taps] and bias [out]."""
        outputs, inputs, self._taps = weight.shape
        self.width = outputs
        self.reach = self._taps - 1
        self._bias = bias
        every_tap = weight.permute(2, 0, 1).reshape(self._taps * outputs, inputs, 1)
        self._product = Convolution(every_tap, bias.new_zeros(self._taps * outputs))

    def __call__(self, x: Tensor) -> Tensor:
        """See `Convolution`."""
        length = max(x.shape[1] - self.reach, 0)
        products = self._product(x).view(*x.shape[:2], self._taps, self.width)
        outputs = self._bias.expand(len(x), length, self.width)
        for tap in range(self._taps):
            outputs = outputs + products[:, tap : tap + length, tap]
        return outputs
