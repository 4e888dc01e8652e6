"""Scores of specs, with the plans they were written from."""

import random

from training.music.piece import write_score
from training.music.plan import PiecePlan, make_plan
from training.music.spec import Spec
from worker.engine.sampler.score import Score


def written(spec: Spec, seed: int = 0, level: int = 1) -> tuple[PiecePlan, Score]:
    source = random.Random(seed)
    plan = make_plan(spec, source, level)
    return plan, write_score(plan, source)
