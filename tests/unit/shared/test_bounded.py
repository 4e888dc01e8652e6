"""A bounded dict."""

from shared.bounded import BoundedDict


def test_the_entry_that_was_set_longest_ago_is_dropped() -> None:
    latest = BoundedDict[str, int](2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        latest[key] = value
    assert list(latest.items()) == [("a", 3), ("c", 4)]
