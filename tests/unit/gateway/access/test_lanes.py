"""The lane of a job by its API key and priority."""

import pytest

from gateway.access.lanes import Lanes, load_priorities
from shared.errors import SettingsError
from shared.lanes import SHARES
from shared.settings import load_settings

NAMES = [f"key{number:02}" for number in range(SHARES)]


def test_each_key_has_a_lane_of_its_own() -> None:
    lanes = Lanes(NAMES, {})
    assert len({lanes.of(name, None) for name in NAMES}) == SHARES
    assert lanes.of("key03", "batch") == "batch-3"


def test_gateways_agree_on_the_lanes_whatever_the_order_of_their_keys() -> None:
    one, other = Lanes(NAMES, {}), Lanes(NAMES[::-1], {})
    assert [one.of(name, None) for name in NAMES] == [other.of(name, None) for name in NAMES]


def test_jobs_without_a_key_share_one_lane_by_priority() -> None:
    lanes = Lanes([], {})
    assert (lanes.of(None, None), lanes.of(None, "interactive")) == ("normal", "interactive")


def test_a_key_has_its_own_default_priority() -> None:
    settings = load_settings({"KEY_PRIORITIES": "key01:batch , key02:interactive"})
    lanes = Lanes(NAMES, load_priorities(settings, NAMES))
    assert lanes.of("key01", None) == "batch-1"
    assert lanes.of("key01", "normal") == "normal-1"
    assert lanes.of("key02", None) == "interactive-2"
    assert lanes.of("key03", None) == "normal-3"


@pytest.mark.parametrize("value", ["key01", "key01:urgent", "key01:batch;key02:batch", ":batch", "a b:batch"])
def test_a_malformed_setting_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="importer:batch"):
        load_settings({"KEY_PRIORITIES": value})


def test_a_priority_for_an_unknown_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="key99"):
        load_priorities(load_settings({"KEY_PRIORITIES": "key99:batch"}), NAMES)
