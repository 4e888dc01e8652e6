"""Validate JSON values by the schemas that the OpenAPI document names."""

import re
from typing import Any

from openapi_schema_validator import OAS31Validator

from gateway.http.openapi import make_document

DOCUMENT = make_document()
SCHEMAS = DOCUMENT["components"]["schemas"]

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_WIRE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def errors_of(name: str, value: object) -> list[str]:
    """Where `value` differs from the schema of this name; empty if it fits."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return [f"{error.json_path}: {error.message}" for error in OAS31Validator(schema).iter_errors(value)]


def times_in(value: Any) -> list[str]:
    """All texts in `value` that are times; fails if one is not RFC 3339 in UTC with three decimals."""
    if isinstance(value, dict | list):
        return [time for each in (value.values() if isinstance(value, dict) else value) for time in times_in(each)]
    if not (isinstance(value, str) and _TIME.match(value)):
        return []
    assert _WIRE_TIME.fullmatch(value), value
    return [value]
