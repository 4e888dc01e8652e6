"""Those who make a single step of the language model: from codes to logits, with int8 weights, without sampling."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.contestant_process import ContestantError
from bench.step_weights import FILLING, POSITIONS, TOKENS, Floats, StepWeights
from worker.engine.batching.attention import PerSlotAttention, StepRows
from worker.engine.batching.kv_cache import PARTS
from worker.engine.batching.language_model import LanguageModel
from worker.engine.batching.native_model import InInt8, NativeLanguageModel
from worker.engine.batching.transformer import SlotCache, Transformer
from worker.engine.kernels.native_library import REMEDY, NativeStepError

# Positions that share a block of the native cache.
GROUP = 16
# Of keys and values: a scale and a sum of a head's key, a scale of its value.
NATIVE_SCALES = 12
# Of a weight in int4, with its share of a scale.
INT4_BITS = 4.5


class StepContestant(Protocol):
    """An implementation of a step."""

    def begin(self, users: int, position: int, room: int) -> None:
        """Make a cache with a text and so many positions per user, and room for more. What it holds is arbitrary."""
        ...

    def step(self, codes: NDArray[np.int64], position: int) -> Floats:
        """One step of all users, with guidance, at the next position.

        Takes [users, codebooks]; returns logits of shape [2, users, codebooks, codebook_size], which the next step
        may overwrite.
        """
        ...

    def bytes_read(self, users: int, position: int) -> int:
        """The least that a step must read: the weights of its products, keys and values, as they are stored."""
        ...


class _OwnStep(ABC):
    """A step of the decode engine."""

    def __init__(self, weights: StepWeights, model: Transformer) -> None:
        self._weights, self._model = weights, model

    @torch.inference_mode()
    def begin(self, users: int, position: int, room: int) -> None:
        """See `StepContestant.begin`."""
        cache = self._model.new_cache(users, POSITIONS)
        for slot in range(users):
            cache.set_text(slot, self._weights.text)
        self._cache, self._slots = cache, torch.arange(users)
        self._fill(cache, position)

    @torch.inference_mode()
    def step(self, codes: NDArray[np.int64], position: int) -> Floats:
        """See `StepContestant.step`."""
        host = tuple((slot, position, TOKENS) for slot in range(len(codes)))
        rows = StepRows(self._slots, torch.full((len(codes),), position), PARTS, host)
        logits: Floats = self._model.step(self._cache, rows, torch.from_numpy(codes)).numpy()
        return logits

    @abstractmethod
    def _fill(self, cache: SlotCache, positions: int) -> None:
        """Give all slots some past."""


class NativeStep(_OwnStep):
    """The native library."""

    def __init__(self, reference: str, threads: int, in_int8: InInt8 | None = None) -> None:
        """Weights are int8, or int4 where they are not `in_int8`."""
        weights = StepWeights(reference)
        try:
            model = NativeLanguageModel(weights.config, weights.tensors, POSITIONS, threads, in_int8=in_int8)
        except NativeStepError as error:
            raise ContestantError(f"The native step does not run here: {error}. {REMEDY}.") from error
        super().__init__(weights, model)
        self.instruction_set = model.instruction_set

    def _fill(self, cache: SlotCache, positions: int) -> None:
        # Memory that was never written is not read from memory. One position commits its block.
        codes = np.zeros((len(self._slots), self._weights.config.codebooks), np.int64)
        for position in range(0, positions, GROUP):
            self.step(codes, position)

    def bytes_read(self, users: int, position: int) -> int:
        """See `StepContestant.bytes_read`."""
        scales = 1 + NATIVE_SCALES / (2 * self._weights.config.head_dim)
        return self._weight_bytes() + int(self._weights.cached(users, position) * scales)

    def _weight_bytes(self) -> int:
        return self._weights.products()


class Int4Step(NativeStep):
    """The native library with `MUSICGEN_PRECISION=int4`: all but the first layer and the logits have four bits."""

    def __init__(self, reference: str, threads: int) -> None:
        super().__init__(reference, threads, InInt8())

    def _weight_bytes(self) -> int:
        in_int4 = (self._weights.config.layers - 1) * self._weights.layer_products()
        return self._weights.products() - in_int4 + int(in_int4 * INT4_BITS / 8)


class PyTorchStep(_OwnStep):
    """The decode engine's path without the native library: int8 weights, keys and values in float32."""

    def __init__(self, reference: str, threads: int, precision: str = "int8") -> None:
        torch.set_num_threads(threads)
        weights = StepWeights(reference)
        cpu, attention = torch.device("cpu"), PerSlotAttention()
        model = LanguageModel(weights.config, weights.tensors, precision, cpu, attention, POSITIONS)  # type: ignore[arg-type]
        super().__init__(weights, model)

    def _fill(self, cache: SlotCache, positions: int) -> None:
        past: Tensor = cache.past  # type: ignore[attr-defined]
        past[..., :positions, :] = FILLING

    def bytes_read(self, users: int, position: int) -> int:
        """See `StepContestant.bytes_read`."""
        return self._weights.products() + 4 * self._weights.cached(users, position)


def openvino_step(reference: str, threads: int) -> StepContestant:
    """OpenVINO's."""
    try:
        from bench.openvino_step import OpenVinoStep
    except ImportError as error:
        raise _missing("openvino") from error
    return OpenVinoStep(reference, threads)


def onnxruntime_step(reference: str, threads: int) -> StepContestant:
    """ONNX Runtime's."""
    try:
        from bench.onnxruntime_step import OnnxRuntimeStep
    except ImportError as error:
        raise _missing("onnxruntime") from error
    return OnnxRuntimeStep(reference, threads)


def _missing(name: str) -> ContestantError:
    return ContestantError(f"{name} is not installed: put `uv run --group peers` before the command.")


STEP_CONTESTANTS: dict[str, Callable[[str, int], StepContestant]] = {
    "engine": NativeStep,
    "int4": Int4Step,
    "pytorch": PyTorchStep,
    "openvino": openvino_step,
    "onnxruntime": onnxruntime_step,
}


def random_codes(users: int, codebooks: int, codebook_size: int, seed: int) -> NDArray[np.int64]:
    """Codes of one step: [users, codebooks]."""
    return np.random.default_rng(seed).integers(0, codebook_size, (users, codebooks))


def time_steps(contestant: StepContestant, codes: NDArray[np.int64], position: int, count: int) -> list[float]:
    """Seconds of each of so many steps from `position` on."""
    taken = []
    for at in range(position, position + count):
        started = time.perf_counter()
        contestant.step(codes, at)
        taken.append(time.perf_counter() - started)
    return taken


def logits_of(contestant: StepContestant, codes: list[NDArray[np.int64]]) -> Floats:
    """Logits of steps with these codes from the first position on: [steps, 2, users, codebooks, codebook_size]."""
    contestant.begin(len(codes[0]), 0, len(codes))
    return np.stack([contestant.step(each, position).copy() for position, each in enumerate(codes)])
