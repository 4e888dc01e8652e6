"""Kinds of command line arguments."""

import argparse


def positive_int(text: str) -> int:
    """A number of things of which there is at least one."""
    return int(_positive(text, int(text)))


def positive_float(text: str) -> float:
    """An amount that is more than nothing."""
    return _positive(text, float(text))


def _positive(text: str, value: float) -> float:
    if not value > 0:
        raise argparse.ArgumentTypeError(f"it must be more than 0, not {text}")
    return value
