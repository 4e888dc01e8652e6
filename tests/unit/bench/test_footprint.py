"""The measurement of memory and loading runs."""

from pathlib import Path

import msgspec
import pytest

from bench.footprint import main

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def test_memory_and_loading_are_measured(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--checkpoint", str(checkpoint), "--seconds", "0.5", "--slots", "2"])
    figures = msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])
    assert figures["load_s"] > 0
    assert figures["imports_mb"] > figures["loaded_mb"] > 0
    assert figures["generated_mb"] > 0
