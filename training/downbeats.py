"""Fit the weights of downbeats to material whose bars are known: `python -m training.downbeats`.

It writes worker/production/downbeats.json. Tests use other seeds of the same makers.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from training.grid_material import MAKERS, Material
from worker.production.beats import find_beats
from worker.production.downbeats import PARTS, WEIGHTS, accents
from worker.production.keys import pitch_classes
from worker.production.onsets import find_onsets

# Seeds from here on; tests use lower ones.
FIRST_SEED = 10_000
# How much large weights cost.
DECAY = 5e-2

# A pattern of accents, and the position of its downbeat.
Example = tuple[NDArray[np.float64], int]


def example(material: Material) -> Example:
    """The accents of a material, on the grid of its own tempo."""
    onsets = find_onsets(material.audio, material.sample_rate)
    beats = find_beats(onsets, material.bpm)
    pattern = accents(onsets, pitch_classes(material.audio, material.sample_rate), beats, material.meter)
    return pattern, round((material.downbeat - beats.first) / beats.period * PARTS) % len(pattern)


def fit_weights(examples: Iterable[Example]) -> NDArray[np.float64]:
    """Conditional logistic regression: each position's chance is the softmax of the weighted accents from it on."""
    rolled, starts = [], []
    for pattern, start in examples:
        rolled.append([np.roll(pattern, -first, axis=0).ravel() for first in range(len(pattern))])
        starts.append(start)
        shape = pattern.shape
    patterns, wanted = torch.from_numpy(np.array(rolled)), torch.tensor(starts)
    weights = torch.zeros(patterns.shape[2], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        value = cross_entropy(patterns @ weights, wanted) + DECAY * (weights**2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach().numpy().reshape(shape)


def write_weights(examples: dict[str, list[Example]]) -> None:
    """Fit and write the weights of each meter."""
    found = {meter: fit_weights(rows).round(2).tolist() for meter, rows in sorted(examples.items())}
    lines = [f'  "{meter}": [\n' + ",\n".join(f"    {row}" for row in rows) + "\n  ]" for meter, rows in found.items()]
    WEIGHTS.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    json.loads(WEIGHTS.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.downbeats", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many examples of each kind")
    options = parser.parse_args()
    examples: dict[str, list[Example]] = defaultdict(list)
    for make in MAKERS.values():
        for seed in range(FIRST_SEED, FIRST_SEED + options.count):
            material = make(seed)
            examples[material.meter].append(example(material))
    write_weights(examples)


if __name__ == "__main__":
    main()
