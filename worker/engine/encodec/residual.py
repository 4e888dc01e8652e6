"""The residual unit between two upsamplings."""

from torch import Tensor

from worker.engine.encodec.activation import elu, elu_
from worker.engine.encodec.convolution import Convolution
from worker.engine.encodec.window import PadMode, Window, final_of_window


class ResidualUnit:
    """x + pointwise(ELU(wide(ELU(x)))): audiocraft's `SEANetResnetBlock`."""

    def __init__(self, wide: Convolution, pointwise: Convolution, shortcut: Convolution | None, mode: PadMode) -> None:
        """Take the convolution that looks around, the one that does not, and what replaces x in the sum, if any."""
        self.wide = wide
        self.pointwise = pointwise
        self.shortcut = shortcut
        self.mode = mode
        self.after = wide.reach // 2
        self.before = wide.reach - self.after

    def stream(self) -> "ResidualStream":
        return ResidualStream(self)

    def final(self, length: int) -> int:
        return final_of_window(length, self.before, self.after, self.mode)


class ResidualStream:
    """One piece on its way through a residual unit."""

    def __init__(self, unit: ResidualUnit) -> None:
        self._unit = unit
        self._window = Window(unit.before, unit.after, unit.wide.reach, unit.mode)

    def push(self, x: Tensor, last: bool) -> Tensor:
        unit = self._unit
        window = self._window.push(x, last)
        hidden = unit.wide(elu(window))
        outputs = unit.pointwise(elu_(hidden))
        straight = window[:, unit.before : unit.before + outputs.shape[1]]
        return outputs.add_(straight if unit.shortcut is None else unit.shortcut(straight))
