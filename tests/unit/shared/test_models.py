"""Model names."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.models import (
    HUB_REPOSITORIES,
    MODEL_NAMES,
    STARTER,
    check_model_reference,
    expected_memory,
    is_folder,
    may_write_scores,
    model_name,
    model_settings,
)

TOKEN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_known_name_is_accepted_unchanged(name: str) -> None:
    check_model_reference(name)
    assert not is_folder(name)
    assert model_name(name) == name
    assert TOKEN.fullmatch(name)


@pytest.mark.parametrize("name", ["", "Small", "musicgen-small", "tiny", "small "])
def test_an_unknown_name_is_rejected_with_the_known_names(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check_model_reference(name)
    assert all(known in str(caught.value) for known in MODEL_NAMES)


def test_only_models_outside_the_hub_may_write_scores() -> None:
    assert [name for name in MODEL_NAMES if may_write_scores(name)] == [STARTER]
    assert may_write_scores("my-tune")


def test_the_starter_is_not_on_the_hub() -> None:
    assert STARTER not in HUB_REPOSITORIES
    assert HUB_REPOSITORIES["stereo-small"] == "facebook/musicgen-stereo-small"


def test_a_larger_model_is_expected_to_need_more_memory(tmp_path: Path) -> None:
    names = (STARTER, "small", "medium", "large", "stereo-melody-large")
    needs = [expected_memory(name) for name in names]
    assert needs == sorted(needs)
    empty = expected_memory(str(tmp_path))
    (tmp_path / "state_dict.bin").write_bytes(bytes(1000))
    assert expected_memory(str(tmp_path)) == empty + 2000


def test_the_first_of_several_models_is_the_default() -> None:
    assert model_settings([]) == {}
    assert model_settings(["small"]) == {"MUSICGEN_MODEL_SIZE": "small", "WORKER_MODELS": ""}
    settings = {"MUSICGEN_MODEL_SIZE": "./one, two", "WORKER_MODELS": "small,./three"}
    assert model_settings(["./one, two", "small", "./three"]) == settings
    with pytest.raises(SettingsError, match="no comma"):
        model_settings(["small", "./one, two"])


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("/models/tune", "tune"),
        ("/models/My Tune.v2/", "my-tune-v2"),
        ("./checkpoints/__best__", "best"),
        ("/models/♪", "checkpoint"),
        ("/", "checkpoint"),
        ("/models/a/../b", "b"),
    ],
)
def test_a_folder_queues_under_its_own_name(reference: str, name: str) -> None:
    check_model_reference(reference)
    assert model_name(reference) == name


@pytest.mark.parametrize("reference", ["~nobody-of-this-name/tune", "/models/a\0b"])
def test_invalid_paths_are_rejected(reference: str) -> None:
    with pytest.raises(SettingsError, match="is no path"):
        check_model_reference(reference)


def test_a_dot_names_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tune").mkdir()
    monkeypatch.chdir(tmp_path / "tune")
    assert model_name(".") == "tune"


def test_a_tilde_names_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "someone"))
    assert model_name("~") == "someone"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_the_name_of_any_folder_is_one_token_of_a_subject(name: str) -> None:
    assert TOKEN.fullmatch(model_name(f"/models/{name}"))
