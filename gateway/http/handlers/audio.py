"""POST /api/v1/audio: receives a file; GET and DELETE /api/v1/audio/{audio_id}."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from http import HTTPStatus

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.http.authentication import viewer_of
from gateway.http.responses import json_response
from gateway.problems import FieldError, Problem, invalid
from gateway.schemas import Message
from gateway.services import SERVICES
from gateway.uploads.receiving import too_large
from shared.text import escaped
from shared.uploaded_files import MAX_UPLOAD_BYTES

# Seconds in which some of the body must arrive, and all of it.
STALL_TIMEOUT, TOTAL_TIMEOUT = 30.0, 600.0
# Bytes of a multipart body besides the file.
ENVELOPE = 64 * 1024
FIELD = "file"
# Of RFC 9530, section 2: sha-256=:…:, perhaps among others.
_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,|$)")


async def upload(request: web.Request) -> web.Response:
    """Store an audio or MIDI file that jobs can then use."""
    _check_headers(request)
    is_form = request.content_type == "multipart/form-data"
    chunks = _file_of_form(request) if is_form else _body(request)
    digest = None if is_form else _stated_digest(request)
    try:
        async with asyncio.timeout(TOTAL_TIMEOUT):
            uploaded = await request.app[SERVICES].uploads.accept(chunks, viewer_of(request), digest)
    except TimeoutError as error:
        message = (
            f"The body must arrive within {TOTAL_TIMEOUT:g} seconds, without a pause of {STALL_TIMEOUT:g} seconds."
        )
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, message) from error
    return json_response(uploaded)


async def describe(request: web.Request) -> web.Response:
    """What is known of an uploaded file."""
    uploads = request.app[SERVICES].uploads
    return json_response(await uploads.find(request.match_info["audio_id"], viewer_of(request)))


async def remove(request: web.Request) -> web.Response:
    """Delete an uploaded file."""
    await request.app[SERVICES].uploads.remove(request.match_info["audio_id"], viewer_of(request))
    return json_response(Message("The file was deleted."))


def _check_headers(request: web.Request) -> None:
    """Refuse by the headers alone what cannot be accepted, so that a client need not send it."""
    if request.content_length is None and not request.body_exists:
        message = "Send the file as the body, with the header Content-Length, or in chunks."
        raise Problem(HTTPStatus.LENGTH_REQUIRED, message)
    kind = request.content_type
    if not kind.startswith("audio/") and kind not in ("application/octet-stream", "multipart/form-data"):
        message = "Send the file with a Content-Type such as audio/wav, or as multipart/form-data in the field file."
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
    if set(request.headers.getall("Content-Encoding", ["identity"])) != {"identity"}:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body without a Content-Encoding.")
    if (request.content_length or 0) > MAX_UPLOAD_BYTES + ENVELOPE:
        raise too_large()


def _stated_digest(request: web.Request) -> str | None:
    """The SHA-256 in the header Content-Digest, in hex."""
    stated = request.headers.get("Content-Digest")
    if stated is None or "sha-256" not in stated:
        return None
    found = _DIGEST.search(stated)
    if found is None:
        raise invalid(FieldError("Content-Digest", "Write it as sha-256=:BASE64:, as in RFC 9530, or omit it."))
    return base64.b64decode(found[1]).hex()


async def _body(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it arrives; the client waits while a chunk is being handled."""
    try:
        while True:
            async with asyncio.timeout(STALL_TIMEOUT):
                chunk = await request.content.readany()
            if not chunk:
                return
            yield chunk
    except web.RequestPayloadError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"The body cannot be read: {error}.") from error


async def _file_of_form(request: web.Request) -> AsyncIterator[bytes]:
    """The content of the form's field `file`; other fields are passed over."""
    try:
        async with asyncio.timeout(STALL_TIMEOUT):
            part = await _file_part(request)
        while True:
            async with asyncio.timeout(STALL_TIMEOUT):
                chunk = await part.read_chunk()
            if not chunk:
                return
            yield chunk
    # What aiohttp raises for damaged forms.
    except (ValueError, AssertionError, HttpProcessingError, web.RequestPayloadError) as error:
        reason = escaped(str(error).replace("\n", " ")[:200])
        raise Problem(HTTPStatus.BAD_REQUEST, f"The form cannot be read: {reason}") from error


async def _file_part(request: web.Request) -> BodyPartReader:
    reader = await request.multipart()
    while isinstance(part := await reader.next(), BodyPartReader):
        if part.name == FIELD:
            if "Content-Transfer-Encoding" in part.headers or "Content-Encoding" in part.headers:
                raise Problem(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the file in the form as it is, without encoding."
                )
            return part
        while await part.read_chunk():
            if request.content.total_bytes > ENVELOPE:
                raise invalid(FieldError(FIELD, "Put the file first: the fields before it are too large."))
    raise invalid(FieldError(FIELD, "The form has no field of this name. Put the file there."))
