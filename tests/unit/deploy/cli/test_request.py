"""The body of a request, and the command that repeats one."""

import shlex
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from deploy.cli.arguments import UsageError
from deploy.cli.main import _parser
from deploy.cli.request import command_for, request_body
from gateway.jobs.recipes import make_recipe
from gateway.schemas import GenerateRequest
from shared.errors import MusicgenError
from shared.files import AudioFormat
from shared.messages import Recipe
from shared.music import Measured, Music
from worker.production.formats import tags_for, write_audio


def body(*arguments: str) -> dict[str, Any]:
    return request_body(_parser().parse_args(["generate", *arguments]))


def test_a_prompt_alone_asks_for_8_seconds_and_leaves_the_rest_to_the_gateway() -> None:
    assert body("a tone") == {"prompt": "a tone", "duration": 8.0}


@pytest.mark.parametrize("prompt", ["8 bars of house", "30 seconds of rain"])
def test_a_length_in_the_prompt_is_left_to_the_gateway(prompt: str) -> None:
    assert body(prompt) == {"prompt": prompt}
    assert body(prompt, "--duration", "9") == {"prompt": prompt, "duration": 9.0}


def test_every_option_is_a_field_of_the_request() -> None:
    asked = body(
        *("house", "--bars", "8", "--bpm", "124", "--meter", "4/4", "--key", "Am", "--loop", "--format", "flac"),
        *("--sample-rate", "48000", "--sample-format", "int24", "--loudness", "-14", "--title", "Night", "--stems"),
        *("--midi", "--seed", "7", "--model", "starter", "--temperature", "1.5", "--top-k", "9", "--top-p", "0.5"),
        *("--cfg-coef", "2", "--no-cache", "--priority", "batch", "--negative", "drums", "--variations", "3"),
    )
    assert msgspec.convert(asked, GenerateRequest) == GenerateRequest(
        prompt="house",
        priority="batch",
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
        negative_prompt="drums",
        variations=3,
    )
    of_programs = {"components", "webhook", "webhook_events"}
    assert asked.keys() == set(GenerateRequest.__struct_fields__) - of_programs - {"duration", "edit", "audio", "score"}


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
    with pytest.raises(UsageError, match="saved as wav, flac, ogg, mp3"):
        body("a", "-o", "x.aiff")


LOOP = Recipe(
    model="starter",
    prompt="it's house; $(now)",
    duration=15.483870967741936,
    seed=7,
    bars=8,
    bpm=124.0,
    meter="4/4",
    key="A minor",
    loop=True,
    sample_rate=48_000,
    sample_format="int24",
    loudness=-14.5,
    outputs=("midi", "stems"),
)


def take(path: Path, recipe: Recipe) -> str:
    """A file with the recipe inside; return its path."""
    tags = tags_for(recipe, Music(), Measured(), None, 100, 48_000)
    write_audio(path, np.zeros((100, 2), np.int16), 48_000, recipe.format, tags)
    return str(path)


@pytest.mark.parametrize("audio_format", ["wav", "flac", "ogg", "mp3"])
def test_a_file_gives_the_body_that_makes_it_again(tmp_path: Path, audio_format: AudioFormat) -> None:
    recipe = replace(LOOP, format=audio_format, sample_format="int16")
    asked = body("--from-file", take(tmp_path / "take", recipe))
    request = msgspec.convert(asked, GenerateRequest)
    made = make_recipe(request, default_model="small", models=["starter", "small"], max_duration=120.0)
    assert made == replace(recipe, outputs=())


def test_options_change_single_properties_of_the_recipe(tmp_path: Path) -> None:
    file = take(tmp_path / "take.wav", LOOP)
    same = body("--from-file", file)
    assert "outputs" not in same
    assert body("--from-file", file, "--seed", "8", "--bpm", "90", "--stems") == same | {
        "seed": 8,
        "bpm": 90.0,
        "outputs": ["stems"],
    }
    assert body("other words", "--from-file", file, "--no-loop") == same | {"prompt": "other words", "loop": False}
    by_time = body("--from-file", file, "--duration", "10")
    assert by_time == {name: value for name, value in same.items() if name != "bars"} | {"duration": 10.0}
    compressed = body("--from-file", file, "-o", "x.mp3")
    assert compressed == {name: value for name, value in same.items() if name != "sample_format"} | {"format": "mp3"}


def test_bars_replace_the_duration_of_a_recipe(tmp_path: Path) -> None:
    file = take(tmp_path / "take.wav", Recipe(model="starter", prompt="a", duration=7.5))
    assert body("--from-file", file)["duration"] == 7.5
    longer = body("--from-file", file, "--bars", "4")
    assert longer["bars"] == 4
    assert "duration" not in longer


def test_a_file_without_a_recipe_is_reported(tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(b"noise")
    with pytest.raises(MusicgenError, match="no recipe"):
        body("--from-file", str(tmp_path / "noise.wav"))
    with pytest.raises(MusicgenError, match=r"none\.wav cannot be read: No such file"):
        body("--from-file", str(tmp_path / "none.wav"))
    with pytest.raises(MusicgenError, match="cannot be read: Is a directory"):
        body("--from-file", str(tmp_path))


def test_the_command_for_a_recipe_asks_for_the_same_music() -> None:
    given = msgspec.to_builtins(replace(LOOP, bpm=123.96694))
    program, *arguments = shlex.split(command_for(given))
    assert program == "musicgen"
    asked = request_body(_parser().parse_args(arguments))
    assert asked == {name: value for name, value in given.items() if name in asked}
    left_out = {name: value for name, value in given.items() if name not in asked}
    assert {name for name, value in left_out.items() if value not in (None, False)} == {"duration", "outputs"}
