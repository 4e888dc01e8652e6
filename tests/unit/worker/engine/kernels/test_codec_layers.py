"""The codec's native layers equal PyTorch's, whatever the number of threads and wherever a piece is cut."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from worker.engine.encodec.lstm import cell_weights
from worker.engine.kernels.codec_layers import CodecThreads, ConvolutionWeights, gates_in_order, runs_here
from worker.engine.kernels.native_library import NativeStepError

pytestmark = pytest.mark.skipif(not runs_here(), reason="this processor does not multiply bfloat16, or no compiler")

# Inputs and weights are rounded as in the library; what remains is the order of sums, of hundreds of products.
EQUAL = 1e-5
# A hidden value near the middle of two numbers in bfloat16 may be rounded differently.
ROUNDED_DIFFERENTLY = 1e-3
# Of an LSTM, whose weights PyTorch does not round.
BFLOAT16_ERROR = 6e-3

# inputs, outputs, taps, dilation, length
CONVOLUTIONS = [
    (1, 1, 1, 1, 1),
    (7, 5, 3, 2, 20),
    (33, 130, 2, 3, 200),
    (64, 2, 7, 1, 300),
    (17, 1, 2, 5, 97),
    (96, 64, 3, 1, 98),
]


def rounded(x: Tensor) -> Tensor:
    return x.bfloat16().double()


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def error(made: Tensor, wanted: Tensor) -> float:
    assert made.shape == wanted.shape
    return float((made - wanted).norm() / wanted.norm())


def convolve(x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    return functional.conv1d(x.transpose(1, 2), weight, bias.double(), dilation=dilation).transpose(1, 2)


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize(("inputs", "outputs", "taps", "dilation", "length"), CONVOLUTIONS)
def test_convolution_equals_that_of_rounded_numbers(
    inputs: int, outputs: int, taps: int, dilation: int, length: int, activated: bool
) -> None:
    length += (taps - 1) * dilation
    weight, bias, x = random(outputs, inputs, taps), random(outputs), random(2, length, inputs)
    made = CodecThreads(2).convolve(ConvolutionWeights(weight, bias, dilation), x, activated=activated)
    before = functional.elu(x) if activated else x
    if outputs > 2:
        wanted = convolve(rounded(before), rounded(weight), bias, dilation)
    else:
        wanted = convolve(before.double(), weight.double(), bias, dilation)
    assert error(made, wanted) < (ROUNDED_DIFFERENTLY if activated else EQUAL)


@pytest.mark.parametrize(("width", "hidden", "taps", "dilation"), [(40, 13, 3, 2), (4, 2, 4, 1), (128, 64, 3, 1)])
def test_residual_unit_equals_that_of_rounded_numbers(width: int, hidden: int, taps: int, dilation: int) -> None:
    reach = (taps - 1) * dilation
    wide, pointwise, x = random(hidden, width, taps), random(width, hidden, 1), random(2, 130 + reach, width)
    of_wide, of_pointwise = random(hidden), random(width)
    made = CodecThreads(2).residual(
        ConvolutionWeights(wide, of_wide, dilation), ConvolutionWeights(pointwise, of_pointwise), x
    )
    inner = convolve(rounded(functional.elu(x)), rounded(wide), of_wide, dilation)
    added = convolve(rounded(functional.elu(inner).float()), rounded(pointwise), of_pointwise, 1)
    before = reach - reach // 2
    assert error(made, x[:, before : before + 130] + added) < ROUNDED_DIFFERENTLY


def cell(width: int) -> tuple[nn.LSTM, ConvolutionWeights, ConvolutionWeights]:
    torch.manual_seed(width)
    module = nn.LSTM(width, width).requires_grad_(False)
    from_input, from_state, bias = (gates_in_order(tensor) for tensor in cell_weights(module.state_dict(), 0))
    return module, ConvolutionWeights(from_input[:, :, None], bias), ConvolutionWeights(from_state[:, :, None])


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("width", [16, 48, 256])
def test_lstm_equals_pytorchs_up_to_bfloat16(width: int, batch: int) -> None:
    module, from_input, from_state = cell(width)
    x, hidden, kept = random(60, batch, width), random(batch, width).tanh(), random(1, batch, width)[0]
    wanted, state = module(x, (hidden[None].clone(), kept[None].clone()))
    made = CodecThreads(2).lstm(from_input, from_state, x, hidden, kept)
    assert error(made, wanted) < BFLOAT16_ERROR
    assert error(hidden, state[0][0]) < BFLOAT16_ERROR
    assert error(kept, state[1][0]) < BFLOAT16_ERROR


def all_layers(threads: int, cut: int) -> list[Tensor]:
    """The outputs of each kind of layer, for inputs that are cut in two."""
    of, x = CodecThreads(threads), random(1, 250, 32)
    convolution, narrow = ConvolutionWeights(random(70, 32, 3), random(70)), ConvolutionWeights(random(1, 32, 3))
    pointwise = ConvolutionWeights(random(32, 70, 1), random(32))
    _, from_input, from_state = cell(32)
    hidden, kept = torch.zeros(1, 32), torch.zeros(1, 32)
    parts = x[:, : cut + 2], x[:, cut:]
    states = x[0, :cut, None], x[0, cut:, None]
    return [
        torch.cat([of.convolve(convolution, part, activated=True) for part in parts], 1),
        torch.cat([of.convolve(narrow, part, activated=True) for part in parts], 1),
        torch.cat([of.residual(convolution, pointwise, part) for part in parts], 1),
        torch.cat([of.lstm(from_input, from_state, part, hidden, kept) for part in states if len(part)]),
    ]


@pytest.mark.parametrize("cut", [0, 1, 6, 47, 100, 248])
@pytest.mark.parametrize("threads", [1, 3])
def test_threads_and_cuts_change_no_bit(threads: int, cut: int) -> None:
    for made, wanted in zip(all_layers(threads, cut), all_layers(2, 0), strict=True):
        assert torch.equal(made, wanted)


def test_extreme_numbers_neither_overflow_nor_vanish() -> None:
    identity, zeros = torch.eye(4)[:, :, None], torch.zeros(4)
    x = torch.tensor([[[-3e38, 3e38, -0.0, -100.0], [torch.nan, torch.inf, -torch.inf, 1e-30]]])
    made = CodecThreads(1).convolve(ConvolutionWeights(identity, zeros), x[:, :1], activated=True)
    torch.testing.assert_close(made, torch.tensor([[[-1.0, 3e38, 0.0, -1.0]]]), rtol=1e-2, atol=0)
    made = CodecThreads(1).convolve(ConvolutionWeights(identity, zeros), x[:, 1:], activated=True)
    assert made.isnan().any()
    module, from_input, from_state = cell(16)
    large = torch.full((3, 1, 16), 1e30)
    hidden, kept = torch.zeros(1, 16), torch.zeros(1, 16)
    made = CodecThreads(1).lstm(from_input, from_state, large, hidden, kept)
    torch.testing.assert_close(made, module(large)[0], rtol=0, atol=1e-2)


def test_too_few_inputs_have_no_output() -> None:
    weights = ConvolutionWeights(random(5, 4, 3))
    assert CodecThreads(1).convolve(weights, random(2, 2, 4), activated=False).shape == (2, 0, 5)


def test_matrices_that_do_not_fit_are_refused() -> None:
    threads, x = CodecThreads(1), random(1, 9, 4)
    with pytest.raises(NativeStepError, match="mg_codec_residual"):
        threads.residual(ConvolutionWeights(random(3, 4, 3)), ConvolutionWeights(random(4, 2, 1)), x)
    square = ConvolutionWeights(random(64, 16, 1))
    for wrong in (ConvolutionWeights(random(16, 4, 1)), ConvolutionWeights(random(64, 16, 2))):
        with pytest.raises(NativeStepError, match="mg_codec_lstm"):
            threads.lstm(square, wrong, random(3, 1, 16), torch.zeros(1, 16), torch.zeros(1, 16))
    with pytest.raises(NativeStepError, match="inputs"):
        threads.convolve(square, x, activated=False)
