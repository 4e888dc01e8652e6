import numpy as np

from tests.unit.training.evaluation.pieces import encode, transposed, written
from training.evaluation.copying import bar_hashes, longest_runs, training_hashes
from training.evaluation.performance import bars
from training.music import Spec

SCORE, OTHER = written(Spec(genre="pop", bpm=120), 1), written(Spec(genre="jazz", bpm=120), 2)
CODES = encode(SCORE)


def test_copied_bars_are_found_wherever_they_are() -> None:
    training = training_hashes([(encode(OTHER), ""), (CODES, "")])
    copied = CODES[:, 5 * 16 : 10 * 16]
    own = encode(OTHER)[:, : 3 * 16]
    assert longest_runs([bar_hashes(bars(np.concatenate([own, copied, own], axis=1)))], training).tolist() == [5]


def test_equal_bars_in_another_order_are_not_a_run() -> None:
    hashes = bar_hashes(bars(CODES))
    assert longest_runs([[1, 2, 3, 4]], [[4, 3, 2, 1]]).tolist() == [1]
    assert longest_runs([hashes, []], [hashes]).tolist() == [len(hashes), 0]


def test_transposed_music_is_another() -> None:
    moved = encode(transposed(SCORE, 1))
    pitched = [bar for bar in bars(moved) if bar[:5].any()]
    assert longest_runs([bar_hashes(pitched)], training_hashes([(CODES, "")])).tolist() == [0]


def test_the_conductor_is_not_part_of_the_music() -> None:
    slower = CODES.copy()
    slower[0] = encode(written(Spec(genre="pop", bpm=90), 1))[0, : CODES.shape[1]]
    assert bar_hashes(bars(slower)) == bar_hashes(bars(CODES))
