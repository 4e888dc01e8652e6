"""Compares the distributions that codes are drawn from in int8 and int4 with those of float32.

`uv run python -m bench.quality --model small [--precisions int8,int4] [--steps 32]`

The float32 model draws codes for some prompts; then each precision gets the same codes and predicts the next ones. The
distributions are those that the engine draws from: logits with guidance (3), cut to the 250 most likely codes.
`--model` is a name or a checkpoint folder. A model of Meta's that is not in the hub's cache has random weights of its
size, and says so: they tell which matrices matter, but not how trained models sound.
"""

import argparse
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import msgspec
import torch
from huggingface_hub import try_to_load_from_cache
from torch import Tensor

from bench.arguments import positive_int
from bench.engines import tell
from bench.report import machine, show
from bench.sizes import SIZES, configuration, language_model_weights
from shared.errors import ModelUnavailableError
from shared.models import HUB_REPOSITORIES
from worker.engine.batching import engine as batching
from worker.engine.batching.attention import PerSlotAttention, StepRows
from worker.engine.batching.checkpoint import read_checkpoint
from worker.engine.batching.config import LanguageModelConfig, UnsupportedModelError
from worker.engine.batching.kv_cache import CONDITIONAL, PARTS
from worker.engine.batching.language_model import LanguageModel, Weights
from worker.engine.batching.native_model import InInt8, NativeLanguageModel
from worker.engine.batching.sampling import guide
from worker.engine.batching.transformer import Transformer
from worker.engine.kernels.native_library import REMEDY, NativeStepError
from worker.engine.kernels.step_model import KINDS
from worker.engine.loading.checkpoints import LANGUAGE_MODEL_FILE, find_checkpoint

CPU = torch.device("cpu")
PRECISIONS = ("int8", "int4")
GUIDANCE, TOP_K = 3.0, 250
PROMPTS = (
    "upbeat electronic music with synthesizer and drums",
    "calm solo piano, slow, in A minor",
    "heavy rock with distorted guitars, 140 BPM",
    "orchestral film music with strings and brass",
)
# Of random weights: tokens of each text, and their width in Meta's text encoder.
TOKENS, TEXT_WIDTH = 12, 768


@dataclass(frozen=True)
class Subject:
    """A model and the texts that it hears, each of shape [tokens, dim]."""

    origin: str
    config: LanguageModelConfig
    weights: Weights
    texts: list[Tensor]


class Figures(msgspec.Struct):
    """How far a precision is from float32; lists have a number for each codebook.

    Attributes:
        kl: KL divergence from float32's distribution, cut to its most likely codes, in nats.
        same: share of predictions whose most likely code is the same.
        outside: share of draws, from the own cut, that float32 would never make.
        logit_error: relative error of the logits with guidance.
    """

    kl: list[float]
    same: list[float]
    outside: list[float]
    logit_error: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare and print."""
    parser = _parser()
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    try:
        subject = load_subject(options.model)
        found, instruction_set = measure(subject, options)
    except ModelUnavailableError as error:
        parser.error(f"{error} {error.remedy}")
    except UnsupportedModelError as error:
        parser.error(f"The native step does not run this model: {error}.")
    except NativeStepError as error:
        parser.error(f"The native step does not run here: {error}. {REMEDY}.")
    _report(subject, found, instruction_set, options)


def load_subject(model: str) -> Subject:
    """The checkpoint that `model` names, or random weights of its size.

    Raises:
        ModelUnavailableError: if there is neither.
        UnsupportedModelError: if the text does not enter by cross-attention.
    """
    if model in SIZES and not isinstance(try_to_load_from_cache(HUB_REPOSITORIES[model], LANGUAGE_MODEL_FILE), str):
        return _random(model)
    checkpoint = read_checkpoint(find_checkpoint(model))
    if checkpoint.config.fuses != "cross":
        raise UnsupportedModelError("its text enters as a prefix")
    encoder = batching._load_text_encoder(checkpoint)
    return Subject(model, checkpoint.config, checkpoint.weights, [encoder.encode(prompt) for prompt in PROMPTS])


def _random(model: str) -> Subject:
    tell(f"{model} is not in the hub's cache: making random weights of its size")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config, weights = configuration(SIZES[model]), dict(language_model_weights(SIZES[model], TEXT_WIDTH))
        texts = [torch.randn(TOKENS, config.dim) for _ in PROMPTS]
    return Subject(f"{model}, random weights", config, weights, texts)


@torch.inference_mode()
def measure(subject: Subject, options: argparse.Namespace) -> tuple[dict[str, Figures], str]:
    """The figures of each precision, and the instruction set."""
    config, steps = subject.config, options.steps
    tell("float32 draws the codes")
    exact = LanguageModel(config, subject.weights, "float32", CPU, PerSlotAttention(), steps)
    codes, wanted = run(exact, subject.texts, steps)
    del exact
    found = {}
    for precision in options.precisions:
        tell(f"{precision} predicts them")
        in_int8 = InInt8(options.keep, options.layers) if precision == "int4" else None
        model = NativeLanguageModel(config, subject.weights, steps, options.threads, in_int8=in_int8)
        _, made = run(model, subject.texts, steps, codes)
        found[precision] = compare(wanted, made, config.delays)
        instruction_set = model.instruction_set
        del model
    return found, instruction_set


def run(model: Transformer, texts: list[Tensor], steps: int, codes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Run some steps of all texts with `codes`, or with codes that it draws.

    Returns:
        the codes, int64 of shape [steps, texts, codebooks], and the guided logits after each of them:
        [steps, texts, codebooks, codebook_size].
    """
    config, users = model.config, len(texts)
    cache = model.new_cache(users, steps)
    for slot, text in enumerate(texts):
        cache.begin(slot)
        cache.set_text(slot, model.project_text(text))
    source, scale = torch.Generator().manual_seed(0), torch.full((users,), GUIDANCE)
    now = torch.full((users, config.codebooks), config.codebook_size)
    used, predicted = [], []
    for step in range(steps):
        used.append(now if codes is None else codes[step])
        host = tuple((slot, step, len(text)) for slot, text in enumerate(texts))
        logits = model.step(cache, StepRows(torch.arange(users), torch.full((users,), step), PARTS, host), used[-1])
        predicted.append(guide(logits[CONDITIONAL], logits[1 - CONDITIONAL], scale))
        now = torch.where(torch.tensor(config.delays) <= step, _draw(predicted[-1], source), config.codebook_size)
    return torch.stack(used), torch.stack(predicted)


def _draw(logits: Tensor, source: torch.Generator) -> Tensor:
    best = logits.topk(min(TOP_K, logits.shape[-1]))
    drawn = torch.multinomial(best.values.softmax(-1).flatten(0, 1), 1, generator=source)
    return best.indices.flatten(0, 1).gather(1, drawn).view(logits.shape[:-1])


def compare(exact: Tensor, made: Tensor, delays: Sequence[int]) -> Figures:
    """Compare logits of shape [steps, texts, codebooks, codebook_size]. Codebooks begin after their delay."""
    kl, same, outside = [], [], []
    for book, delay in enumerate(delays):
        wanted, got = (each[delay:, :, book].flatten(0, 1).double() for each in (exact, made))
        count = min(TOP_K, wanted.shape[-1])
        kept, own = wanted.topk(count).indices, got.topk(count)
        log_p, log_q = (each.gather(1, kept).log_softmax(-1) for each in (wanted, got))
        kl.append(float((log_p.exp() * (log_p - log_q)).sum(-1).mean()))
        same.append(float((wanted.argmax(-1) == got.argmax(-1)).double().mean()))
        allowed = torch.zeros_like(wanted, dtype=torch.bool).scatter_(1, kept, True).gather(1, own.indices)
        outside.append(float((own.values.softmax(-1) * ~allowed).sum(-1).mean()))
    error = float((made - exact).norm() / exact.norm())
    return Figures([round(each, 6) for each in kl], same, [round(each, 6) for each in outside], round(error, 5))


def _report(subject: Subject, found: dict[str, Figures], instruction_set: str, options: argparse.Namespace) -> None:
    rows = []
    for precision, of in found.items():
        for book, (kl, same, outside) in enumerate(zip(of.kl, of.same, of.outside, strict=True), 1):
            rows.append((f"{precision}, codebook {book}", f"{kl:.4f}", f"{same:.1%}, {outside:.2%}"))
        kl, same, outside = (sum(each) / len(each) for each in (of.kl, of.same, of.outside))
        rows.append((f"{precision}, mean", f"{kl:.4f}", f"{same:.1%}, {outside:.2%}; logits {of.logit_error:.3f}"))
    keep = ", ".join((*sorted(options.keep), f"first layers: {options.layers}"))
    figures = {
        "model": subject.origin,
        "steps": options.steps,
        "prompts": len(subject.texts),
        "kinds_in_int8": sorted(options.keep),
        "layers_in_int8": options.layers,
        "instruction_set": instruction_set,
        "machine": machine(),
        "precisions": found,
    }
    columns = ("precision", "KL divergence from float32", "same most likely code, draws outside of float32's cut")
    show(f"{subject.origin}, {instruction_set}; int4 keeps in int8: {keep}", rows, figures, columns)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="small", help="a name or a checkpoint folder (default: small)")
    parser.add_argument("--precisions", type=_some(PRECISIONS), default=PRECISIONS, help="(default: int8,int4)")
    parser.add_argument("--keep", type=_some(("none", *KINDS)), default=InInt8().kinds, metavar="KINDS",
                        help="matrices that int4 keeps in int8, or none (default: those of the engine)")  # fmt: skip
    parser.add_argument("--layers", type=int, default=InInt8().layers,
                        help="first layers that int4 keeps in int8 (default: that of the engine)")  # fmt: skip
    parser.add_argument("--steps", type=positive_int, default=32, help="per prompt (default: 32)")
    parser.add_argument("--threads", type=positive_int, default=torch.get_num_threads(), help="(default: one a core)")
    return parser


def _some(choices: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """A list, separated by commas, of some of the choices; `none` is an empty one."""

    def parse(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if unknown := set(names) - set(choices):
            raise argparse.ArgumentTypeError(f"{min(unknown)} is none of {', '.join(choices)}")
        return () if names == ("none",) else names

    return parse


if __name__ == "__main__":
    main()
