"""Types of command-line arguments."""

import argparse


def positive_int(text: str) -> int:
    """Parse an integer above 0."""
    return int(_positive(text, int(text)))


def positive_ints(text: str) -> list[int]:
    """Parse integers above 0 with commas between them."""
    return [positive_int(each) for each in text.split(",")]


def positive_float(text: str) -> float:
    """Parse a number above 0."""
    return _positive(text, float(text))


def _positive(text: str, value: float) -> float:
    if not value > 0:
        raise argparse.ArgumentTypeError(f"it must be more than 0, not {text}")
    return value
