"""Captures tokens from a running batch: a codec that returns codes as audio, and requests that join in turn."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

from shared.messages import Recipe
from worker.engine.codec_interface import Codec

# Seconds until a held request continues without permission.
TIMEOUT = 60.0
# Seconds between checks for a failed request.
LOOK = 0.05


class CapturedTokens(NamedTuple):
    """A request's codes, int64 of shape [codebooks, frames]. `beside`: the others running when it joined."""

    codes: Tensor
    beside: int


class CodesStream:
    """Captures one request's codes.

    Attributes:
        begun: set at its first chunk, which blocks the whole batch.
        may_go_on: set it to unblock the batch.
        ended: whether it had its last chunk.
    """

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self.ended = False

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        self.ended = last
        if not self.begun.is_set():
            self.begun.set()
            self.may_go_on.wait(TIMEOUT)
        # Codes are far below 2²⁴, so float32 holds them exactly.
        return codes.to(torch.float32)


class CodesCodec:
    """A codec with one sample per frame and one channel per codebook. `opened` queues the new streams."""

    samples_per_frame = 1
    lookahead = 0
    lead_in = 0

    def __init__(self, codec: Codec) -> None:
        self.codebooks = self.channels = codec.codebooks
        self.codebook_size = codec.codebook_size
        self.frame_rate = codec.frame_rate
        self.sample_rate = round(codec.frame_rate)
        self.opened: queue.SimpleQueue[CodesStream] = queue.SimpleQueue()

    def stream(self, total_samples: int | None = None) -> CodesStream:
        stream = CodesStream()
        self.opened.put(stream)
        return stream


def make_staggered(
    generate: Callable[[Recipe], Tensor], recipes: Sequence[Recipe], codec: CodesCodec
) -> list[CapturedTokens]:
    """Make all recipes in one batch; each joins when the previous one has its first chunk.

    Args:
        generate: makes one recipe's codes, [frames, codebooks]; called from several threads.
        recipes: the recipes.
        codec: the codec that `generate` uses.
    """
    streams: list[CodesStream] = []
    running: list[Future[Tensor]] = []
    beside: list[int] = []
    with ThreadPoolExecutor(len(recipes)) as pool:
        try:
            for recipe in recipes:
                running.append(pool.submit(generate, recipe))
                stream = _opened(codec, running[-1])
                for earlier in streams:
                    earlier.may_go_on.set()
                _wait_for_begin(stream, running[-1])
                beside.append(sum(not earlier.ended for earlier in streams))
                streams.append(stream)
        finally:
            for stream in streams:
                stream.may_go_on.set()
    results = [future.result() for future in running]
    return [CapturedTokens(codes.T.to(torch.int64), others) for codes, others in zip(results, beside, strict=True)]


def _opened(codec: CodesCodec, future: Future[Tensor]) -> CodesStream:
    """The stream of the request that was just submitted; raises the request's exception if it fails."""
    while True:
        try:
            return codec.opened.get(timeout=LOOK)
        except queue.Empty:
            if future.done():
                future.result()


def _wait_for_begin(stream: CodesStream, future: Future[Tensor]) -> None:
    while not stream.begun.wait(LOOK) and not future.done():
        pass
