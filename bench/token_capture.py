"""Tokens out of our running batch: a codec whose audio is the codes, and requests that join one after another."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import torch
from torch import Tensor

from shared.messages import Recipe
from worker.engine.codec_interface import Codec

# Seconds until a request that nobody lets go on goes on all the same.
PATIENCE = 60.0
# Seconds between two looks whether a request failed.
LOOK = 0.05


class CapturedTokens(NamedTuple):
    """A request's codes, int64 of shape [codebooks, frames]. `beside` is how many others ran when it joined."""

    codes: Tensor
    beside: int


class CodesStream:
    """One request's codes.

    Attributes:
        begun: set when its first chunk is there; then the whole batch stands still.
        may_go_on: set it to let the batch go on.
        ended: whether its last chunk is there.
    """

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self.ended = False

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        self.ended = last
        if not self.begun.is_set():
            self.begun.set()
            self.may_go_on.wait(PATIENCE)
        # Codes are far below 2²⁴, up to which float32 counts exactly.
        return codes.to(torch.float32)


class CodesCodec:
    """One sample a frame, one channel a codebook. `opened` holds the new streams."""

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
    """Make all of them in one batch; each joins when the one before has its first chunk.

    Args:
        generate: makes one, of shape [frames, codebooks]; called from several threads.
        recipes: what to make.
        codec: the one that `generate` ends in.
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
    """The stream of the request that was just submitted; raises what it raises."""
    while True:
        try:
            return codec.opened.get(timeout=LOOK)
        except queue.Empty:
            if future.done():
                future.result()


def _wait_for_begin(stream: CodesStream, future: Future[Tensor]) -> None:
    while not stream.begun.wait(LOOK) and not future.done():
        pass
