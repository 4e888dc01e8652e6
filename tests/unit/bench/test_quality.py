"""Distributions in int8 and int4 are compared with those of float32."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from bench import quality
from bench.quality import compare, load_subject, main, run
from bench.sizes import Size
from tests.unit.worker.engine.batching.batch import make_model
from tests.unit.worker.engine.batching.models import Tiny, random_text
from worker.engine.kernels.step_model import KINDS

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def figures(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    main(arguments)
    made: dict[str, Any] = msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])
    return made


def test_int4_is_farther_from_float32_than_int8(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, "--model", str(checkpoint), "--steps", "12")
    assert found["model"] == str(checkpoint)
    assert (found["kinds_in_int8"], found["layers_in_int8"]) == (["logits"], 1)
    int8, int4 = (found["precisions"][name] for name in ("int8", "int4"))
    assert len(int8["kl"]) == len(int4["kl"]) == 4
    assert 0 < 2 * sum(int8["kl"]) < sum(int4["kl"])
    assert 0 < 1.5 * int8["logit_error"] < int4["logit_error"] < 0.5


def test_int4_that_keeps_every_matrix_is_int8(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, "--model", str(checkpoint), "--steps", "6", "--keep", ",".join(KINDS))
    assert found["precisions"]["int8"] == found["precisions"]["int4"]


def test_model_that_is_not_in_the_cache_has_random_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quality, "try_to_load_from_cache", lambda repository, file: None)
    monkeypatch.setattr(quality, "SIZES", {"small": Size(64, 2, 2, 300)})
    found = figures(
        capsys, "--model", "small", "--steps", "6", "--precisions", "int4", "--keep", "none", "--layers", "0"
    )
    assert found["model"] == "small, random weights"
    assert (found["kinds_in_int8"], found["layers_in_int8"]) == ([], 0)
    assert list(found["precisions"]) == ["int4"]


def test_forced_codes_give_the_logits_that_they_were_drawn_from() -> None:
    tiny = Tiny()
    model, texts = make_model(tiny), [random_text(tiny, 4, 0), random_text(tiny, 7, 1)]
    with torch.inference_mode():
        codes, drawn = run(model, texts, 9)
        again, forced = run(model, texts, 9, codes)
    assert torch.equal(again, codes)
    assert torch.equal(forced, drawn)
    for book, delay in enumerate(model.config.delays):
        assert (codes[: delay + 1, :, book] == tiny.codebook_size).all()
        assert (codes[delay + 1 :, :, book] < tiny.codebook_size).all()


def test_equal_logits_have_no_distance() -> None:
    logits = torch.randn(5, 2, 2, 400, generator=torch.Generator().manual_seed(0))
    same = compare(logits, logits, [0, 1])
    assert (same.kl, same.same, same.outside, same.logit_error) == ([0, 0], [1, 1], [0, 0], 0)


def test_distance_of_known_distributions() -> None:
    exact, made = (torch.tensor(odds).log().expand(3, 1, 1, 2) for odds in ([0.75, 0.25], [0.25, 0.75]))
    found = compare(exact, made, [0])
    assert found.kl == [pytest.approx(0.5493, abs=1e-4)]  # 0.75 ln 3 − 0.25 ln 3
    assert (found.same, found.outside) == ([0], [0])


def test_draws_that_float32_would_never_make_are_counted() -> None:
    exact = torch.zeros(1, 1, 1, 251)
    exact[..., 250] = -1.0
    made = torch.zeros(1, 1, 1, 251)
    made[..., 0] = -1.0
    assert compare(exact, made, [0]).outside == [pytest.approx(1 / 250)]


def test_codes_before_a_codebook_begins_do_not_count() -> None:
    exact = torch.randn(4, 1, 1, 8, generator=torch.Generator().manual_seed(0))
    made = exact.clone()
    made[:2] = made[:2].flip(-1)
    assert compare(exact, made, [2]).kl == [0]
    assert compare(exact, made, [1]).kl != [0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keep", "logits,head"], "head is none of"),
        (["--precisions", "float16"], "float16 is none of int8, int4"),
        (["--model", "absent/folder"], "is not a checkpoint"),
    ],
)
def test_wrong_argument_is_explained(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_texts_of_a_checkpoint_are_the_prompts(checkpoint: Path) -> None:
    subject = load_subject(str(checkpoint))
    assert len(subject.texts) == len(quality.PROMPTS)
    assert {text.shape[1] for text in subject.texts} == {subject.config.dim}
