"""The interface of an engine. MUSICGEN_ENGINE selects a built-in engine, or names your own as module:factory."""

from collections.abc import Callable, Iterator
from typing import Literal, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.audio_conditions import ConditionKind, Excerpt
from shared.files import OutputKind
from shared.messages import Recipe
from shared.music import Instrument, Music
from shared.note_score import NoteScore

# Audio as an engine makes it: float32 of shape [frames, channels], full scale at ±1, which unmastered audio may exceed.
Samples = NDArray[np.float32]


class Midi(msgspec.Struct, frozen=True):
    """The score of the generated audio, as a standard MIDI file."""

    file: bytes


class Stem(msgspec.Struct, frozen=True):
    """One stream of the score, rendered alone: as long as the audio and aligned with it. All stems sum to the audio.

    `name` is the instrument's, or that with the stream's if another stem has the same instrument.
    """

    name: str
    samples: Samples
    instrument: Instrument | None = None


class Warn(msgspec.Struct, frozen=True):
    """A sentence for the client: which part of the recipe the model cannot follow, and what it does instead."""

    text: str


class Stage(msgspec.Struct, frozen=True):
    """A stage of the work on a request, for its trace: `prefill`, `decode`, `codec` or one of your own.

    `began` and `ended` are nanoseconds since 1970. `busy` is how many seconds of that were work on this request, which
    is less if other work lies in between.
    """

    name: str
    began: int
    ended: int
    busy: float


# Called with (work done, total work) at least once per step. Raises CancelledGenerationError to stop the work.
OnStep = Callable[[int, int], None]

EngineOutput = Midi | Stem | Music | Warn | Stage

# Called with warnings before the audio, and after it with the music and with each requested output when it is ready;
# with a stage when that has ended.
OnOutput = Callable[[EngineOutput], None]

# Called with a sentence about the current phase of loading.
OnLoading = Callable[[str], None]


class CancelledGenerationError(Exception):
    """Raised by `OnStep` when the job was cancelled. The engine lets it propagate."""


class KeptGenerationError(CancelledGenerationError):
    """The job ended early but keeps its audio: a `ScoreEngine` still makes the outputs of the audio yielded so far."""


class UnsupportedCheckpointError(Exception):
    """This engine does not support the checkpoint; another may. The message names the unsupported feature."""


class NonFiniteError(Exception):
    """The model computed infinities or NaN for this request, of which no code can be drawn. Other requests continue."""


class EngineBrokenError(Exception):
    """Raised by an engine that cannot continue, e.g. after losing its accelerator. The host restarts the process."""


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The loaded model. `sample_rate` is in hertz. If `outputs` is not empty, the engine is a `ScoreEngine`.

    `conditions` are the kinds of audio that a recipe may be conditioned on; if it is not empty, the engine is a
    `ConditionedEngine`. `checkpoint` identifies the weights and how the engine computes with them: where it is equal,
    recipes give the same audio. None if unknown. With `has_stages`, `generate` takes an `on_output` as well, and passes
    stages to it. `cache_bytes` is the memory for the keys and values of all slots.
    `gpu_bytes` is the memory of the whole engine on its GPU, and `gpu_total` that of the GPU; the engine process
    measures both. They are 0 without one.
    """

    engine: str
    device: str
    sample_rate: int
    channels: int
    outputs: tuple[OutputKind, ...] = ()
    conditions: tuple[ConditionKind, ...] = ()
    checkpoint: str | None = None
    has_stages: bool = False
    cache_bytes: int = 0
    gpu_bytes: int = 0
    gpu_total: int = 0


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """Optimisation switches. They change the audio only by rounding, which is coarse in int4.

    Attributes:
        precision: of matrix products; `auto` is float16 on a GPU and int8 on a CPU that supports it. `int4` is of the
            native step's weights.
        attention: `kernel` needs Triton, `masked` runs everywhere; `auto` takes the fastest available.
        step: `native` runs a step in integers on a CPU in the native library, `torch` in PyTorch; `auto` is native
            where the library was compiled and the processor suits it.
        graphs: how CUDA graphs replay steps: `steady` always runs all slots, so that a request's numbers never
            depend on other requests; `buckets` is faster while few slots are in use; or `off`.
    """

    precision: Literal["auto", "float32", "float16", "bfloat16", "int8", "int4"] = "auto"
    attention: Literal["auto", "kernel", "masked"] = "auto"
    step: Literal["auto", "native", "torch"] = "auto"
    graphs: Literal["steady", "buckets", "off"] = "steady"


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of an engine.

    Attributes:
        engine: name of a built-in engine, or module:factory.
        model: name of a model, or a checkpoint folder.
        device: auto, cuda, mps or cpu.
        max_slots: upper bound of the number of slots.
        max_duration: longest duration of a job, in seconds, for which the engine reserves memory.
        tuning: optimisation switches.
    """

    engine: str
    model: str
    device: str
    max_slots: int
    max_duration: float
    tuning: Tuning = Tuning()


class Engine(Protocol):
    """A loaded model. Up to `slots` threads call `generate` at once, each iterating over its own chunks."""

    info: ModelInfo
    slots: int

    def generate(self, recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
        """Generate the audio of `recipe`: yield chunks in order, each as soon as it is final.

        Together they have exactly the duration of the recipe. Closing the generator early must free everything
        that the request holds.

        Raises:
            CancelledGenerationError: as soon as `on_step` raises it.
            MemoryError: if this request does not fit into memory; other requests continue.
            NonFiniteError: if the model's numbers overflow for this request; other requests continue.
            EngineBrokenError: if the engine cannot serve any request.
        """
        ...


@runtime_checkable
class HasRows(Protocol):
    """An engine that runs its requests in one batch."""

    @property
    def rows(self) -> int:
        """How many rows the batch has now. Safe to call in any thread."""
        ...


class ScoreEngine(Engine, Protocol):
    """An engine whose model writes a score, from which it makes outputs: MIDI and stems."""

    def generate(
        self, recipe: Recipe, on_step: OnStep, on_output: OnOutput = ..., score: NoteScore | None = None
    ) -> Iterator[Samples]:
        """Like `Engine.generate`. Pass warnings to `on_output` before the audio, the music and the outputs after it.

        The audio is not mastered. After the audio of a `loop` the engine also yields what still sounds at its end, and
        the stems have the same length; production adds that to the start.

        `score` is given if the recipe refers to one, and says what becomes of it.

        The outputs match the yielded audio, also if `on_step` raised KeptGenerationError. Keep calling `on_step`
        while making them.
        """
        ...


class ConditionedEngine(Engine, Protocol):
    """An engine whose model can be conditioned on audio."""

    def generate(
        self, recipe: Recipe, on_step: OnStep, on_output: OnOutput = ..., *, excerpt: Excerpt | None = None
    ) -> Iterator[Samples]:
        """Like `Engine.generate`. `excerpt` is what the recipe's `audio` names, if it has any.

        The audio begins with an excerpt that it continues, as the model's codec renders it.

        Raises:
            ValueError: if the excerpt leaves nothing to generate.
        """
        ...


# Creates an engine. Raises ModelUnavailableError, with the remedy, if the model cannot be loaded.
EngineFactory = Callable[[EngineSettings, OnLoading], Engine]
