"""Decode a request's body or query into a struct, or raise a problem that names the invalid field."""

import asyncio
import re
from functools import cache
from http import HTTPStatus
from typing import Any, TypeVar, cast

import msgspec
from aiohttp import web
from msgspec import inspect

from gateway.decoding import decode_json
from gateway.problems import FieldError, Problem, invalid

T = TypeVar("T", bound=msgspec.Struct)

# Bytes of a request body.
MAX_BODY = 64 * 1024
# Seconds in which a body must arrive.
BODY_TIMEOUT = 10.0

_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_NAMED = re.compile(r"(?:unknown|required) field `([^`]*)`")
_FRACTION = re.compile(r"Expected `int(?: \| null)?`, got `float`")


async def read_body(request: web.Request, kind: type[T]) -> T:
    """Decode the request's JSON body as `kind`.

    Raises:
        Problem: 415 for a wrong content type, 400 for invalid JSON, 422 for invalid fields, 408 for a slow body.
    """
    if request.content_type != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send JSON, with the header Content-Type: application/json.")
    if set(request.headers.getall("Content-Encoding", ["identity"])) != {"identity"}:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the body uncompressed.")
    body = await _read(request)
    try:
        return cast(T, decode_json(body, kind))
    except msgspec.ValidationError as error:
        raise invalid(field_error(str(error), kind)) from error
    except msgspec.DecodeError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"The body is not valid JSON: {error}.") from error


async def _read(request: web.Request) -> bytes:
    if (request.content_length or 0) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, request.content_length or 0)
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return await request.read()
    except TimeoutError as error:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, f"The body was incomplete after {BODY_TIMEOUT:g} seconds.") from error
    except web.RequestPayloadError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"The body cannot be read: {error}.") from error


def read_query(request: web.Request, kind: type[T]) -> T:
    """Decode the request's query as `kind`. Unknown parameters, such as cache busters, are ignored.

    Raises:
        Problem: 422 that names an invalid or repeated parameter.
    """
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    given = {name: request.query.getall(name) for name in names if name in request.query}
    for name, values in given.items():
        if len(values) > 1:
            raise invalid(FieldError(name, "Give it only once."))
    try:
        return msgspec.convert({name: values[0] for name, values in given.items()}, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(field_error(str(error), kind)) from error


def field_error(error: str, kind: type[msgspec.Struct] | None = None) -> FieldError:
    """Extract field and message from the text of a msgspec error, which has no attributes for them.

    Args:
        error: the text.
        kind: the struct that was decoded, so that the message can list the possible values of a field.
    """
    path = _PATH.search(error)
    named = _NAMED.search(error)
    message = _FRACTION.sub("Expected a whole number", _PATH.sub("", error))
    parts = [path.group(1)] if path else []
    if named:
        parts.append(named.group(1))
    name = ".".join(filter(None, parts))
    choices = _choices(kind).get(name.partition("[")[0]) if kind else None
    if choices and message.startswith("Invalid enum value "):
        message = f"{message.removeprefix('Invalid enum value ')} is not possible. Choose from {choices}."
    return FieldError(name, message)


@cache
def _choices(kind: type[msgspec.Struct]) -> dict[str, str]:
    """The values of the fields of `kind` that have a fixed set of them, by the field's name on the wire."""
    info = cast(inspect.StructType, inspect.type_info(kind))
    return {field.encode_name: ", ".join(map(str, _values(field.type))) for field in info.fields}


def _values(info: inspect.Type) -> tuple[Any, ...]:
    match info:
        case inspect.LiteralType(values=values):
            return values
        case inspect.EnumType(cls=cls):
            return tuple(member.value for member in cls)
        case inspect.UnionType(types=types):
            return tuple(value for each in types for value in _values(each))
        case inspect.Metadata(type=inner) | inspect.VarTupleType(item_type=inner):
            return _values(inner)
    return ()
