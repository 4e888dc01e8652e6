"""The default engine: continuous batching of all requests."""

import ctypes
import math
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import replace

import torch

from shared.audio_conditions import Excerpt
from shared.errors import ModelUnavailableError
from shared.files import OUTPUT_KINDS
from shared.messages import Recipe
from shared.music import DEFAULT_METER, grid_samples
from shared.note_score import NoteScore
from worker.engine.batching.checkpoint import Checkpoint, read_checkpoint
from worker.engine.batching.composing import Candidate, compose
from worker.engine.batching.condition_reader import ConditionReader
from worker.engine.batching.conditions import Conditions
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.following import cancellation_check, chunks
from worker.engine.batching.kv_cache import count_slots, free_memory, longest_prefix
from worker.engine.batching.language_model import LanguageModel
from worker.engine.batching.layout import DelayPattern
from worker.engine.batching.linear import DTYPES, Precision
from worker.engine.batching.loop import Loop, RequestHandle
from worker.engine.batching.melody import WHOLE_MIX
from worker.engine.batching.native_model import InInt8, NativeLanguageModel
from worker.engine.batching.request import Request
from worker.engine.batching.stages import stage
from worker.engine.batching.step_runner import CudaCapture, EagerRunner, GraphRunner, StepRunner, bucket_sizes
from worker.engine.batching.transformer import Transformer
from worker.engine.batching.tuning import (
    pick_attention,
    pick_codec_dtype,
    pick_decoder,
    pick_native,
    pick_native_codec,
    pick_precision,
    pick_threads,
    set_threads,
)
from worker.engine.codec_interface import Codec
from worker.engine.interface import (
    EngineSettings,
    KeptGenerationError,
    ModelInfo,
    OnLoading,
    OnOutput,
    OnStep,
    Samples,
    Tuning,
    Warn,
)
from worker.engine.loading.checkpoints import find_checkpoint, identify
from worker.engine.loading.codecs import load_codec
from worker.engine.loading.load_errors import check_device, explained, pick_device
from worker.engine.sampler.addition import Addition
from worker.engine.sampler.arranging import arrange
from worker.engine.sampler.child import ChildPlan, plan_child
from worker.engine.sampler.child_take import ChildTake
from worker.engine.sampler.codec import SamplerCodec
from worker.engine.sampler.count_in import make_count_in
from worker.engine.sampler.outputs import make_outputs
from worker.engine.sampler.played_take import PlayedTake
from worker.engine.sampler.score_grammar import CodeLimits, ScoreGrammar
from worker.engine.sampler.wish import read_recipe
from worker.engine.text.encoder import TextEncoder, load_text_encoder

NAME = "batching"
# Raise it when a recipe gives other samples than before: audio that an earlier engine stored no longer answers for it.
REVISION = 4
TEXT_CONDITIONER = "condition_provider.conditioners.description"


def load(settings: EngineSettings, on_loading: OnLoading) -> "BatchingEngine":
    """Load the model that `settings` name.

    Raises:
        ModelUnavailableError: with the remedy, if the model cannot be loaded.
        UnsupportedModelError, UnsupportedCodecError, UnsupportedTextEncoderError: if only audiocraft may support it.
    """
    device = pick_device(settings.device)
    check_device(device)
    reference = find_checkpoint(settings.model)
    on_loading(f"Loading {settings.model} onto {device}")
    with explained(settings.model, reference):
        engine = BatchingEngine(read_checkpoint(reference), torch.device(device), settings, on_loading)
    _return_freed_memory()
    return engine


def _return_freed_memory() -> None:
    """Give the system what loading needed for a moment: glibc would keep it, as much as a quarter of the model."""
    with suppress(AttributeError):  # other C libraries have no such function
        ctypes.CDLL(None).malloc_trim(0)


class BatchingEngine:
    """Submits every request to one running batch and yields its audio."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        settings: EngineSettings,
        on_loading: OnLoading = lambda message: None,
    ) -> None:
        config = checkpoint.config
        threads = pick_threads(device, config)
        set_threads(1)
        precision = pick_precision(settings.tuning, device, config)
        dtype = pick_codec_dtype(precision)
        native = pick_native_codec(settings.tuning, dtype, threads)
        self._codec: Codec = load_codec(checkpoint.reference, device, stereo=config.stereo, dtype=dtype, native=native)
        window = min(int(config.segment * self._codec.frame_rate), self._frames(settings.max_duration))
        positions = longest_prefix(config) + DelayPattern(config.delays).steps(window)
        attention = pick_attention(settings.tuning, device, config, DTYPES[precision], on_loading)
        model: Transformer
        if device.type != "cuda" and pick_native(settings.tuning, precision, on_loading):
            in_int8 = InInt8() if precision == "int4" else None
            model = NativeLanguageModel(config, checkpoint.weights, positions, threads, in_int8=in_int8)
            name = f"{NAME} {precision} {model.instruction_set}"
        else:
            model = LanguageModel(config, checkpoint.weights, precision, device, attention, positions)
            name = f"{NAME} {precision}"
        self._reader = ConditionReader(self._codec, config, checkpoint.weights, window)
        self._conditions = Conditions(model, _load_text_encoder(checkpoint), checkpoint.weights)
        self.slots = _count_slots(model, settings, positions)
        grammar, self._longest = None, 0
        if isinstance(self._codec, SamplerCodec):
            self._longest = self._codec.most_frames(settings.max_duration)
            grammar = ScoreGrammar(self.slots, device, self._codec.level, self._longest)
        kind = pick_decoder(settings.tuning, model, self.slots, on_loading)
        decoder = kind(model, self.slots, window, grammar)
        runner = _make_runner(decoder, settings.tuning)
        self._loop = Loop(decoder, runner, self._codec, self.slots, window, threads)
        self.info = ModelInfo(
            engine=name if kind is Decoder else f"{name} fused",
            device=device.type,
            sample_rate=self._codec.sample_rate,
            channels=self._codec.channels,
            outputs=OUTPUT_KINDS if grammar else (),
            conditions=self._reader.kinds,
            checkpoint=_name_sound(checkpoint.reference, precision),
            has_stages=True,
            cache_bytes=(self.slots + 1) * model.bytes_per_slot(positions),
        )

    def generate(
        self,
        recipe: Recipe,
        on_step: OnStep,
        on_output: OnOutput = lambda output: None,
        *,
        excerpt: Excerpt | None = None,
        score: NoteScore | None = None,
    ) -> Iterator[Samples]:
        """See `ScoreEngine.generate` if the codec is a sampler, else `ConditionedEngine.generate`."""
        if isinstance(self._codec, SamplerCodec) and score is not None:
            yield from self._play_score(self._codec, recipe, score, on_step, on_output)
        elif isinstance(self._codec, SamplerCodec):
            generate = self._generate_score if recipe.edit is None else self._generate_child
            yield from generate(self._codec, recipe, on_step, on_output)
        else:
            samples = round(recipe.duration * self._codec.sample_rate)
            request = self._request(recipe, recipe.prompt, self._frames(recipe.duration), samples, excerpt=excerpt)
            if recipe.audio is not None and recipe.audio.kind == "melody":
                on_output(Warn(WHOLE_MIX))
            yield from self._audio(self._loop.submit(request), on_step, on_output, most=samples)

    def _generate_score(
        self, codec: SamplerCodec, recipe: Recipe, on_step: OnStep, on_output: OnOutput
    ) -> Iterator[Samples]:
        wish = read_recipe(recipe)
        count_in = make_count_in(wish, codec.level)
        for text in count_in.warnings:
            on_output(Warn(text))
        wanted = _length(recipe, codec.sample_rate)
        request = self._request(recipe, count_in.caption, count_in.frames(wanted), wanted, count_in.limits)
        stream = codec.stream(wanted, count_in.tempo, loop=recipe.loop)
        handle = self._loop.submit(request, stream)
        made = yield from self._audio(handle, on_step, on_output)
        if made:
            length, check = min(made, wanted), cancellation_check(handle, on_step)
            for output in make_outputs(
                stream.score(),
                recipe.outputs,
                length,
                count_in.tempo,
                reading=wish.reading,
                caption=count_in.caption,
                tail=made - length,
                on_step=check,
            ):
                on_output(output)

    def _generate_child(
        self, codec: SamplerCodec, recipe: Recipe, on_step: OnStep, on_output: OnOutput
    ) -> Iterator[Samples]:
        """Compose the candidates, then render the best one. A job that is stopped while it composes has no audio."""
        assert recipe.edit is not None
        child = plan_child(recipe, recipe.edit, _length(recipe, codec.sample_rate), codec.level)
        for text in child.warnings:
            on_output(Warn(text))
        with suppress(KeptGenerationError):
            candidates = self._compose(recipe, child, child.draft.frames, on_step, on_output)
            composed = time.time_ns()
            yield from ChildTake(codec, child, candidates).play(recipe, on_step, on_output)
            on_output(stage("codec", composed, time.time_ns()))

    def _play_score(
        self, codec: SamplerCodec, recipe: Recipe, score: NoteScore, on_step: OnStep, on_output: OnOutput
    ) -> Iterator[Samples]:
        """Needs no place in the batch, unless the model composes to the score."""
        wanted = _length(recipe, codec.sample_rate)

        def composed(addition: Addition) -> list[Candidate]:
            return self._compose(recipe, addition, addition.frames, on_step, on_output)

        with suppress(KeptGenerationError):
            arranged = arrange(recipe, score, wanted, codec.level, composed)
            yield from PlayedTake(recipe, arranged, wanted).play(on_step, on_output)

    def _compose(
        self, recipe: Recipe, plan: ChildPlan | Addition, frames: int, on_step: OnStep, on_output: OnOutput
    ) -> list[Candidate]:
        """What the model composes by a plan."""
        if frames > self._longest:
            raise ValueError("The take is longer than MAX_DURATION at this worker. Raise it there.")
        request = self._request(recipe, plan.caption, frames, None, plan.limits)
        began = time.time_ns()
        candidates = compose(self._loop, [replace(request, seed=seed) for seed in plan.seeds], on_step)
        on_output(stage("decode", began, time.time_ns()))
        return candidates

    def _audio(
        self, handle: RequestHandle, on_step: OnStep, on_output: OnOutput, most: int | None = None
    ) -> Generator[Samples, None, int]:
        """Yield the audio, at most `most` samples; returns how many there were. A stopped job has fewer."""
        made = 0
        try:
            with suppress(KeptGenerationError):
                for chunk in chunks(handle, on_step):
                    piece = chunk if most is None else chunk[: most - made]
                    made += len(piece)
                    yield piece
        finally:
            self._loop.cancel(handle)
            for each in handle.clock.stages():
                on_output(each)
        return made

    @property
    def rows(self) -> int:
        """See `HasRows`."""
        return self._loop.rows

    def close(self) -> None:
        """Stop the loop."""
        self._loop.close()

    def _frames(self, seconds: float) -> int:
        """Frames for this much audio, including the codec's lead-in."""
        return self._codec.lead_in + math.ceil(seconds * self._codec.frame_rate - 1e-6)

    @torch.inference_mode()
    def _request(
        self,
        recipe: Recipe,
        words: str,
        frames: int,
        samples: int | None,
        limits: CodeLimits | None = None,
        excerpt: Excerpt | None = None,
    ) -> Request:
        """Encode the prompt and the excerpt in the caller's thread, while the batch continues."""
        set_threads(1)
        given, melodies = self._reader.read(recipe, excerpt, frames)
        # The starter's plan follows the negative prompt; its model never saw one.
        negative_prompt = None if isinstance(self._codec, SamplerCodec) else recipe.negative_prompt
        encoded = self._conditions.encode(words, recipe.cfg_coef != 1.0, negative_prompt, melodies)
        return Request(
            **encoded._asdict(),
            frames=frames,
            samples=samples,
            temperature=recipe.temperature,
            top_k=min(recipe.top_k, self._codec.codebook_size),
            top_p=recipe.top_p,
            cfg_scale=recipe.cfg_coef,
            seed=recipe.seed,
            limits=limits,
            given=given,
        )


def _length(recipe: Recipe, sample_rate: int) -> int:
    """Samples of the requested audio."""
    if recipe.bars is None or recipe.bpm is None:
        return round(recipe.duration * sample_rate)
    return grid_samples(recipe.bars, recipe.bpm, recipe.meter or DEFAULT_METER, sample_rate)


def _name_sound(reference: str, precision: Precision) -> str:
    """What makes a recipe sound the same: the checkpoint's fingerprint, the precision and the engine's revision."""
    return f"{identify(reference) or 'hub'} {precision} {REVISION}"


def _load_text_encoder(checkpoint: Checkpoint) -> TextEncoder:
    weights = checkpoint.weights
    tuned = any(name.startswith(f"{TEXT_CONDITIONER}.t5.") for name in weights)
    # It stays on the CPU: each prompt is encoded only once, in parallel with the batch.
    return load_text_encoder(
        checkpoint.text_encoder(),
        weights[f"{TEXT_CONDITIONER}.output_proj.weight"],
        weights[f"{TEXT_CONDITIONER}.output_proj.bias"],
        torch.device("cpu"),
        state=weights if tuned else None,
    )


def _count_slots(model: Transformer, settings: EngineSettings, positions: int) -> int:
    try:
        return count_slots(free_memory(model.device), model.bytes_per_slot(positions), settings.max_slots)
    except MemoryError as error:
        raise ModelUnavailableError(
            f"{settings.model} leaves no memory to work in: {error}.",
            "Use a smaller MUSICGEN_MODEL_SIZE or MAX_DURATION, or free memory.",
        ) from error


def _make_runner(decoder: Decoder, tuning: Tuning) -> StepRunner:
    if decoder.model.device.type != "cuda" or tuning.graphs == "off" or decoder.model.needs_host:
        return EagerRunner(decoder)
    sizes = [decoder.scratch] if tuning.graphs == "steady" else bucket_sizes(decoder.scratch)
    return GraphRunner(decoder, CudaCapture(), sizes)
