"""A running batch with a tiny model, built as the engine builds it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from tests.unit.worker.engine.batching.codes import CodesCodec
from tests.unit.worker.engine.batching.models import Tiny, config, weights
from worker.engine.batching.attention import PerSlotAttention, StepAttention
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.kv_cache import longest_prefix
from worker.engine.batching.language_model import LanguageModel
from worker.engine.batching.layout import DelayPattern
from worker.engine.batching.linear import Precision
from worker.engine.batching.loop import Loop, RequestHandle
from worker.engine.batching.native_model import InInt8, NativeLanguageModel
from worker.engine.batching.request import Request
from worker.engine.batching.step_runner import EagerRunner
from worker.engine.batching.transformer import Transformer

CPU = torch.device("cpu")
TIMEOUT = 60.0


def make_model(
    tiny: Tiny, attention: StepAttention | None = None, precision: Precision = "float32", positions: int = 256
) -> LanguageModel:
    return LanguageModel(config(tiny), weights(tiny), precision, CPU, attention or PerSlotAttention(), positions)


def native_model(
    tiny: Tiny, positions: int = 256, instruction_set: str | None = None, in_int8: InInt8 | None = None
) -> NativeLanguageModel:
    return NativeLanguageModel(config(tiny), weights(tiny), positions, 2, instruction_set, in_int8=in_int8)


@contextmanager
def running_batch(
    tiny: Tiny, slots: int = 3, longest: int = 60, *, native: bool = False
) -> Iterator[tuple[Transformer, Loop]]:
    """A loop whose codec returns the codes as audio."""
    positions = longest_prefix(config(tiny)) + DelayPattern(config(tiny).delays).steps(longest)
    model: Transformer = native_model(tiny, positions) if native else make_model(tiny, positions=positions)
    decoder = Decoder(model, slots, longest)
    loop = Loop(decoder, EagerRunner(decoder), CodesCodec(tiny.codebooks, tiny.codebook_size), slots, longest)
    try:
        yield model, loop
    finally:
        loop.close()


def request(model: Transformer, text: Tensor, frames: int, **options: object) -> Request:
    return Request(model.project_text(text), frames, **options)  # type: ignore[arg-type]


def result(handle: RequestHandle) -> Tensor:
    """Wait for a request and return its codes: int64 of shape [codebooks, frames]."""
    chunks = []
    while (item := handle.output.get(timeout=TIMEOUT)) is not None:
        if isinstance(item, Exception):
            raise item
        chunks.append(item)
    return torch.cat(chunks, 1).long()
