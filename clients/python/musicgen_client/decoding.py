"""Turns JSON into dataclasses, by their annotations.

Unknown fields are ignored, because later gateways send more. null and absent fields get their default.
"""

import dataclasses
import types
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from musicgen_client.errors import UnexpectedAnswerError

Model = TypeVar("Model")

# The field of a dataclass that holds the whole object as it was received.
RAW = "raw"
IN_ANSWER = "in the gateway's answer. Update this program, or check that the URL is a gateway's."


def decode(model: type[Model], value: object) -> Model:
    """Return `value`, as `json.loads` returns it, as an object of the dataclass `model`.

    Raises:
        UnexpectedAnswerError: with the field's name, if a required field is missing or a value has another type.
    """
    decoded: Model = _decode(model, value, model.__name__)
    return decoded


def parse_time(text: str) -> datetime:
    """Read a time of RFC 3339, with or without a fraction of a second.

    Raises:
        ValueError: if the text is no such time, or lacks the time zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or "T" not in text.upper():
        raise ValueError(f"{text!r} is no time of RFC 3339")
    return moment.astimezone(UTC)


def _decode(kind: Any, value: Any, place: str) -> Any:
    origin = get_origin(kind)
    if kind is Any or (origin is Mapping and isinstance(value, dict)):
        return value
    if origin in (Union, types.UnionType):
        (some,) = (each for each in get_args(kind) if each is not type(None))
        return None if value is None else _decode(some, value, place)
    if origin is tuple and isinstance(value, list):
        return tuple(_decode(get_args(kind)[0], each, f"{place}[{index}]") for index, each in enumerate(value))
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return _object(kind, value, place)
    return _scalar(kind, value, place)


def _object(kind: Any, value: dict[str, Any], place: str) -> Any:
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        key = field.metadata.get("key", field.name)
        if field.name == RAW:
            arguments[RAW] = value
        elif value.get(key) is not None:
            arguments[field.name] = _decode(_hints(kind)[field.name], value[key], f"{place}.{key}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UnexpectedAnswerError(f"{place}.{key} is missing {IN_ANSWER}")
    return kind(**arguments)


def _scalar(kind: Any, value: Any, place: str) -> Any:
    try:
        if kind is datetime and isinstance(value, str):
            return parse_time(value)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return kind(value)
    except ValueError as error:
        raise UnexpectedAnswerError(f"{place} is {value!r} {IN_ANSWER}") from error
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
        return value
    raise UnexpectedAnswerError(f"{place} has the type {type(value).__name__} {IN_ANSWER}")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
