"""The API reference as a page of the site, made from the documents that a gateway serves."""

import json
from collections.abc import Iterator
from typing import Any

from gateway.http.asyncapi import make_asyncapi
from gateway.http.openapi import make_document

INTRODUCTION = """# API reference

Made from `/openapi.json` and `/asyncapi.json`, which every gateway serves. The [API guide](api.md) has all of it by
example.
"""
_SCHEMAS = "#/components/schemas/"


def reference() -> str:
    """The page in Markdown: the operations by their tags, the schemas, and the messages of WebSocket and NATS."""
    document = make_document()
    parts = [INTRODUCTION]
    for tag in document["tags"]:
        parts.append(f"## Routes: {tag['name']}\n\n{tag['description']}\n")
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if isinstance(operation, dict) and tag["name"] in operation.get("tags", ()):
                    parts += _operation(f"{method.upper()} {path}", operation)
    messages = make_asyncapi()
    parts += [*_channels(messages), "## Schemas\n"]
    for name, schema in sorted((messages["components"]["schemas"] | document["components"]["schemas"]).items()):
        parts += _schema(name, schema)
    return "\n".join(parts)


def _operation(title: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### `{title}`\n\n{operation['summary']}. {operation.get('description', '')}\n"
    if parameters := operation.get("parameters"):
        yield "| parameter | in | type | meaning |\n| --- | --- | --- | --- |"
        for each in parameters:
            name = f"`{each['name']}`" + (" (required)" if each.get("required") else "")
            yield _row(name, each["in"], _type(each["schema"]), each.get("description", ""))
        yield ""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body, `{media}`: {_type(content.get('schema', {}))}\n"
        yield from _examples(content)
    yield "| status | content | meaning |\n| --- | --- | --- |"
    for status, answer in operation["responses"].items():
        contents = (f"`{media}`: {_type(each.get('schema', {}))}" for media, each in answer.get("content", {}).items())
        yield _row(status, "<br>".join(contents), answer.get("description", ""))
    yield ""
    for status, answer in operation["responses"].items():
        for content in answer.get("content", {}).values() if status == "200" else ():
            yield from _examples(content)


def _examples(content: dict[str, Any]) -> Iterator[str]:
    examples = content.get("examples") or ({"example": {"value": content["example"]}} if "example" in content else {})
    for name, example in examples.items():
        if not isinstance(example["value"], str):
            text = json.dumps(example["value"], indent=2, ensure_ascii=False)
            yield f"{example.get('summary', name)}:\n\n```json\n{text}\n```\n"


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}\n\n{schema.get('description', '')}\n"
    yield from _examples(
        {"examples": {f"Example {n}": {"value": v} for n, v in enumerate(schema.get("examples", ()), 1)}}
    )
    if not (properties := schema.get("properties")):
        yield f"{_type(schema)}\n"
        return
    yield "| field | type | meaning |\n| --- | --- | --- |"
    for field, each in properties.items():
        is_required = field in schema.get("required", ())
        yield _row(f"`{field}`" + (" (required)" if is_required else ""), _type(each), each.get("description", ""))
    yield ""


def _channels(document: dict[str, Any]) -> Iterator[str]:
    yield "## Messages\n\nOf the WebSocket and of NATS.\n"
    for channel in document["channels"].values():
        yield f"### `{channel['address']}`\n\n{channel.get('description', '')}\n"
        for name in channel["messages"]:
            message = document["components"]["messages"][name]
            said = message.get("summary") or message.get("description", "")
            yield f"- `{name}`, {message['contentType']}: {_type(message.get('payload', {}))}" + (
                f". {said}" if said else ""
            )
        yield ""


def _type(schema: dict[str, Any]) -> str:
    """A schema in a word or two, with a link if it has a section of its own."""
    if target := schema.get("$ref", ""):
        name = target.removeprefix(_SCHEMAS)
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_type(each) for each in schema[key])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    kinds = schema.get("type", "any")
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    if "array" in names:
        names[names.index("array")] = f"array of {_type(schema.get('items', {}))}"
    limits = [f"{sign} {schema[key]}" for key, sign in _LIMITS.items() if key in schema]
    return " ".join([" or ".join(names), *limits])


_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<", "maxLength": "length ≤"}


def _row(*cells: str) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"
