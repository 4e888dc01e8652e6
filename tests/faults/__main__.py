"""The soak: `uv run python -m tests.faults --soak 20m`. Exits with 1 if anything is wrong.

The rest of this folder is for pytest: `uv run pytest -m faults`.
"""

import argparse
import asyncio
import random
import re
import sys
import tempfile
from pathlib import Path

from tests.faults.soak import soak

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def main() -> None:
    """Read the command line, and run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soak", type=seconds, required=True, metavar="TIME", help="how long: 90s, 20m or 1h")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--records", type=int, default=0, help="finished jobs that are there at the beginning")
    parser.add_argument("--folder", type=Path, help="keeps logs and the history; a temporary one by default")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="musicgen-soak-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        sys.exit(0 if asyncio.run(soak(folder, options.soak, options.seed, options.records)) else 1)


def seconds(text: str) -> float:
    """How long a text such as `20m` says.

    Raises:
        argparse.ArgumentTypeError: if it says something else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: write 90s, 20m or 1h")
    return float(match[1]) * SECONDS[match[2]]


if __name__ == "__main__":
    main()
