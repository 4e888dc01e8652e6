"""JSON as clients write it: what can mean only one thing is accepted, in whichever spelling it comes.

A number without a fraction is an integer (`7.0`, `7e0`), as in JSON Schema; a byte order mark before the text is
skipped; and null in a field that has a default means that the field is left out.
"""

import codecs
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from shared.messages import UNDECODABLE

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


_parse = msgspec.json.Decoder(float_hook=_number).decode


def decode_json(text: bytes, kind: Any) -> Any:
    """`text` as a `kind`, which is a struct or a union of structs.

    Raises:
        msgspec.ValidationError: for JSON that breaks a rule of `kind`.
        msgspec.DecodeError: for text that is no JSON.
    """
    try:
        plain = _parse(text.removeprefix(codecs.BOM_UTF8))
    except UNDECODABLE as error:
        raise msgspec.DecodeError(_decode_error_reason(error, text)) from error
    return msgspec.convert(_without_nulls(plain, _optional_fields(kind)), kind)


def _decode_error_reason(error: Exception, text: bytes) -> str:
    # No JSON text has a NUL: UTF-16 and UTF-32 have one in every ASCII character.
    if text.startswith(_UTF_16) or b"\x00" in text[:4]:
        return "it is UTF-16 or UTF-32; send UTF-8"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).partition(" - at ")[0]


def format_number(number: float) -> str:
    """A number as a client writes it, to the last digit: 120, 120.0001."""
    return repr(float(number)).removesuffix(".0")


def _without_nulls(value: Any, optional: dict[str, Any]) -> Any:
    """`value` without optional fields that are null. An unknown field stays, and is refused."""
    if not (optional and isinstance(value, dict)):
        return value
    kept = {name: item for name, item in value.items() if item is not None or name not in optional}
    return {name: _without_nulls(item, optional.get(name, {})) for name, item in kept.items()}


@cache
def _optional_fields(kind: Any) -> dict[str, Any]:
    """The fields that may be left out, each with those of its own value."""
    return _fields_of(inspect.type_info(kind))


def _fields_of(info: inspect.Type) -> dict[str, Any]:
    match info:
        case inspect.StructType(fields=fields):
            return {field.encode_name: _fields_of(field.type) for field in fields if not field.required}
        case inspect.UnionType(types=types):
            return {name: inner for each in types for name, inner in _fields_of(each).items()}
        case inspect.Metadata(type=inner):
            return _fields_of(inner)
    return {}
