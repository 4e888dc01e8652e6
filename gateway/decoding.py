"""Lenient JSON decoding: accepts the unambiguous variants that clients send.

A number without a fractional part is an integer (`7.0`, `7e0`), as in JSON Schema. A leading byte order mark is
skipped. null in an optional field counts as absent.
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
    """Decode `text` as `kind`, a struct or a union of structs.

    Raises:
        msgspec.ValidationError: if the JSON does not match `kind`.
        msgspec.DecodeError: if the text is not JSON.
    """
    try:
        plain = _parse(text.removeprefix(codecs.BOM_UTF8))
    except UNDECODABLE as error:
        raise msgspec.DecodeError(_decode_error_reason(error, text)) from error
    return msgspec.convert(_without_nulls(plain, _optional_fields(kind)), kind)


def _decode_error_reason(error: Exception, text: bytes) -> str:
    # JSON contains no NUL, but every ASCII character in UTF-16 and UTF-32 does.
    if text.startswith(_UTF_16) or b"\x00" in text[:4]:
        return "it is UTF-16 or UTF-32; send UTF-8"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).partition(" - at ")[0]


def format_number(number: float) -> str:
    """A number without a trailing `.0`: 120, 120.0001."""
    return repr(float(number)).removesuffix(".0")


def _without_nulls(value: Any, optional: dict[str, Any]) -> Any:
    """`value` without optional fields that are null. Unknown fields stay, so that validation reports them."""
    if not (optional and isinstance(value, dict)):
        return value
    kept = {name: item for name, item in value.items() if item is not None or name not in optional}
    return {name: _without_nulls(item, optional.get(name, {})) for name, item in kept.items()}


@cache
def _optional_fields(kind: Any) -> dict[str, Any]:
    """The optional fields of `kind`, each mapped to the optional fields of its value."""
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
