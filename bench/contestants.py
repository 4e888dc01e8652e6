"""The contestants of the comparison: the decode engine, audiocraft's `MusicGen` and transformers' MusicGen."""

import atexit
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any, NamedTuple, Protocol

import torch

from bench.engines import load_audiocraft, load_batching, set_pieces, synchronize, tell
from bench.stopwatch import Stopwatch
from shared.messages import Recipe
from worker.engine.batching.config import LanguageModelConfig
from worker.engine.interface import EngineSettings, Tuning

TOP_K = 250
GUIDANCE = 3.0
# Number of threads of audiocraft and transformers; the decode engine chooses its own.
CORES = os.cpu_count() or 1
# Number of tokens of a made-up text.
TEXT = 12


class Timing(NamedTuple):
    """The timing of some pieces made at once.

    Attributes:
        wall: seconds from the first call until all audio is on the host.
        decoding: seconds of `wall` spent decoding tokens to audio.
        first_chunk: seconds until every piece had its first chunk.
        steps: steps of the language model for one piece.
        turn: median seconds between steps of the full batch; 0 if unknown.
    """

    wall: float
    decoding: float
    first_chunk: float
    steps: int
    turn: float = 0.0

    @property
    def step(self) -> float:
        """Seconds per step without decoding: text encoder, language model, sampling and overhead."""
        return (self.wall - self.decoding) / self.steps


class Facts(NamedTuple):
    """The decode engine's choices. `threads` is the number of threads per step."""

    name: str
    slots: int
    threads: int


class Contestant(Protocol):
    """An implementation to measure."""

    def run(self, prompts: Sequence[str], seconds: float) -> Timing:
        """Make a piece of this length for each prompt, all at once."""
        ...


class Batching:
    """The decode engine as a worker loads it; each piece is requested by a separate thread."""

    def __init__(self, reference: str, device: str, seconds: float, slots: int, tuning: Tuning) -> None:
        self.watch = Stopwatch(device)
        settings = EngineSettings(
            engine="batching", model=reference, device=device, max_slots=slots, max_duration=math.ceil(seconds),
            tuning=tuning,
        )  # fmt: skip
        self._engine = load_batching(settings, self.watch.wrap_codec, self.watch.wrap_runner)
        # A decode loop that still runs when Python ends would abort the process.
        atexit.register(self._engine.close)

    def run(self, prompts: Sequence[str], seconds: float) -> Timing:
        """See `Contestant.run`."""
        self.watch.reset()
        synchronize(self.watch.device)
        started = time.perf_counter()
        with ThreadPoolExecutor(len(prompts)) as pool:
            pieces = list(pool.map(lambda prompt: self.make(prompt, seconds), prompts))
        wall = time.perf_counter() - started
        first = max(begun for begun, _ in pieces) - started
        turns = self.watch.intervals(len(prompts))
        return Timing(wall, self.watch.decoding, first, pieces[0][1], median(turns) if turns else 0.0)

    def facts(self) -> Facts:
        """The engine's choices; `threads` is known after a run."""
        return Facts(self._engine.info.engine, self._engine.slots, self.watch.threads)

    def make(self, prompt: str, seconds: float) -> tuple[float, int]:
        """Make one piece; returns the time of its first chunk (`time.perf_counter`) and its number of steps."""
        recipe = Recipe(model="bench", prompt=prompt, duration=seconds, top_k=TOP_K, cfg_coef=GUIDANCE)
        first, steps = math.inf, 0

        def on_step(done: int, total: int) -> None:
            nonlocal steps
            steps = total

        for _ in self._engine.generate(recipe, on_step):
            first = min(first, time.perf_counter())
        return first, steps


class Audiocraft:
    """audiocraft's `MusicGen.generate`, in its default precision."""

    def __init__(self, reference: str, device: str) -> None:
        torch.set_num_threads(CORES)
        self._device = device
        self._model = load_audiocraft(reference, device)
        self._model.set_custom_progress_callback(self._count)
        self._decode = self._model.generate_audio
        self._model.generate_audio = self._timed
        self._decoding = 0.0
        self._steps = 0

    def run(self, prompts: Sequence[str], seconds: float) -> Timing:
        """See `Contestant.run`; the pieces are one static batch."""
        set_pieces(self._model, seconds, top_k=min(TOP_K, self._model.lm.card), cfg_coef=GUIDANCE)
        self._decoding, self._steps = 0.0, 0
        return _time(
            self._device,
            lambda: self._model.generate(list(prompts), progress=True).cpu(),
            lambda: (self._decoding, self._steps),
        )

    def _count(self, done: int, total: int) -> None:
        self._steps += 1

    def _timed(self, tokens: Any) -> Any:
        audio, seconds = _timed(self._device, lambda: self._decode(tokens))
        self._decoding += seconds
        return audio


class Transformers:
    """transformers' `MusicgenForConditionalGeneration` of the same size, with random weights."""

    def __init__(self, config: LanguageModelConfig, device: str) -> None:
        tell("Importing transformers' MusicGen")
        torch.set_num_threads(CORES)
        self._device = device
        self._model = _transformers_model(config, device)
        self._model.decoder.register_forward_pre_hook(self._count)
        self._decode = self._model.audio_encoder.decode
        self._model.audio_encoder.decode = self._timed
        self._tail = max(config.delays)
        self._decoding = 0.0
        self._steps = 0

    def run(self, prompts: Sequence[str], seconds: float) -> Timing:
        """See `Contestant.run`; only the number of prompts matters."""
        frames = math.ceil(seconds * self._model.config.audio_encoder.frame_rate - 1e-6)
        self._decoding, self._steps = 0.0, 0
        text = torch.ones(len(prompts), TEXT, dtype=torch.int64, device=self._device)
        return _time(
            self._device, lambda: self._generate(text, frames + self._tail), lambda: (self._decoding, self._steps)
        )

    def _generate(self, text: torch.Tensor, steps: int) -> Any:
        return self._model.generate(
            input_ids=text, attention_mask=torch.ones_like(text), do_sample=True, top_k=TOP_K,
            guidance_scale=GUIDANCE, max_new_tokens=steps,
        ).cpu()  # fmt: skip

    def _count(self, *_: object) -> None:
        self._steps += 1

    def _timed(self, *arguments: Any, **options: Any) -> Any:
        audio, seconds = _timed(self._device, lambda: self._decode(*arguments, **options))
        self._decoding += seconds
        return audio


def _transformers_model(config: LanguageModelConfig, device: str) -> Any:
    """MusicGen with random weights: the language model of `config`, EnCodec for 32 kHz, and a small T5."""
    from transformers import (  # takes seconds to import
        EncodecConfig,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        T5Config,
    )

    decoder = MusicgenDecoderConfig(
        vocab_size=config.codebook_size, num_hidden_layers=config.layers, ffn_dim=config.hidden,
        num_attention_heads=config.heads, hidden_size=config.dim, num_codebooks=config.codebooks,
        pad_token_id=config.codebook_size, bos_token_id=config.codebook_size,
    )  # fmt: skip
    codec = EncodecConfig(
        sampling_rate=32_000, target_bandwidths=[2.2], num_filters=64, upsampling_ratios=[8, 5, 4, 4],
        use_causal_conv=False, use_conv_shortcut=False, codebook_size=config.codebook_size, num_lstm_layers=2,
    )  # fmt: skip
    text = T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
    model = MusicgenForConditionalGeneration(MusicgenConfig(text_encoder=text, audio_encoder=codec, decoder=decoder))
    return model.eval().to(device, torch.float32 if device == "cpu" else torch.float16)


def _time(device: str, work: Callable[[], Any], parts: Callable[[], tuple[float, int]]) -> Timing:
    _, wall = _timed(device, work)
    decoding, steps = parts()
    return Timing(wall, decoding, wall, steps)


def _timed(device: str, work: Callable[[], Any]) -> tuple[Any, float]:
    """The result of `work`, and its duration in seconds."""
    synchronize(device)
    started = time.perf_counter()
    result = work()
    synchronize(device)
    return result, time.perf_counter() - started
