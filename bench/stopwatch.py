"""Times the decode engine: when each step begins, and how long decoding to audio takes."""

import threading
import time
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from bench.engines import synchronize
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.request import Request
from worker.engine.batching.scheduler import ScheduledRequest
from worker.engine.batching.step_runner import StepRunner
from worker.engine.codec_interface import Codec, CodecStream


class Turn(NamedTuple):
    """A step of all running requests. `began` is from `time.perf_counter`."""

    began: float
    running: int


class Stopwatch:
    """The engine's timings since the last `reset`.

    Attributes:
        turns: its steps. All requests have guidance, so each turn of the loop has one step.
        frame_rate: frames a second, once the engine is loaded.
        threads: the number of PyTorch threads in the last step.
        decoding: seconds spent decoding to audio, with a GPU synchronised before and after.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.frame_rate = 0.0
        self.threads = 0
        self.turns: list[Turn] = []
        self.decoding = 0.0
        self._alarm = (0, threading.Event())

    def reset(self) -> None:
        self.turns, self.decoding = [], 0.0

    def alarm_at(self, turns: int) -> threading.Event:
        """Return an event that is set after this many turns."""
        self._alarm = (turns, threading.Event())
        return self._alarm[1]

    def begin_turn(self, running: int) -> None:
        self.threads = torch.get_num_threads()
        self.turns.append(Turn(time.perf_counter(), running))
        turns, event = self._alarm
        if len(self.turns) == turns:
            event.set()

    def wrap_codec(self, codec: Codec) -> Codec:
        self.frame_rate = codec.frame_rate
        return _Codec(codec, self)

    def wrap_runner(self, decoder: Decoder, runner: StepRunner) -> StepRunner:
        return _Runner(runner, self)

    def intervals(self, running: int) -> list[float]:
        """Seconds between the beginnings of consecutive steps with this many running requests."""
        alike = (pair for pair in pairwise(self.turns) if all(turn.running == running for turn in pair))
        return [after.began - before.began for before, after in alike]


class _Runner:
    def __init__(self, runner: StepRunner, watch: Stopwatch) -> None:
        self._runner = runner
        self._watch = watch

    def __call__(self, batch: list[ScheduledRequest[Request]]) -> None:
        self._watch.begin_turn(len(batch))
        self._runner(batch)


class _Codec:
    def __init__(self, codec: Codec, watch: Stopwatch) -> None:
        self._codec = codec
        self._watch = watch
        self.sample_rate = codec.sample_rate
        self.channels = codec.channels
        self.samples_per_frame = codec.samples_per_frame
        self.frame_rate = codec.frame_rate
        self.codebooks = codec.codebooks
        self.codebook_size = codec.codebook_size
        self.lookahead, self.lead_in = codec.lookahead, codec.lead_in

    def stream(self, total_samples: int | None = None) -> CodecStream:
        return _Stream(self._codec.stream(), self._watch)


class _Stream:
    def __init__(self, stream: CodecStream, watch: Stopwatch) -> None:
        self._stream = stream
        self._watch = watch

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        synchronize(self._watch.device)
        started = time.perf_counter()
        audio = self._stream.push(codes, last)
        synchronize(self._watch.device)
        self._watch.decoding += time.perf_counter() - started
        return audio
