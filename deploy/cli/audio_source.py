"""The audio that `musicgen generate` continues, or whose melody it follows: a file of this machine, or a job."""

import argparse
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from musicgen_client import AsyncClient, AsyncJob

from deploy.cli.arguments import UsageError
from shared.audio_conditions import CONDITIONS, ConditionKind
from shared.errors import MusicgenError
from shared.job_id import is_job_id

_EXCERPT = re.compile(r"(\d+(?:\.\d+)?)?-(\d+(?:\.\d+)?)?")


class ChosenAudio(NamedTuple):
    """What the options choose. `place` has the request's `start` and `end`, as far as they are given."""

    kind: ConditionKind
    source: str
    place: dict[str, float]


def chosen_audio(options: argparse.Namespace) -> ChosenAudio | None:
    """The audio of the options; None if there is none.

    Raises:
        UsageError: if --excerpt has no audio, or is no part of it.
    """
    found = [(kind, source) for kind in CONDITIONS if (source := getattr(options, kind)) is not None]
    if not found:
        if options.excerpt is not None:
            raise UsageError("--excerpt is a part of audio: give it with --continue-from or --melody.")
        return None
    return ChosenAudio(*found[0], place=_place(options.excerpt))


def _place(excerpt: str | None) -> dict[str, float]:
    if excerpt is None:
        return {}
    read = _EXCERPT.fullmatch(excerpt)
    if read is None or not any(read.groups()):
        raise UsageError(f"{excerpt!r} is no excerpt. Write its start and end in seconds, such as 8-20, 8.5- or -20.")
    return {name: float(text) for name, text in zip(("start", "end"), read.groups(), strict=True) if text}


def sending(audio: ChosenAudio | None) -> Callable[..., Awaitable[AsyncJob]]:
    """A function that sends a request, after it has uploaded the file that the request needs."""

    async def send(client: AsyncClient, **body: Any) -> AsyncJob:
        if audio is None:
            return await client.generate(**body)
        named = await _named(client, audio.source)
        return await client.generate(**body | {"audio": {audio.kind: named | audio.place}})

    return send


async def _named(client: AsyncClient, source: str) -> dict[str, str]:
    """The audio in the words of a request. A file that is called like a job is meant if it is written as a path."""
    if is_job_id(source):
        return {"job_id": source}
    try:
        return {"audio_id": await client.upload(source)}
    except OSError as error:
        raise MusicgenError(f"{source} cannot be read: {error.strerror or error}.") from error
