"""Given codes: the model composes only the others."""

import numpy as np
import pytest
import torch

from tests.unit.worker.engine.sampler.drawing import CPU, draw, random_wish, scripted
from tests.unit.worker.engine.sampler.old_scores import stored
from worker.engine.sampler.held_codes import COMPOSED
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score_grammar import CodeLimits, ScoreGrammar, no_limits
from worker.engine.sampler.stored_score import OldScore

CODES = OldScore.read(stored()).codes
FRAMES = CODES.shape[1]


def limits(composed: slice) -> CodeLimits:
    held = CODES.copy()
    held[1:, composed] = COMPOSED
    return no_limits()._replace(held=torch.from_numpy(held))


@pytest.mark.parametrize("window", [None, 40])
def test_the_model_composes_only_what_is_not_given(window: int | None) -> None:
    """Also where a piece needs several windows, and beside another piece in the batch."""
    first, free = draw([random_wish(1), random_wish(2)], FRAMES, [limits(slice(64, 96)), None], window)
    composed = np.zeros_like(CODES, bool)
    composed[1:, 64:96] = True
    assert (first[~composed] == CODES[~composed]).all()
    assert (first[composed] != CODES[composed]).mean() > 0.5
    assert (free[:, :FRAMES] != CODES).any()


def test_a_given_silence_is_not_filled() -> None:
    """A general pause is filled by repeating bars, but not where codes are given."""
    held = CODES.copy()
    held[1:, 64:] = 0
    held[1:6, 64] = 1
    (found,) = draw([random_wish(1)], FRAMES, [no_limits()._replace(held=torch.from_numpy(held))])
    assert (found == held).all()


def test_the_likelihood_is_that_of_the_counted_codes() -> None:
    grammar = ScoreGrammar(1, CPU)
    given = limits(slice(0, 0))._replace(counted=torch.tensor([2, 4]))
    grammar.begin(0, given)
    slots = torch.tensor([0])
    kept = torch.ones(1, len(Stream), dtype=torch.bool)
    sequence = torch.zeros(1, len(Stream), FRAMES, dtype=torch.int64)
    expected = []
    for frame in range(6):
        logits = random_wish(frame)(torch.tensor(0))[None]
        if 2 <= frame < 4:
            chances = logits[0].log_softmax(-1)
            expected += [float(chances[stream, CODES[stream, frame]]) for stream in Stream]
        grammar.restrict(slots, logits)
        drawn = logits.argmax(-1)
        assert drawn[0].tolist() == CODES[:, frame].tolist()
        grammar.revise(slots, drawn, kept, sequence, torch.tensor([frame + 1]))
    assert float(grammar.likelihood(0)) == pytest.approx(float(np.mean(expected)), rel=1e-5)


def test_a_slot_forgets_the_codes_of_its_last_request() -> None:
    grammar = ScoreGrammar(1, CPU)
    grammar.begin(0, limits(slice(0, 0))._replace(counted=torch.tensor([0, 4])))
    grammar.begin(0, None)
    logits = scripted(CODES)(torch.zeros(8, dtype=torch.int64))[None]
    grammar.restrict(torch.tensor([0]), logits)
    assert (logits[0, 1:].isfinite().sum(-1) > 1).all()
    assert float(grammar.likelihood(0)) == 0.0
