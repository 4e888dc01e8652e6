"""--continue-from and --melody: a file is uploaded, a job is named, and --excerpt is a part of either."""

from pathlib import Path

import pytest
from musicgen_client import AsyncClient

from deploy.cli.arguments import UsageError
from deploy.cli.audio_source import ChosenAudio, chosen_audio, sending
from deploy.cli.main import _parser
from shared.errors import MusicgenError
from tests.unit.clients.gateway import JOB, fake_gateway
from tests.unit.clients.test_client import ACCEPTED, GENERATE


def chosen(*arguments: str) -> ChosenAudio | None:
    return chosen_audio(_parser().parse_args(["generate", "house", *arguments]))


@pytest.mark.parametrize(
    ("excerpt", "place"),
    [("8-20", {"start": 8.0, "end": 20.0}), ("8.5-", {"start": 8.5}), ("-20", {"end": 20.0}), (None, {})],
)
def test_options_choose_the_audio_and_its_part(excerpt: str | None, place: dict[str, float]) -> None:
    more = [] if excerpt is None else [f"--excerpt={excerpt}"]
    assert chosen("--continue-from", "riff.wav", *more) == ("continue_from", "riff.wav", place)
    assert chosen("--melody", JOB, *more) == ("melody", JOB, place)
    assert chosen() is None


@pytest.mark.parametrize("excerpt", ["-", "8", "8:20", "a-b", "1e3-", "-8-20"])
def test_no_excerpt_is_refused(excerpt: str) -> None:
    with pytest.raises(UsageError, match="Write its start and end in seconds"):
        chosen("--continue-from", "riff.wav", f"--excerpt={excerpt}")


def test_an_excerpt_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="give it with --continue-from or --melody"):
        chosen("--excerpt=8-20")


async def test_a_file_is_uploaded_before_the_request_names_it(tmp_path: Path) -> None:
    file = tmp_path / "riff.wav"
    file.write_text('"sound"')
    async with fake_gateway() as gateway, AsyncClient(gateway.url) as client:
        gateway.answer("POST", "/api/v1/audio", {"audio_id": "aud_abc123456789"})
        gateway.answer(*GENERATE, ACCEPTED)
        job = await sending(chosen("--continue-from", str(file), "--excerpt=8-"))(client, prompt="house")
    assert job.id == JOB
    asked = {"prompt": "house", "audio": {"continue_from": {"audio_id": "aud_abc123456789", "start": 8.0}}}
    assert gateway.bodies == ["sound", asked]
    assert gateway.requests[0].headers["Content-Length"] == str(file.stat().st_size)


async def test_a_job_is_named_without_an_upload() -> None:
    async with fake_gateway() as gateway, AsyncClient(gateway.url) as client:
        gateway.answer(*GENERATE, ACCEPTED)
        await sending(chosen("--melody", JOB))(client, prompt="house")
    assert gateway.bodies == [{"prompt": "house", "audio": {"melody": {"job_id": JOB}}}]


async def test_a_file_that_cannot_be_read_is_told_and_nothing_is_sent(tmp_path: Path) -> None:
    async with fake_gateway() as gateway, AsyncClient(gateway.url) as client:
        with pytest.raises(MusicgenError, match=r"none\.wav cannot be read: No such file"):
            await sending(chosen("--continue-from", str(tmp_path / "none.wav")))(client, prompt="house")
    assert gateway.requests == []
