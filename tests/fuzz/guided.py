"""libFuzzer on one target, guided by coverage of our code: `uv run python -m tests.fuzz.guided prompt`.

An input that crashes it, hangs it or needs two gigabytes is written to a file whose name is printed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

from tests.fuzz.target import Target

# Wall-clock seconds, with room for a busy machine; and megabytes.
HANGS = 20
MOST_MEMORY = 2048


def find_target(name: str) -> Target:
    """A target by its name. Raises KeyError if there is none."""
    with atheris.instrument_imports(include=["deploy", "gateway", "shared", "worker"]):
        from tests.fuzz import files, wire

        if found := (wire.TARGETS | files.TARGETS).get(name):
            return found
        from tests.fuzz import models  # imports torch

        return models.TARGETS[name]


def main() -> None:
    """Try `--inputs` inputs; the exit code is not 0 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--inputs", type=int, default=10_000)
    arguments = parser.parse_args()
    target = find_target(arguments.target)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.seeds):
            (Path(corpus) / str(number)).write_bytes(seed)

        options = [f"-runs={arguments.inputs}", f"-timeout={HANGS}", f"-rss_limit_mb={MOST_MEMORY}"]
        atheris.Setup(
            [sys.argv[0], *options, f"-artifact_prefix={tempfile.gettempdir()}/", "-print_final_stats=1", corpus],
            target.try_one,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
