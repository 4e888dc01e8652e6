"""The body of a request, and the command that repeats one."""

import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.cli.arguments import UsageError
from deploy.cli.main import _parser
from deploy.cli.request import command_for, request_body
from gateway.schemas import GenerateRequest
from shared.errors import MusicgenError
from shared.messages import Recipe


def body(*arguments: str) -> dict[str, Any]:
    return request_body(_parser().parse_args(["generate", *arguments]))


def test_a_prompt_alone_asks_for_8_seconds_and_leaves_the_rest_to_the_gateway() -> None:
    assert body("a tone") == {"prompt": "a tone", "duration": 8.0}


def test_every_option_is_a_field_of_the_request() -> None:
    asked = body(
        *("house", "--bars", "8", "--bpm", "124", "--meter", "4/4", "--key", "Am", "--loop", "--format", "flac"),
        *("--sample-rate", "48000", "--sample-format", "int24", "--loudness", "-14", "--title", "Night", "--stems"),
        *("--midi", "--seed", "7", "--model", "starter", "--temperature", "1.5", "--top-k", "9", "--top-p", "0.5"),
        *("--cfg-coef", "2", "--no-cache"),
    )
    assert msgspec.convert(asked, GenerateRequest) == GenerateRequest(
        prompt="house",
        bars=8,
        bpm=124.0,
        meter="4/4",
        key="Am",
        loop=True,
        format="flac",
        sample_rate=48_000,
        sample_format="int24",
        loudness=-14.0,
        title="Night",
        outputs=("midi", "stems"),
        seed=7,
        model="starter",
        temperature=1.5,
        top_k=9,
        top_p=0.5,
        cfg_coef=2.0,
        cache=False,
    )
    assert asked.keys() == set(GenerateRequest.__struct_fields__) - {"components", "duration"}


@pytest.mark.parametrize(
    ("output", "chosen"),
    [("x.mp3", "mp3"), ("a/X.FLAC", "flac"), ("x.ogg", "ogg"), ("x.wav", "wav"), ("Mix 1.2", None), ("-", None)],
)
def test_the_ending_of_the_output_chooses_the_format(output: str, chosen: str | None) -> None:
    assert body("a", "-o", output).get("format") == chosen


def test_a_folder_chooses_no_format(tmp_path: Path) -> None:
    (tmp_path / "demos.mp3").mkdir()
    assert "format" not in body("a", "-o", str(tmp_path / "demos.mp3"))
    assert "format" not in body("a", "-o", "demos.mp3/")


def test_an_ending_that_contradicts_is_refused() -> None:
    assert body("a", "-o", "x.mp3", "--format", "mp3")["format"] == "mp3"
    with pytest.raises(UsageError, match=r"x\.mp3 does not fit --format wav"):
        body("a", "-o", "x.mp3", "--format", "wav")
    with pytest.raises(MusicgenError, match="saved as wav, flac, ogg, mp3"):
        body("a", "-o", "x.aiff")


def test_the_command_for_a_recipe_asks_for_the_same_music() -> None:
    recipe = Recipe(
        model="starter",
        prompt="it's house; $(now)",
        duration=15.5,
        seed=7,
        bars=8,
        bpm=123.96694,
        meter="4/4",
        key="A minor",
        loop=True,
        sample_rate=48_000,
        loudness=-14.5,
    )
    given = msgspec.to_builtins(recipe)
    program, *arguments = shlex.split(command_for(given))
    assert program == "musicgen"
    asked = request_body(_parser().parse_args(arguments))
    assert asked == {name: value for name, value in given.items() if name in asked}
    left_out = {name: value for name, value in given.items() if name not in asked}
    assert {name for name, value in left_out.items() if value not in (None, False)} == {"duration", "outputs"}
