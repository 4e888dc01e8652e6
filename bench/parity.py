"""Checks that the decode engine makes the same tokens as audiocraft, for a checkpoint on a device.

`uv run python -m bench.parity --checkpoint DIR --prompts FILE --seconds 6 [--device cuda] [--slots 4]`

The decode engine makes all prompts in one running batch; each joins when the previous one has its first chunk.
audiocraft's `MusicGen` makes them one by one. Both take the most likely token at each step. Without --precision both
compute in float32. The exit code is 0 if all tokens are the same, 1 if not, and 2 if nothing could be compared.
"""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
import torch
from torch import Tensor

from bench.arguments import positive_float, positive_int
from bench.engines import load_audiocraft, load_batching, set_pieces, tell
from bench.token_capture import CapturedTokens, CodesCodec, make_staggered
from shared.errors import ModelUnavailableError
from shared.messages import Recipe
from worker.engine.batching.config import UnsupportedModelError
from worker.engine.batching.engine import BatchingEngine
from worker.engine.batching.linear import Precision
from worker.engine.codec_interface import Codec, UnsupportedCodecError
from worker.engine.interface import EngineBrokenError, EngineSettings, Tuning
from worker.engine.loading.checkpoints import find_checkpoint
from worker.engine.loading.load_errors import pick_device
from worker.engine.text.configuration import UnsupportedTextEncoderError

UNSUPPORTED = (UnsupportedModelError, UnsupportedCodecError, UnsupportedTextEncoderError)
# With more prompts than slots, waiting requests take over the slots of finished ones.
SLOTS = 8


class Mismatch(NamedTuple):
    """The first token that differs, in the order of prediction."""

    codebook: int
    frame: int


class Comparison(NamedTuple):
    """The inputs of a comparison. `seconds` is the length of each piece."""

    reference: str
    prompts: list[str]
    seconds: float
    device: str
    precision: Precision


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        prompts = read_prompts(options.prompts)
        if not prompts:
            parser.error(f"{options.prompts} has no prompts: write one a line.")
        reference = find_checkpoint(str(options.checkpoint.resolve()))
        comparison = Comparison(reference, prompts, options.seconds, pick_device(options.device), options.precision)
        made = make_ours(comparison, options.slots)
    except OSError as error:
        parser.error(f"{options.prompts} cannot be read: {error.strerror}.")
    except ModelUnavailableError as error:
        parser.error(f"{error} {error.remedy}")
    except (ValueError, MemoryError, EngineBrokenError) as error:
        parser.error(f"Our engine made nothing: {error}")
    except UNSUPPORTED as error:
        parser.error(f"Only audiocraft's own engine runs this model, so that there is nothing to compare: {error}.")
    return report(prompts, made, load_reference(comparison))


def read_prompts(file: Path) -> list[str]:
    """One a line; empty lines are skipped."""
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def make_ours(comparison: Comparison, slots: int) -> list[CapturedTokens]:
    """Make all prompts in one running batch, with the engine that a worker loads."""
    settings = EngineSettings(
        engine="batching",
        model=comparison.reference,
        device=comparison.device,
        max_slots=min(slots, len(comparison.prompts)),
        max_duration=math.ceil(comparison.seconds),
        tuning=Tuning(precision=comparison.precision),
    )
    codecs: list[CodesCodec] = []

    def replace(codec: Codec) -> CodesCodec:
        codecs.append(CodesCodec(codec))
        return codecs[-1]

    engine = load_batching(settings, replace)
    tell(f"{len(comparison.prompts)} prompts in one batch of up to {engine.slots}: {engine.info.engine}")
    # Round up to whole frames, since the captured codes cannot be cut within a frame.
    duration = math.ceil(comparison.seconds * codecs[0].frame_rate - 1e-6) / codecs[0].frame_rate
    recipes = [
        Recipe(model="parity", prompt=prompt, duration=duration, temperature=0.0) for prompt in comparison.prompts
    ]
    try:
        return make_staggered(lambda recipe: _generate(engine, recipe), recipes, codecs[0])
    finally:
        engine.close()


def _generate(engine: BatchingEngine, recipe: Recipe) -> Tensor:
    return torch.cat([torch.from_numpy(chunk.copy()) for chunk in engine.generate(recipe, lambda done, total: None)])


def load_reference(comparison: Comparison) -> Any:
    """Load audiocraft's `MusicGen` with the same settings; it returns tokens as audio."""
    torch.set_num_threads(os.cpu_count() or 1)  # the decode engine has reduced it to one
    in_float32 = comparison.precision in ("float32", "int8", "int4")
    model = load_audiocraft(comparison.reference, comparison.device, in_float32=in_float32)
    set_pieces(model, comparison.seconds, use_sampling=False)
    model.generate_audio = lambda tokens: tokens
    return model


def report(prompts: Sequence[str], made: Sequence[CapturedTokens], reference: Any) -> int:
    """Print a line for each prompt, then a line of JSON; returns the exit code."""
    delays: list[int] = reference.lm.pattern_provider.delays
    first: dict[str, object] | None = None
    identical = 0
    for prompt, ours in zip(prompts, made, strict=True):
        mismatch = find_mismatch(ours.codes, reference.generate([prompt])[0].cpu(), delays)
        identical += mismatch is None
        if mismatch and first is None:
            first = {"prompt": prompt, **mismatch._asdict()}
        result = f"differs at codebook {mismatch.codebook}, frame {mismatch.frame}" if mismatch else "identical"
        print(f"{result}: {ours.codes.shape[1]} frames, joined beside {ours.beside} others: {prompt}", flush=True)
    figures = {"prompts": len(prompts), "identical": identical, "first_mismatch": first}
    print(msgspec.json.encode(figures).decode(), flush=True)
    return int(first is not None)


def find_mismatch(ours: Tensor, reference: Tensor, delays: Sequence[int]) -> Mismatch | None:
    """The first difference of codes of shape [codebooks, frames], in the order of the delay pattern."""
    common = min(ours.shape[1], reference.shape[1])
    differing = (ours[:, :common] != reference[:, :common]).nonzero().tolist()
    if differing:
        return Mismatch(*min(differing, key=lambda place: (delays[place[0]] + place[1], place[0])))
    return None if ours.shape == reference.shape else Mismatch(0, common)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.parity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="a folder in audiocraft's format")
    parser.add_argument("--prompts", type=Path, required=True, help="a file with a prompt a line")
    parser.add_argument("--seconds", type=positive_float, default=6.0, help="length of each piece (default: 6)")
    parser.add_argument("--device", choices=("auto", "cuda", "mps", "cpu"), default="auto")
    parser.add_argument(
        "--slots", type=positive_int, default=SLOTS, help=f"prompts that run at once (default: {SLOTS})"
    )
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="float32",
        help="of our engine; with float16 and bfloat16 audiocraft takes what it chooses itself (default: float32)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
