"""What an engine is. The one of audiocraft is `audiocraft_engine`; others are named by MUSICGEN_ENGINE."""

from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.files import OutputKind
from shared.messages import Recipe

# Audio between engine and encoder: float32 of shape [frames, channels], full scale at ±1.
Samples = NDArray[np.float32]


class Midi(msgspec.Struct, frozen=True):
    """The score of what was made, as a standard MIDI file."""

    file: bytes


class Stem(msgspec.Struct, frozen=True):
    """One of the streams of what was made, alone: as long as the audio, and lined up with it."""

    name: str
    samples: Samples


class Warn(msgspec.Struct, frozen=True):
    """A sentence for the person who asked: what of the recipe the model cannot do, and what it does instead."""

    text: str


# Called with (work done, work in all) at least once a step. Raises CancelledGenerationError to stop the work.
OnStep = Callable[[int, int], None]

# Called with each of the recipe's outputs as it is ready, and with warnings before the audio.
OnOutput = Callable[[Midi | Stem | Warn], None]

# Called with a sentence about what loading does now.
OnLoading = Callable[[str], None]


class CancelledGenerationError(Exception):
    """Raised through an engine by `OnStep` when nobody wants the audio any more."""


class KeptGenerationError(CancelledGenerationError):
    """The same, but a person keeps what was made: an engine that gives outputs gives those of the audio it yielded."""


class UnsupportedCheckpointError(Exception):
    """An engine does not know exactly what a checkpoint holds; another one may. The text says what is unusual."""


class EngineBrokenError(Exception):
    """Raised by an engine that cannot go on: its accelerator is gone. Only a new process helps."""


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the loaded model is. `sample_rate` in hertz; with `outputs` its engine is a `ScoreEngine`.

    `checkpoint` tells whether two models of the same name are the same, where an engine can.
    """

    engine: str
    device: str
    sample_rate: int
    channels: int
    outputs: tuple[OutputKind, ...] = ()
    checkpoint: str | None = None


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """Switches of optimisations; the sound is the same up to rounding.

    Attributes:
        precision: of the matrix products; `auto` is float16 on a GPU and int8 on a CPU that can.
        attention: `kernel` needs Triton, `masked` runs everywhere; `auto` takes the fastest.
        graphs: how steps are replayed from CUDA graphs: `steady`, always with all slots, so that a request's numbers
            never depend on its company; `buckets`, faster while few slots are taken; or `off`.
    """

    precision: Literal["auto", "float32", "float16", "bfloat16", "int8"] = "auto"
    attention: Literal["auto", "kernel", "masked"] = "auto"
    graphs: Literal["steady", "buckets", "off"] = "steady"


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine is told when it is made.

    Attributes:
        engine: its name, or module:factory.
        model: a name, or a checkpoint folder.
        device: auto, cuda, mps or cpu.
        max_slots: it may have fewer slots, not more.
        max_duration: of one job, in seconds: what room an engine sets aside for it.
        tuning: which optimisations are on.
    """

    engine: str
    model: str
    device: str
    max_slots: int
    max_duration: float
    tuning: Tuning = Tuning()


class Engine(Protocol):
    """A loaded model. As many threads at once as there are slots call `generate` and take the chunks."""

    info: ModelInfo
    slots: int

    def generate(self, recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
        """Make the audio of `recipe`: chunks of it in order, each as soon as it is final.

        Together they are exactly as long as the recipe asks for. Whoever closes a generator early wants no more:
        that frees everything the request holds.

        Raises:
            CancelledGenerationError: as soon as `on_step` raises it.
            MemoryError: if this request does not fit into memory; others go on.
            EngineBrokenError: if no request can be made any more.
        """
        ...


class ScoreEngine(Engine, Protocol):
    """An engine whose model writes a score, which gives more than the audio."""

    def generate(self, recipe: Recipe, on_step: OnStep, on_output: OnOutput = ...) -> Iterator[Samples]:
        """As `Engine.generate`; give warnings to `on_output`, and then each of the recipe's outputs before it ends.

        They hold what the audio holds, also where `on_step` raised KeptGenerationError. While they are made, `on_step`
        goes on being called.
        """
        ...


# Makes an engine. Raises ModelUnavailableError with the remedy if the model cannot be had.
EngineFactory = Callable[[EngineSettings, OnLoading], Engine]
