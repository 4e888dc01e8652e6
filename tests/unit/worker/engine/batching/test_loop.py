"""The decode loop: independence of requests, cancellation, out of memory, and failure."""

import threading

import pytest
import torch
from torch import Tensor

from tests.unit.worker.engine.batching.batch import (
    TIMEOUT,
    make_model,
    native_model,
    request,
    result,
    running_batch,
)
from tests.unit.worker.engine.batching.codes import CodesCodec
from tests.unit.worker.engine.batching.models import Tiny, config, random_text
from worker.engine.batching.attention import MaskedAttention
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.layout import DelayPattern
from worker.engine.batching.loop import Loop
from worker.engine.batching.request import Request
from worker.engine.batching.scheduler import ScheduledRequest
from worker.engine.batching.step_runner import EagerRunner
from worker.engine.batching.transformer import Transformer
from worker.engine.interface import EngineBrokenError, NonFiniteError

TINY = Tiny()
FOREVER = 50_000


def text(seed: int = 0) -> Tensor:
    return random_text(TINY, 4, seed)


def test_codes_depend_only_on_the_request_and_not_on_slot_or_batch() -> None:
    with running_batch(TINY, slots=4) as (model, loop):
        alone = result(loop.submit(request(model, text(), 50, seed=11, top_k=20)))
        neighbours = [
            loop.submit(request(model, text(seed), FOREVER, seed=seed, temperature=1.5, cfg_scale=1.0 + seed % 2))
            for seed in range(1, 4)
        ]
        crowded = [loop.submit(request(model, text(), 50, seed=11, top_k=20)) for _ in range(3)]
        for handle in crowded[:1]:
            assert result(handle).equal(alone)
        loop.cancel(neighbours[0])
        for handle in crowded[1:]:
            assert result(handle).equal(alone)
        for neighbour in neighbours:
            loop.cancel(neighbour)
        assert not result(loop.submit(request(model, text(), 50, seed=12, top_k=20))).equal(alone)


def test_request_ends_once_its_samples_are_delivered() -> None:
    with running_batch(TINY) as (model, loop):
        handle = loop.submit(request(model, text(), FOREVER, samples=100))
        assert result(handle).shape[1] >= 100
        assert handle.scheduled.steps < 300
        assert handle.done >= handle.total


def test_chunks_are_delivered_during_generation() -> None:
    with running_batch(TINY) as (model, loop):
        handle = loop.submit(request(model, text(), FOREVER))
        first = handle.output.get(timeout=TIMEOUT)
        assert isinstance(first, Tensor)
        assert first.shape == (TINY.codebooks, 12)
        assert handle.done < handle.total
        loop.cancel(handle)


def test_cancelled_request_frees_its_slot() -> None:
    with running_batch(TINY, slots=1) as (model, loop):
        running = loop.submit(request(model, text(), FOREVER))
        waiting = loop.submit(request(model, text(), FOREVER))
        last = loop.submit(request(model, text(), 10))
        running.output.get(timeout=TIMEOUT)
        loop.cancel(waiting)
        loop.cancel(running)
        loop.cancel(running)
        assert result(last).shape == (TINY.codebooks, 10)


def decoders() -> dict[str, Decoder]:
    kinds: dict[str, Transformer] = {
        "per slot": make_model(TINY),
        "masked": make_model(TINY, MaskedAttention()),
        "native": native_model(TINY, DelayPattern(config(TINY).delays).steps(60)),
    }
    return {name: Decoder(model, 2, 60) for name, model in kinds.items()}


@pytest.mark.parametrize("overflow", [float("inf"), float("nan"), 3e38])
@pytest.mark.parametrize("kind", ["per slot", "masked", "native"])
def test_request_whose_numbers_overflow_fails_with_the_reason_and_affects_no_other(kind: str, overflow: float) -> None:
    decoder = decoders()[kind]
    loop = Loop(decoder, EagerRunner(decoder), CodesCodec(4, TINY.codebook_size), 2, 60)
    sound = request(decoder.model, text(), 50, seed=3)
    try:
        alone = result(loop.submit(sound))
        broken = request(decoder.model, text(), 50)
        assert broken.text is not None
        broken.text[:, :, :, 1] = overflow
        handles = [loop.submit(broken), loop.submit(sound)]
        assert result(handles[1]).equal(alone)
        with pytest.raises(NonFiniteError, match="MUSICGEN_PRECISION=float32"):
            result(handles[0])
        # The next request gets the slot with the infinities that are left in its cache.
        assert result(loop.submit(sound)).equal(alone)
    finally:
        loop.close()


class Scarce(EagerRunner):
    """Runs out of memory in a step with more than `room` requests."""

    room = 2

    def __call__(self, batch: list[ScheduledRequest[Request]]) -> None:
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("no room")
        super().__call__(batch)


def test_out_of_memory_in_a_step_fails_only_the_newest_request() -> None:
    decoder = Decoder(make_model(TINY), 3, 60)
    loop = Loop(decoder, Scarce(decoder), CodesCodec(4, TINY.codebook_size), 3, 60)
    try:
        handles = [loop.submit(request(decoder.model, text(), 50, seed=seed)) for seed in range(3)]
        assert result(handles[0]).shape == result(handles[1]).shape == (4, 50)
        with pytest.raises(MemoryError, match="no room"):
            result(handles[2])
        alone = loop.submit(request(decoder.model, text(), 50, seed=1))
        assert result(alone).shape == (4, 50)
    finally:
        loop.close()


class Crowded(Decoder):
    """Runs out of memory when admitting more than `room` requests."""

    room = 1

    def begin(self, slot: int, request: Request) -> None:
        if slot >= self.room:
            raise torch.OutOfMemoryError("no room")
        super().begin(slot, request)


def test_request_without_memory_at_admission_waits_for_another_to_end() -> None:
    decoder = Crowded(make_model(TINY), 3, 60)
    loop = Loop(decoder, EagerRunner(decoder), CodesCodec(4, TINY.codebook_size), 3, 60)
    try:
        handles = [loop.submit(request(decoder.model, text(), 30, seed=seed)) for seed in range(3)]
        for handle in handles:
            assert result(handle).shape == (4, 30)
        decoder.room = 0
        with pytest.raises(MemoryError, match="no room"):
            result(loop.submit(request(decoder.model, text(), 30)))
    finally:
        loop.close()


class Broken(EagerRunner):
    def __call__(self, batch: list[ScheduledRequest[Request]]) -> None:
        raise RuntimeError("the device is gone")


def test_failed_step_fails_all_requests_and_rejects_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    reported = threading.Event()
    monkeypatch.setattr("sys.excepthook", lambda *_: reported.set())
    decoder = Decoder(make_model(TINY), 3, 60)
    loop = Loop(decoder, Broken(decoder), CodesCodec(4, TINY.codebook_size), 3, 60)
    with pytest.raises(EngineBrokenError, match="the device is gone"):
        result(loop.submit(request(decoder.model, text(), 30)))
    assert reported.is_set()
    loop.close()
    with pytest.raises(EngineBrokenError):
        loop.submit(request(decoder.model, text(), 30))
