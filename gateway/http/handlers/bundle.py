"""GET /api/v1/download/{job_id}/bundle.zip: all files of a job in one folder, for a DAW's project folder."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

import msgspec
from aiohttp import web

from gateway.http.authentication import viewer_of
from gateway.http.conditional_requests import evaluate_preconditions
from gateway.http.handlers.downloads import audio_file
from gateway.http.stored_content import record_loss, send_chunks
from gateway.jobs.file_names import content_disposition, folder_name
from gateway.jobs.stored_files import LostError, StoredFile, StoredFiles
from gateway.jobs.zip_stream import Member, zip_chunks, zip_length
from gateway.problems import Problem, audio_gone, lost_file_problem, unavailable
from gateway.services import SERVICES, Services
from shared.files import stored_name
from shared.messages import JobRecord, Moment, Recipe, encode
from shared.music import Measured, Music
from shared.version import SERVICE, VERSION

NAME = "bundle.zip"


class RecipeFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `recipe.json`: how the job was made, and what is known of its music.

    `recipe` is a body for POST /api/v1/generate; `seed` is that of the take in the files, if it is another one.
    """

    generator: str
    job_id: str
    created_at: Moment
    completed_at: Moment
    recipe: Recipe
    seed: int
    checkpoint: str | None
    music: Music | None
    measured: Measured | None
    warnings: tuple[str, ...]


async def bundle(request: web.Request) -> web.StreamResponse:
    """Send the archive as it is read from S3. HEAD returns its size and headers.

    Raises:
        Problem: 409 if the job has no audio; 410 if it has expired, or a file is lost; 503 if S3 is unavailable.
    """
    services = request.app[SERVICES]
    record = await services.jobs.find(request.match_info["job_id"], viewer_of(request))
    audio_file(record)
    try:
        await _check(services, record)
        return await _respond(request, services, record)
    except LostError as error:
        await record_loss(services, record, error)
        raise lost_file_problem(record, stored_name(error.file.key)) from error


async def _check(services: Services, record: JobRecord) -> None:
    """Check every file before the headers are sent."""
    for file in _files(record):
        if services.index.has_lost(record, file.key):
            raise lost_file_problem(record, stored_name(file.key))
    if services.index.has_expired(record):
        raise audio_gone(record)
    if services.probe.s3.status != "healthy":
        raise unavailable(services.probe.s3.message, retry_after=5)
    for file in _files(record):
        await services.stored_files.check(file)


async def _respond(request: web.Request, services: Services, record: JobRecord) -> web.StreamResponse:
    members, modified, etag = _members(services.stored_files, record), _modified(record), _etag(record)
    headers = {
        "Content-Type": "application/zip",
        "Content-Length": str(zip_length(members, modified)),
        "Content-Disposition": content_disposition(record, NAME),
        "Accept-Ranges": "none",
    }
    condition = evaluate_preconditions(request, etag, modified)
    if condition is HTTPStatus.PRECONDITION_FAILED:
        raise Problem(condition, "The bundle does not match If-Match or If-Unmodified-Since.")
    if condition or request.method == "HEAD":
        response: web.StreamResponse = web.Response(status=condition or HTTPStatus.OK, headers=headers)
    else:
        response = web.StreamResponse(headers=headers)
    response.etag, response.last_modified = etag, modified
    if not isinstance(response, web.Response):
        async with aclosing(zip_chunks(members, modified)) as chunks:
            await send_chunks(request, services, record, response, chunks)
    return response


def _files(record: JobRecord) -> tuple[StoredFile, ...]:
    assert record.audio is not None, "audio_file has checked it"
    return (record.audio, *record.outputs)


def _members(stored_files: StoredFiles, record: JobRecord) -> list[Member]:
    folder, recipe = folder_name(record), _recipe_json(record)
    members = [
        Member(f"{folder}/{stored_name(file.key)}", file.size, partial(stored_files.opened, file, range(file.size)))
        for file in _files(record)
    ]
    return [*members, Member(f"{folder}/recipe.json", len(recipe), partial(_bytes, recipe))]


@asynccontextmanager
async def _bytes(data: bytes) -> AsyncIterator[AsyncIterator[bytes]]:
    async def content() -> AsyncIterator[bytes]:
        yield data

    yield content()


def _recipe_json(record: JobRecord) -> bytes:
    file = RecipeFile(
        generator=f"{SERVICE} {VERSION}",
        job_id=record.job_id,
        created_at=record.created_at,
        completed_at=_modified(record),
        recipe=record.recipe,
        seed=record.recipe.seed if record.seed is None else record.seed,
        checkpoint=record.checkpoint,
        music=record.music,
        measured=record.measured,
        warnings=record.warnings,
    )
    return msgspec.json.format(encode(file), indent=2)


def _etag(record: JobRecord) -> str:
    """Changes with every byte of the archive: the files' checksums, the recipe, and the version that packs them.

    It has 32 digits, because clients take a tag of 64 for the file's own SHA-256.
    """
    parts = (_recipe_json(record), folder_name(record), *(file.sha256 for file in _files(record)))
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


def _modified(record: JobRecord) -> datetime:
    # HTTP dates have whole seconds.
    return (record.completed_at or record.updated_at).astimezone(UTC).replace(microsecond=0)
