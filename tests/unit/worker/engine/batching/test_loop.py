"""The running batch beside its happy path: cancels, memory that runs out, and an end."""

import threading

import pytest
import torch
from torch import Tensor

from tests.unit.worker.engine.batching.batch import PATIENCE, make_model, request, result, running_batch
from tests.unit.worker.engine.batching.codes import CodesCodec
from tests.unit.worker.engine.batching.models import Tiny, random_text
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.loop import Loop
from worker.engine.batching.request import Request
from worker.engine.batching.scheduler import Run
from worker.engine.batching.steps import EagerSteps
from worker.engine.interface import EngineBrokenError

TINY = Tiny()
FOREVER = 50_000


def text(seed: int = 0) -> Tensor:
    return random_text(TINY, 4, seed)


def test_the_same_seed_gives_the_same_codes_in_any_slot_beside_any_neighbours() -> None:
    with running_batch(TINY, slots=4) as (model, loop):
        alone = result(loop.submit(request(model, text(), 50, seed=11, top_k=20)))
        neighbours = [
            loop.submit(request(model, text(seed), FOREVER, seed=seed, temperature=1.5, coefficient=1.0 + seed % 2))
            for seed in range(1, 4)
        ]
        crowded = [loop.submit(request(model, text(), 50, seed=11, top_k=20)) for _ in range(3)]
        for ticket in crowded[:1]:
            assert result(ticket).equal(alone)
        loop.cancel(neighbours[0])
        for ticket in crowded[1:]:
            assert result(ticket).equal(alone)
        for neighbour in neighbours:
            loop.cancel(neighbour)
        assert not result(loop.submit(request(model, text(), 50, seed=12, top_k=20))).equal(alone)


def test_a_request_ends_when_the_audio_that_is_wanted_is_there() -> None:
    with running_batch(TINY) as (model, loop):
        ticket = loop.submit(request(model, text(), FOREVER, samples=100))
        assert result(ticket).shape[1] >= 100
        assert ticket.run.steps < 300
        assert ticket.done >= ticket.total


def test_chunks_come_while_the_rest_is_being_made() -> None:
    with running_batch(TINY) as (model, loop):
        ticket = loop.submit(request(model, text(), FOREVER))
        first = ticket.outcome.get(timeout=PATIENCE)
        assert isinstance(first, Tensor)
        assert first.shape == (TINY.codebooks, 12)
        assert ticket.done < ticket.total
        loop.cancel(ticket)


def test_a_cancelled_request_makes_room_at_once() -> None:
    with running_batch(TINY, slots=1) as (model, loop):
        running = loop.submit(request(model, text(), FOREVER))
        waiting = loop.submit(request(model, text(), FOREVER))
        last = loop.submit(request(model, text(), 10))
        running.outcome.get(timeout=PATIENCE)
        loop.cancel(waiting)
        loop.cancel(running)
        loop.cancel(running)
        assert result(last).shape == (TINY.codebooks, 10)


class Scarce(EagerSteps):
    """Memory for so many requests in a step."""

    room = 2

    def __call__(self, runs: list[Run[Request]]) -> None:
        if len(runs) > self.room:
            raise torch.OutOfMemoryError("no room")
        super().__call__(runs)


def test_when_memory_runs_out_in_a_step_the_last_one_that_came_fails_alone() -> None:
    decoder = Decoder(make_model(TINY), 3, 60)
    loop = Loop(decoder, Scarce(decoder), CodesCodec(4, TINY.card), 3, 60)
    try:
        tickets = [loop.submit(request(decoder.model, text(), 50, seed=seed)) for seed in range(3)]
        assert result(tickets[0]).shape == result(tickets[1]).shape == (4, 50)
        with pytest.raises(MemoryError, match="no room"):
            result(tickets[2])
        alone = loop.submit(request(decoder.model, text(), 50, seed=1))
        assert result(alone).shape == (4, 50)
    finally:
        loop.close()


class Crowded(Decoder):
    """Memory for so many requests at admission."""

    room = 1

    def begin(self, slot: int, request: Request) -> None:
        if slot >= self.room:
            raise torch.OutOfMemoryError("no room")
        super().begin(slot, request)


def test_who_finds_no_memory_at_admission_waits_for_the_end_of_another() -> None:
    decoder = Crowded(make_model(TINY), 3, 60)
    loop = Loop(decoder, EagerSteps(decoder), CodesCodec(4, TINY.card), 3, 60)
    try:
        tickets = [loop.submit(request(decoder.model, text(), 30, seed=seed)) for seed in range(3)]
        for ticket in tickets:
            assert result(ticket).shape == (4, 30)
        decoder.room = 0
        with pytest.raises(MemoryError, match="no room"):
            result(loop.submit(request(decoder.model, text(), 30)))
    finally:
        loop.close()


class Broken(EagerSteps):
    def __call__(self, runs: list[Run[Request]]) -> None:
        raise RuntimeError("the device is gone")


def test_when_a_step_breaks_everybody_learns_it_and_nobody_else_may_come(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()
    monkeypatch.setattr("sys.excepthook", lambda *_: told.set())
    decoder = Decoder(make_model(TINY), 3, 60)
    loop = Loop(decoder, Broken(decoder), CodesCodec(4, TINY.card), 3, 60)
    with pytest.raises(EngineBrokenError, match="the device is gone"):
        result(loop.submit(request(decoder.model, text(), 30)))
    assert told.is_set()
    loop.close()
    with pytest.raises(EngineBrokenError):
        loop.submit(request(decoder.model, text(), 30))
