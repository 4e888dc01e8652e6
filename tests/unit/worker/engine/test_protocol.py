"""Messages between worker and engine process."""

import asyncio
import socket

import pytest

from shared.messages import Recipe
from worker.engine.interface import EngineSettings, ModelInfo
from worker.engine.protocol import (
    Cancel,
    Chunk,
    Failed,
    FromEngine,
    Generate,
    Generated,
    LoadFailed,
    Loading,
    MidiFile,
    Progress,
    Ready,
    Start,
    StemFile,
    ToEngine,
    pack,
    read_from_engine,
    read_to_engine,
)

SETTINGS = EngineSettings(engine="audiocraft", model="starter", device="cpu", max_slots=2, max_duration=120.0)
RECIPE = Recipe(model="starter", prompt="♪", duration=1.5, seed=2**32 - 1, outputs=("midi", "stems"))
INFO = ModelInfo(engine="audiocraft", device="cpu", sample_rate=32_000, channels=2)

TO_ENGINE: list[ToEngine] = [
    Start(SETTINGS),
    Generate("gen_000000000000", RECIPE),
    Cancel("gen_000000000000"),
    Cancel("gen_000000000000", keep=True),
]
FROM_ENGINE: list[FromEngine] = [
    Loading("…"),
    Ready(INFO, 2),
    LoadFailed("no", "do", True),
    Progress("gen_000000000000", 1, 2),
    Chunk("gen_000000000000", bytes(300_000), 2),
    MidiFile("gen_000000000000", b"MThd"),
    StemFile("gen_000000000000", "bass", "/spool/bass.f32", 2),
    Generated("gen_000000000000"),
    Failed("gen_000000000000", "out_of_memory", "too long"),
]


@pytest.mark.parametrize("message", TO_ENGINE)
def test_engine_decodes_messages_of_the_worker(message: ToEngine) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(pack(message))
        assert read_to_engine(theirs) == message


@pytest.mark.parametrize("message", FROM_ENGINE)
async def test_worker_decodes_messages_of_the_engine(message: FromEngine) -> None:
    stream = asyncio.StreamReader()
    data = pack(message)
    for start in range(0, len(data), 7_001):
        stream.feed_data(data[start : start + 7_001])
    assert await read_from_engine(stream) == message


def test_engine_detects_that_the_worker_is_gone() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(pack(Cancel("gen_000000000000"))[:5])
        ours.close()
        assert read_to_engine(theirs) is None


def test_engine_detects_that_the_worker_was_killed_before_it_read_everything() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(pack(Loading("…")))
        ours.close()
        assert read_to_engine(theirs) is None


async def test_worker_detects_that_the_engine_is_gone() -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(pack(Loading("…"))[:6])
    stream.feed_eof()
    with pytest.raises(asyncio.IncompleteReadError):
        await read_from_engine(stream)
