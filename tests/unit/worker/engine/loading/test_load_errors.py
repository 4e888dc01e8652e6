"""Why a model could not be loaded."""

import pytest
from omegaconf import OmegaConf

from shared.errors import ModelUnavailableError
from worker.engine.interface import UnsupportedCheckpointError
from worker.engine.loading.load_errors import explained


@pytest.mark.parametrize(
    "error",
    [ValueError("no shape"), TypeError("None"), RecursionError("deep"), MemoryError()],
)
def test_whatever_a_damaged_file_causes_is_told_with_a_remedy(error: Exception) -> None:
    with (
        pytest.raises(ModelUnavailableError, match=r"models/mine cannot be loaded") as found,
        explained("mine", "models/mine"),
    ):
        raise error
    assert "Check that the files are complete" in found.value.remedy


@pytest.mark.parametrize("text", ["? :", "a: [", "\0"])
def test_a_configuration_that_is_no_yaml_is_told(text: str) -> None:
    with pytest.raises(ModelUnavailableError), explained("mine", "models/mine"):
        OmegaConf.create(text)


@pytest.mark.parametrize("error", [UnsupportedCheckpointError("new"), ModelUnavailableError("no room", "Make some.")])
def test_what_was_told_already_stays_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as found, explained("mine", "models/mine"):
        raise error
    assert found.value is error
