"""Detects drums in the audio, with a small network trained on pieces with drums and the same pieces without them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, pad
from torchaudio.transforms import MelSpectrogram

from training.evaluation.performance import Figures, Floats, Performance
from worker.engine.sampler.clock import SAMPLE_RATE

MELS, HOP = 64, 512
# Dynamic range of the spectrogram, in powers of ten below its maximum.
RANGE = 7.0
# The number of most drum-like frames (64 ms) that decide; some pieces have only a dozen hits in half a minute.
MOMENTS = 8
CHANNELS, BATCH, EPOCHS, RATE = 48, 32, 20, 2e-3

_power = MelSpectrogram(SAMPLE_RATE, n_fft=2 * HOP, hop_length=HOP, n_mels=MELS, center=False)


def log_mel(audio: Floats) -> Floats:
    """The log-mel spectrogram of [channels, samples]: float32 of shape [64, frames of 16 ms], with mean 0."""
    levels = _power(torch.from_numpy(audio.mean(0))).clamp(min=1e-9).log10()
    levels = levels.clamp(min=float(levels.max()) - RANGE)
    return np.asarray(levels - levels.mean())


class _Network(nn.Module):
    """Convolutions over time, then pooling: the most drum-like frames, and the mean of all."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv1d(MELS, CHANNELS, 5, padding=2), nn.ReLU(),
            nn.Conv1d(CHANNELS, CHANNELS, 5, padding=2, stride=2), nn.ReLU(),
            nn.Conv1d(CHANNELS, CHANNELS, 5, padding=2, stride=2), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * CHANNELS, 1))

    def forward(self, seen: Tensor) -> Tensor:
        found = self.convolutions(seen)
        best = found.topk(min(MOMENTS, found.shape[-1]), -1).values.mean(-1)
        logits: Tensor = self.head(torch.cat([best, found.mean(-1)], -1))
        return logits[:, 0]


class DrumDetector:
    """Checks for drums in the audio if the caption asks for drums or for none."""

    def __init__(self, seen: Sequence[Floats], beats: Sequence[bool]) -> None:
        """Train the network.

        Args:
            seen: `log_mel` of each piece.
            beats: whether drums or percussion play in it. Each piece should occur with and without them, so that the
                network does not learn from the other instruments.
        """
        targets = torch.tensor(beats, dtype=torch.float32)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self._network = _Network()
            self._fit([torch.from_numpy(each) for each in seen], targets)
        self._network.eval()

    def _fit(self, seen: list[Tensor], targets: Tensor) -> None:
        # Both classes have the same total weight.
        share = targets.mean().clamp(0.01, 0.99)
        weights = torch.where(targets > 0, 0.5 / share, 0.5 / (1 - share))
        optimizer = torch.optim.AdamW(self._network.parameters(), lr=RATE, weight_decay=0.05)
        batches = -(-len(seen) // BATCH)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, EPOCHS * batches)
        for _ in range(EPOCHS):
            for chosen in torch.split(torch.randperm(len(seen)), BATCH):
                logits = self._network(_stacked([seen[index] for index in chosen]))
                loss = binary_cross_entropy_with_logits(logits, targets[chosen], weights[chosen])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()

    def __call__(self, performance: Performance) -> Figures:
        if performance.spec.drums is None:
            return {}
        with torch.no_grad():
            heard = bool(self._network(torch.from_numpy(log_mel(performance.audio))[None]) > 0)
        return {"drums or none, audio": float(heard is performance.spec.drums)}


def _stacked(seen: Sequence[Tensor]) -> Tensor:
    """Stack spectrograms, padded with silence to the same length."""
    longest = max(each.shape[1] for each in seen)
    return torch.stack([pad(each, (0, longest - each.shape[1]), value=float(each.min())) for each in seen])
