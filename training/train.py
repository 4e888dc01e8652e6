"""Trains the starter, and resumes an interrupted run.

    python -m training.train --data FOLDER --out FOLDER --steps 5000 [--init CHECKPOINT]

Writes `checkpoint.pt` and a line of `losses.csv` every few minutes, so it can be interrupted at any time and resumed on
another machine. The learning rate decays only over the last third of all steps (Hu et al. 2024, MiniCPM), so a run can
be resumed with a different number of steps.

With `--init` a new run starts from the weights of an exported checkpoint, such as the shipped one. Known words keep
their embeddings.
"""

import argparse
import csv
import math
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer
from transformers import T5EncoderModel, T5Tokenizer

from training.batches import TrainingBatch, TrainingPieces
from training.data import read_shards
from training.export import CONDITION, CONDUCTOR_TEMPERATURE, TEMPERATURE, TEXT_ENCODER
from training.model import OPENING, Emphasis, Shape, StarterModel, losses
from training.text_encoder import make_encoder, make_tokenizer, silence_unused
from worker.engine.sampler.codes import CODEBOOK_SIZE
from worker.engine.sampler.instruments import Stream

# The lengths of excerpts in steps, and the percentage of batches of each. Most batches hold only beginnings, of many
# pieces, since the rest of a piece follows from its beginning and needs no caption.
BARS, WHOLE = 256, Shape.segment
LENGTHS = {OPENING: 60, BARS: 28, WHOLE: 12}
WARM_UP = 100
COOL_DOWN = 0.35
EMPHASIS = Emphasis(opening=6.0, header=60.0)
# Factor on AdamW's rate; Muon's steps are scaled to the size of AdamW's.
MUON_RATE = 3.0
PATIENT_RATE = 0.1
SAVE_EVERY = 180.0
# Without AVX-512 PyTorch calculates in bfloat16 ten times as slowly as in float32.
BFLOAT16 = bool(torch.cpu.get_capabilities().get("avx512_f"))
HELD_OUT = 256


class Trainer:
    """The model, the text encoder and the optimizers, and their state on disk."""

    def __init__(self, shape: Shape, tokenizer: T5Tokenizer, rate: float) -> None:
        self.shape = shape
        self.tokenizer = tokenizer
        self.model = StarterModel(shape)
        self.encoder: T5EncoderModel = make_encoder(tokenizer, shape.text_dim)
        self._parameters = [*self.model.parameters(), *self.encoder.parameters()]
        self._optimizers = _optimizers(self.model, self.encoder, rate)
        self.step = 0
        self.seconds = 0.0

    def losses(self, batch: TrainingBatch, emphasis: Emphasis | None = None) -> Tensor:
        """The loss of each codebook, in nats per code; see `training.model.losses`."""
        mask = batch.tokens != 0
        with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16):
            # T5 returns NaN for a row without tokens, so each row has at least one; the model zeroes it afterwards.
            seen = mask.clone()
            seen[:, 0] = True
            text = self.encoder(input_ids=batch.tokens, attention_mask=seen.long()).last_hidden_state
            logits = self.model(batch.sequence, text, mask)
            return losses(logits, batch.sequence, self.shape.card, emphasis, batch.opens)

    def train(self, batch: TrainingBatch, steps: int) -> Tensor:
        """Do one step; `steps` is the total for the schedule. Returns the losses."""
        found = self.losses(batch, EMPHASIS)
        found.mean().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        left = max(1 - self.step / steps, 0.01)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * min((self.step + 1) / WARM_UP, 1, left / COOL_DOWN)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return found.detach()

    def save(self, file: Path) -> None:
        """Write the state atomically."""
        draft = file.with_suffix(".draft")
        state = {
            "shape": self.shape.as_dict(), "model": self.model.state_dict(), "encoder": self.encoder.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "step": self.step, "seconds": self.seconds,
        }  # fmt: skip
        torch.save(state, draft)
        draft.rename(file)

    def load(self, file: Path) -> None:
        """Read the state that `save` wrote."""
        state = torch.load(file, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.encoder.load_state_dict(state["encoder"])
        for optimizer, found in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(found)
        self.step, self.seconds = state["step"], state["seconds"]


def _optimizers(model: StarterModel, encoder: T5EncoderModel, rate: float) -> list[Optimizer]:
    """Muon for the language model's inner matrices, AdamW for embeddings, heads and norms (Jordan et al. 2024).

    The text encoder's matrices have a low rate. Both optimizers take full-size steps even without a useful gradient,
    and an encoder that drifts early gives all words the same embedding.
    """
    words = list(encoder.shared.parameters())
    patient = [parameter for parameter in encoder.parameters() if all(parameter is not word for word in words)]
    codes = {id(parameter) for part in (model.emb, model.linears) for parameter in part.parameters()}
    inner = [each for each in model.parameters() if each.dim() > 1 and id(each) not in codes]
    others = [each for each in model.parameters() if each.dim() <= 1 or id(each) in codes]
    return [
        torch.optim.Muon(
            [{"params": inner, "initial_lr": MUON_RATE * rate}], weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(
            [
                {"params": [*others, *words], "initial_lr": rate},
                {"params": patient, "initial_lr": PATIENT_RATE * rate},
            ],
            weight_decay=0.01, betas=(0.9, 0.98), fused=True,
        ),
    ]  # fmt: skip


def start_from(trainer: Trainer, folder: Path, temperatures: tuple[float, float]) -> int:
    """Take the weights of an exported checkpoint; returns how many of the tokenizer's tokens it knows.

    Args:
        trainer: new, of the checkpoint's shape.
        folder: what `training.export` wrote.
        temperatures: those that the export folded into the heads: of the conductor's, and of the others.

    Raises:
        RuntimeError: if the shape is another.
    """
    state = torch.load(folder / "state_dict.bin", weights_only=True)["best_state"]
    weights = {name.replace(CONDITION, "output_proj"): value.float() for name, value in state.items()}
    for stream in Stream:
        weights[f"linears.{stream}.weight"] *= temperatures[stream is not Stream.CONDUCTOR]
    trainer.model.load_state_dict(weights)
    known = T5EncoderModel.from_pretrained(folder / TEXT_ENCODER).float()
    ids = T5Tokenizer.from_pretrained(folder / TEXT_ENCODER).get_vocab()
    pairs = [(token, ids[piece]) for piece, token in trainer.tokenizer.get_vocab().items() if piece in ids]
    trainer.encoder.encoder.block.load_state_dict(known.encoder.block.state_dict())
    trainer.encoder.encoder.final_layer_norm.load_state_dict(known.encoder.final_layer_norm.state_dict())
    with torch.no_grad():
        new, old = zip(*pairs, strict=True)
        trainer.encoder.shared.weight[list(new)] = known.shared.weight[list(old)]
    return len(pairs)


def prepare(data: Path, out: Path, options: Any) -> tuple[Trainer, TrainingPieces]:
    """Make the tokenizer, trainer and data, or resume from those in `out`."""
    folder = out / "tokenizer"
    if not folder.exists():
        make_tokenizer(caption for _, caption in read_shards(data)).save_pretrained(folder)
    tokenizer = T5Tokenizer.from_pretrained(folder)
    shape = Shape(CODEBOOK_SIZE, options.dim, options.dim // 64, options.layers, len(Stream))
    trainer = Trainer(shape, tokenizer, options.rate)
    if (out / "checkpoint.pt").exists():
        trainer.load(out / "checkpoint.pt")
    elif options.init:
        known = start_from(trainer, options.init, (CONDUCTOR_TEMPERATURE, TEMPERATURE))
        print(f"starts from {options.init}, which knows {known} of {len(tokenizer)} tokens", flush=True)
    pieces = TrainingPieces(data, tokenizer, shape)
    silence_unused(trainer.encoder, pieces.used_tokens())
    return trainer, pieces


def evaluate(trainer: Trainer, pieces: TrainingPieces) -> Tensor:
    """The losses on the held-out pieces."""
    with torch.no_grad():
        batches = pieces.batches(np.random.default_rng(0), {BARS: 1}, len(pieces) - HELD_OUT)
        return torch.stack([trainer.losses(batch).float() for batch in batches]).mean(0)


def run(trainer: Trainer, pieces: TrainingPieces, out: Path, steps: int) -> None:
    """Train up to this total number of steps."""
    rng = np.random.default_rng(trainer.step)
    started = saved = time.monotonic()
    before, recent = trainer.seconds, []
    with (out / "losses.csv").open("a", newline="") as file:
        table = csv.writer(file)
        while trainer.step < steps:
            for batch in islice(pieces.batches(rng, LENGTHS, last=len(pieces) - HELD_OUT), steps - trainer.step):
                recent.append(trainer.train(batch, steps))
                trainer.seconds = before + time.monotonic() - started
                if time.monotonic() - saved > SAVE_EVERY:
                    saved = time.monotonic()
                    report(trainer, table, recent, evaluate(trainer, pieces))
                    file.flush()
                    recent.clear()
                    trainer.save(out / "checkpoint.pt")
        report(trainer, table, recent, evaluate(trainer, pieces))
    trainer.save(out / "checkpoint.pt")


def report(trainer: Trainer, table: Any, recent: list[Tensor], held_out: Tensor) -> None:
    """Write a line: step, seconds, mean loss, and the held-out loss of each codebook."""
    mean = float(torch.stack(recent).mean()) if recent else math.nan
    row = [trainer.step, round(trainer.seconds), round(mean, 4), *(round(float(each), 4) for each in held_out)]
    table.writerow(row)
    print(*row, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the starter model.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--init", type=Path, metavar="CHECKPOINT", help="an exported checkpoint's folder to start from")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    trainer, pieces = prepare(options.data, options.out, options)
    print(
        f"{len(pieces)} pieces, {sum(p.numel() for p in trainer.model.parameters()) / 1e6:.1f} M parameters", flush=True
    )
    run(trainer, pieces, options.out, options.steps)


if __name__ == "__main__":
    main()
