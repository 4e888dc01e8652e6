"""Argument types and options that several commands share."""

import argparse
import math
from pathlib import Path

from shared.errors import MusicgenError


class UsageError(MusicgenError):
    """Arguments that contradict each other: exit code 2, as for the errors that argparse finds."""


def folder(text: str) -> Path:
    """An absolute path, with `~` replaced."""
    try:
        return Path(text).expanduser().absolute()
    except (RuntimeError, OSError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be resolved: {error}") from error


def port(text: str) -> int:
    """A port number."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("a port must be a number from 1 to 65535")
    return int(text)


def worker_count(text: str) -> int:
    """A number of workers."""
    if not text.isdecimal() or int(text) > 64:
        raise argparse.ArgumentTypeError("the number of workers must be from 0 to 64")
    return int(text)


def number(text: str) -> float:
    """A finite number; JSON has no other ones."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value


def seconds(text: str) -> float:
    """A duration in seconds."""
    try:
        value = number(text)
    except argparse.ArgumentTypeError:
        value = 0.0
    if value <= 0:
        raise argparse.ArgumentTypeError("a duration must be a positive number of seconds, such as 8 or 7.5")
    return value


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir of a command that works on the folder itself."""
    parser.add_argument("--data-dir", type=folder, help="data folder (default: the user's data folder)")


def add_gateway_options(parser: argparse.ArgumentParser) -> None:
    """Add --url and --data-dir, which choose the gateway of a client command."""
    options = parser.add_argument_group("gateway").add_mutually_exclusive_group()
    options.add_argument("--url", help="URL of the gateway (default: MUSICGEN_URL, else a running `up`)")
    options.add_argument("--data-dir", type=folder, help="data folder of the `up` to connect to")


def add_output_options(group: "argparse._ArgumentGroup") -> None:
    """Add the options that say what a client command saves, and where."""
    group.add_argument(
        "-o", "--output", help="file, folder, pipe, or - for standard output (default: a name from the gateway)"
    )
    group.add_argument("--force", action="store_true", help="overwrite existing files")
    group.add_argument("--stems", action="store_true", help="save each instrument beside the audio")
    group.add_argument("--midi", action="store_true", help="save the score as a MIDI file beside the audio")
