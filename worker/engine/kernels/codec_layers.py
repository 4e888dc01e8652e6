"""The layers of EnCodec's decoder in the native library, with PyTorch's tensors on the CPU."""

from threading import Lock

import torch
from torch import Tensor

from worker.engine.kernels.native_library import NativeStepError, load_library

# LSTM units that the library updates at once: their gates stand together.
UNITS = 16


def runs_here() -> bool:
    """Whether the library was compiled and this processor has its instructions, AVX512-BF16."""
    try:
        return bool(load_library().mg_codec_runs_here())
    except NativeStepError:
        return False


class ConvolutionWeights:
    """The weights of an unpadded convolution over time, in bfloat16; in float32 if it has at most two outputs."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None, dilation: int = 1) -> None:
        """Copy weight [out, in, taps] and bias [out]."""
        self._library = load_library()
        self.width, self.inputs, taps = weight.shape
        self.reach = (taps - 1) * dilation
        weight, bias = _floats(weight), None if bias is None else _floats(bias)
        self.handle = self._library.mg_convolution_new(
            self.width, self.inputs, taps, dilation, weight.data_ptr(), None if bias is None else bias.data_ptr()
        )
        if not self.handle:
            raise MemoryError("no memory for the codec's weights")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self._library.mg_convolution_free(self.handle)


class CodecThreads:
    """The threads that compute layers, one layer after the other, and their memory.

    Methods raise NativeStepError if sizes do not fit, or memory is short.
    """

    def __init__(self, threads: int) -> None:
        self._library = load_library()
        self._lock = Lock()
        self._handle = self._library.mg_codec_new(threads)
        if not self._handle:
            raise MemoryError("no memory for the codec's threads")

    def convolve(self, by: ConvolutionWeights, x: Tensor, *, activated: bool) -> Tensor:
        """The outputs of x [batch, time, in], or of ELU(x): [batch, time - reach, out], empty if time is too short."""
        outputs = x.new_empty(len(x), max(x.shape[1] - by.reach, 0), by.width)
        for each, y in zip(self._check(by, x), outputs, strict=True) if outputs.numel() else ():
            self._call("mg_codec_convolve", by.handle, int(activated), each.data_ptr(), len(each), y.data_ptr())
        return outputs

    def residual(self, wide: ConvolutionWeights, pointwise: ConvolutionWeights, x: Tensor) -> Tensor:
        """Return x + pointwise(ELU(wide(ELU(x)))) of x [batch, time, in] as [batch, time - reach, in]."""
        outputs = x.new_empty(len(x), max(x.shape[1] - wide.reach, 0), pointwise.width)
        for each, y in zip(self._check(wide, x), outputs, strict=True) if outputs.numel() else ():
            self._call("mg_codec_residual", wide.handle, pointwise.handle, each.data_ptr(), len(each), y.data_ptr())
        return outputs

    def lstm(
        self, from_input: ConvolutionWeights, from_state: ConvolutionWeights, x: Tensor, hidden: Tensor, cell: Tensor
    ) -> Tensor:
        """Run x [time, batch, width] through an LSTM layer; returns outputs of that shape.

        `hidden` and `cell`, [batch, width], become the state behind x. `gates_in_order` tells the order of outputs.
        """
        x = self._check(from_input, x)
        outputs = torch.empty_like(x)
        times, batch, _ = x.shape
        self._call(
            "mg_codec_lstm",
            *(from_input.handle, from_state.handle, batch, x.data_ptr(), times),
            *(hidden.data_ptr(), cell.data_ptr(), outputs.data_ptr()),
        )
        return outputs

    def _check(self, by: ConvolutionWeights, x: Tensor) -> Tensor:
        if x.shape[-1] != by.inputs:
            raise NativeStepError(f"a layer of {by.inputs} inputs was given {x.shape[-1]}")
        return _floats(x)

    def _call(self, name: str, *arguments: int) -> None:
        with self._lock:
            if getattr(self._library, name)(self._handle, *arguments):
                raise NativeStepError(f"{name} was refused: memory is short, or sizes do not fit")

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.mg_codec_free(self._handle)


def gates_in_order(tensor: Tensor) -> Tensor:
    """Reorder the rows of PyTorch's LSTM, gate after gate: of 16 units at a time all four gates."""
    return tensor.view(4, -1, UNITS, *tensor.shape[1:]).transpose(0, 1).flatten(0, 2)


def _floats(x: Tensor) -> Tensor:
    return x.to(torch.float32).contiguous()
