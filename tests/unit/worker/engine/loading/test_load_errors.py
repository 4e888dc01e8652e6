"""Explanations of load errors."""

import pytest
from omegaconf import OmegaConf

from shared.errors import ModelUnavailableError
from worker.engine.interface import UnsupportedCheckpointError
from worker.engine.loading.load_errors import explained


@pytest.mark.parametrize(
    "error",
    [ValueError("no shape"), TypeError("None"), RecursionError("deep"), MemoryError()],
)
def test_any_error_of_a_damaged_file_is_reported_with_a_remedy(error: Exception) -> None:
    with (
        pytest.raises(ModelUnavailableError, match=r"models/mine cannot be loaded") as found,
        explained("mine", "models/mine"),
    ):
        raise error
    assert "Check that the files are complete" in found.value.remedy


@pytest.mark.parametrize("text", ["? :", "a: [", "\0"])
def test_configuration_that_is_not_yaml_is_reported(text: str) -> None:
    with pytest.raises(ModelUnavailableError), explained("mine", "models/mine"):
        OmegaConf.create(text)


@pytest.mark.parametrize("error", [UnsupportedCheckpointError("new"), ModelUnavailableError("no room", "Make some.")])
def test_explained_errors_pass_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as found, explained("mine", "models/mine"):
        raise error
    assert found.value is error
