"""What `bench.gpu` measures inside a process of its own: whether all paths agree, and a step without its host."""

import math
import time
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from bench.contestant_process import ContestantError
from bench.engines import synchronize, tell
from bench.sizes import Size, configuration, language_model_weights
from worker.engine.batching.attention import MaskedAttention, StepAttention
from worker.engine.batching.attention_kernel import TritonAttention
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.fused_model import FusedDecoder
from worker.engine.batching.kv_cache import PARTS
from worker.engine.batching.language_model import LanguageModel
from worker.engine.batching.layout import Window
from worker.engine.batching.linear import Precision
from worker.engine.batching.request import Request
from worker.engine.batching.step_runner import Capture, CudaCapture, Replay

# The relative difference of logits that rounding explains.
TOLERANCES: dict[Precision, float] = {"float32": 2e-3, "float16": 0.05}
# The least share of equal draws from the same logits: logarithms of the noise may differ in the last digit.
SAME_DRAWS = 0.99
TEXT = 12
SEED = 1


class Path(NamedTuple):
    """A way to run a step."""

    name: str
    precision: Precision
    attention: type[StepAttention]
    decoder: type[Decoder]


REFERENCE = Path("reference", "float32", MaskedAttention, Decoder)
PATHS = (
    Path("operators", "float16", MaskedAttention, Decoder),
    Path("operators, attention kernel", "float16", TritonAttention, Decoder),
    Path("fused, float32", "float32", TritonAttention, FusedDecoder),
    Path("fused", "float16", TritonAttention, FusedDecoder),
)


class Agreement(NamedTuple):
    """How a path compares with the reference: relative difference of logits, launched or replayed, and equal draws."""

    path: str
    error: float
    same_draws: float
    replayed: float


class Device:
    """A language model of a true size with random weights that are made on the device.

    `positions` is the length of a piece in frames, `steps` how many of its steps are compared or timed at once.
    """

    def __init__(self, device: str, size: Size, positions: int, steps: int) -> None:
        self._device, self._size, self._positions = torch.device(device), size, positions
        self._compared = steps
        torch.manual_seed(SEED)
        with torch.device(self._device):
            self._weights = dict(language_model_weights(size, text_dim=1))
        self._models: dict[tuple[Precision, type[StepAttention]], LanguageModel] = {}

    def agreements(self, requests: int) -> list[Agreement]:
        """Compare all paths on the same codes at different positions.

        Raises:
            ContestantError: if one is wrong.
        """
        with torch.inference_mode():
            exact = self._decoder(REFERENCE, requests)
            wanted = self._steps(exact, requests)
            return [self._agreement(path, requests, exact, wanted) for path in PATHS]

    def milliseconds(self, path_name: str, requests: int, repetitions: int) -> float:
        """Median time of a step at the middle of a piece, replayed from a graph without waiting for the host."""
        path = next(each for each in PATHS if each.name == path_name)
        with torch.inference_mode():
            decoder = self._decoder(path, requests, middle=True)
            slots = torch.arange(requests, device=self._device)
            replay = self._capture()(lambda: decoder.step(slots, PARTS))
            times = []
            for _ in range(repetitions):
                synchronize(self._device.type)
                started = time.perf_counter()
                for _ in range(self._compared):
                    replay()
                synchronize(self._device.type)
                times.append((time.perf_counter() - started) / self._compared)
        return round(1000 * median(times), 4)

    def launches(self, requests: int) -> int | None:
        """Kernels that the GPU ran in a fused step, by CUPTI; None without a GPU."""
        if self._device.type != "cuda":
            return None
        from torch.profiler import ProfilerActivity, profile

        with torch.inference_mode():
            decoder = self._decoder(PATHS[-1], requests)
            slots = torch.arange(requests, device=self._device)
            decoder.step(slots, PARTS)
            synchronize("cuda")
            with profile(activities=[ProfilerActivity.CUDA]) as watched:
                decoder.step(slots, PARTS)
                synchronize("cuda")
        kernels = [each for each in watched.events() if each.device_type.name == "CUDA"]
        return len(kernels)

    def bandwidth(self, size: int) -> float:
        """Bytes per second of a copy on the device, read and written, of `size` bytes."""
        source = torch.randint(0, 255, (size,), dtype=torch.uint8, device=self._device)
        target = torch.empty_like(source)
        times = []
        for _ in range(10):
            synchronize(self._device.type)
            started = time.perf_counter()
            target.copy_(source)
            synchronize(self._device.type)
            times.append(time.perf_counter() - started)
        return 2 * size / min(times)

    def _agreement(self, path: Path, requests: int, exact: Decoder, wanted: list[Tensor]) -> Agreement:
        decoder = self._decoder(path, requests)
        made = self._steps(decoder, requests)
        error = _difference(made, wanted)
        same = self._same_draws(exact, decoder, wanted[-1])
        replayed = self._steps(self._decoder(path, requests), requests, self._capture())
        found = Agreement(path.name, error, same, _difference(replayed, wanted))
        tell(f"{path.name}: logits differ by {error:.1e}, replayed {found.replayed:.1e}, {same:.1%} of draws are equal")
        if not (max(error, found.replayed) <= TOLERANCES[path.precision] and same >= SAME_DRAWS):
            raise ContestantError(f"This path computes something else than the reference: {found}.")
        return found

    def _steps(self, decoder: Decoder, requests: int, capture: Capture | None = None) -> list[Tensor]:
        """Logits of some steps on given codes, launched one by one or replayed."""
        slots = torch.arange(requests, device=self._device)
        position = decoder._slots.position
        start = position.clone()
        logits: list[Tensor] = []

        def work() -> None:
            logits[:] = [decoder.logits(slots, PARTS)]
            position.add_(1)

        run: Replay = work if capture is None else capture(work)
        position.copy_(start)
        found = []
        for _ in range(self._compared):
            run()
            found.append(logits[0].clone())
        position.copy_(start)
        return found

    def _same_draws(self, exact: Decoder, decoder: Decoder, logits: Tensor) -> float:
        """The share of equal codes that both draw from the same logits, where no code is given."""
        slots = torch.arange(logits.shape[1], device=self._device)
        drawn = []
        for each in (exact, decoder):
            state = each._slots
            before = state.position.clone()
            state.prompt.zero_()
            each.draw(slots, logits.clone())
            drawn.append(state.sequence[slots, :, before[slots]])
            state.position.copy_(before)
        return (drawn[0] == drawn[1]).float().mean().item()

    def _decoder(self, path: Path, requests: int, *, middle: bool = False) -> Decoder:
        """A decoder whose slots are at different positions, or all in the middle, of random codes."""
        model = self._model(path)
        decoder = path.decoder(model, requests, self._positions)
        source = torch.Generator().manual_seed(SEED)
        frames = self._positions
        for slot in range(requests):
            text = model.project_text(torch.randn(TEXT + slot % 5, model.config.dim, generator=source))
            codes = torch.randint(0, model.config.codebook_size, (model.config.codebooks, frames), generator=source)
            request = Request(text, frames, seed=slot, top_k=250)
            known = frames // 2 if middle else slot * (frames - self._compared - 1) // requests
            decoder.begin(slot, request)
            decoder.open_window(slot, Window(frames, frames), codes.to(self._device), 0)
            if known:
                decoder.prefill(slot, request, range(known))
            decoder._slots.position[slot] = known + 1
        return decoder

    def _model(self, path: Path) -> LanguageModel:
        key = (path.precision, path.attention)
        if key not in self._models:
            self._models[key] = LanguageModel(
                configuration(self._size),
                self._weights,
                path.precision,
                self._device,
                path.attention(),
                self._positions + 8,
            )
        return self._models[key]

    def _capture(self) -> Capture:
        return CudaCapture() if self._device.type == "cuda" else _run_again


def _difference(made: list[Tensor], wanted: list[Tensor]) -> float:
    """The largest relative difference of a step's logits; infinite if some are not finite."""
    errors = [((mine - other).norm() / other.norm()).item() for mine, other in zip(made, wanted, strict=True)]
    return max(error if math.isfinite(error) else math.inf for error in errors)


def _run_again(work: Replay) -> Replay:
    """Stands for a graph on a CPU."""
    work()
    return work
