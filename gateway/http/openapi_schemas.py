"""The named schemas of the OpenAPI document, made from structs in a form that generators of clients understand.

- A set of values has a name, so that a generator makes one type of it.
- An answer's fields are required if the gateway always writes them. It does unless the struct omits defaults.
- A field that a client may leave out has its default in the description: a `default` makes some generators require the
  field, and others send it with every request.
- A nullable value is `type: [string, "null"]`, or `anyOf` with a reference, never `oneOf`.
- A field's description is that of the struct's docstring, unless the field has its own.
"""

import inspect
import re
from collections.abc import Iterable
from typing import Any, get_args

import msgspec
from msgspec import inspect as types

from gateway.http.openapi_examples import examples_of
from gateway.jobs.edit_requests import Relation
from gateway.live.messages import ErrorMessage, Ping, Pong, Subscribe, Unsubscribe
from gateway.probe import Health
from gateway.prompts import Complexity
from gateway.schemas import SampleRate
from gateway.webhooks.sender import WebhookBody
from shared.audio_chunk import AudioChunk
from shared.audio_conditions import ConditionKind
from shared.edits import EditKind, Place, StreamName
from shared.files import AudioFormat, OutputFileKind, OutputKind, SampleFormat
from shared.lanes import Priority
from shared.messages import Event, EventType
from shared.played_score import ScoreAction
from shared.uploaded_files import UploadFormat, UploadKind
from shared.webhook import DeliveryStatus

Json = dict[str, Any]

REFERENCE = "#/components/schemas/"

_ENUMS: dict[str, tuple[Any, str]] = {
    "AudioFormat": (AudioFormat, "The format of audio files."),
    "SampleFormat": (SampleFormat, "The format of the samples in a file."),
    "SampleRate": (get_args(SampleRate)[0], "A sample rate of files, in hertz."),
    "OutputKind": (OutputKind, "What a request can ask for in addition to the audio."),
    "OutputFileKind": (OutputFileKind, "What a file of a job is, besides the audio."),
    "EditKind": (EditKind, "How a take is made of another one."),
    "ScoreAction": (ScoreAction, "What becomes of a score."),
    "Relation": (Relation, "How a job is made of another one."),
    "Place": (Place, "Where bars are added."),
    "StreamName": (StreamName, "A stream of a score."),
    "Priority": (Priority, "How urgent a job is."),
    "EventType": (EventType, "What happened to a job."),
    "Complexity": (Complexity, "How many fields a random prompt has."),
    "DeliveryStatus": (DeliveryStatus, "Whether a webhook has arrived."),
    "Health": (Health, "The health of a component."),
    "ConditionKind": (ConditionKind, "How music is conditioned on audio."),
    "UploadKind": (UploadKind, "What an uploaded file holds."),
    "UploadFormat": (UploadFormat, "The format of an uploaded file, by its content."),
}
_NAMES = {frozenset(get_args(kind)): name for name, (kind, _) in _ENUMS.items()}

# Messages of the WebSocket by their `type`; binary frames begin with an AudioChunk.
_CLIENT_MESSAGES: dict[str, type] = {"subscribe": Subscribe, "unsubscribe": Unsubscribe, "ping": Ping}
_SERVER_MESSAGES: dict[str, type] = dict.fromkeys(get_args(EventType), Event) | {
    "pong": Pong,
    "error": ErrorMessage,
}

# What msgspec cannot express. That a request has either `prompt` or `components` is in its description alone: `oneOf`
# beside properties makes generators write every field twice or fail, and linters misread `if`.
_RULES: dict[str, Json] = {
    "GenerateRequest": {"minProperties": 1},
    "ScoreRequest": {"minProperties": 1},
    "PromptComponents": {"minProperties": 1},
}
_OTHERS: dict[str, Json] = {
    "Binary": {"description": "The bytes of a file.", "type": "string", "format": "binary"},
    "OpenApiDocument": {"description": "An OpenAPI document.", "type": "object", "additionalProperties": True},
}


def make_schemas(structs: Iterable[type[msgspec.Struct]]) -> Json:
    """The schemas of these structs, of all that they contain, and of the WebSocket's messages, by name."""
    wanted = dict.fromkeys([*structs, *_CLIENT_MESSAGES.values(), *_SERVER_MESSAGES.values(), AudioChunk, WebhookBody])
    _, components = msgspec.json.schema_components(list(wanted), ref_template=REFERENCE + "{name}")
    found: dict[str, type[msgspec.Struct]] = {}
    for info in types.multi_type_info(wanted):
        _collect(info, found)
    # A round trip through JSON turns Python defaults, such as tuples, into plain data. A pattern's end is `\Z` in
    # Python, where `$` also precedes a last newline, and `$` in JSON Schema.
    schemas: Json = msgspec.json.decode(msgspec.json.encode(components).replace(rb'\\Z"', b'$"'))
    for name, schema in schemas.items():
        if name in found:
            _complete(schema, found[name])
        else:
            schema["type"] = "string"  # an enum
        schema.update(_RULES.get(name, {}))
    schemas |= {name: _enum(name) for name in _ENUMS} | _OTHERS
    schemas["ClientMessage"] = _tagged_union("A text frame that the client sends.", _CLIENT_MESSAGES)
    schemas["ServerMessage"] = _tagged_union("A text frame that the gateway sends.", _SERVER_MESSAGES)
    for name, schema in schemas.items():
        schema["title"] = name
        schema |= examples_of(name)
    return dict(sorted(schemas.items()))


def parameters_of(query: type[msgspec.Struct]) -> dict[str, Json]:
    """The schemas of a query's parameters by name; optional ones have their `default`, and none is null."""
    (_,), components = msgspec.json.schema_components([query], ref_template=REFERENCE + "{name}")
    schema = components[query.__name__]
    _describe(schema, query)
    return {name: _parameter(_plain(field)) for name, field in schema["properties"].items()}


def reference(name: str) -> Json:
    """A reference to a named schema."""
    return {"$ref": REFERENCE + name}


def _collect(info: types.Type, found: dict[str, type[msgspec.Struct]]) -> None:
    """Add every struct in `info` to `found`, by name."""
    match info:
        case types.StructType(cls=cls, fields=fields) if cls.__name__ not in found:
            found[cls.__name__] = cls
            for field in fields:
                _collect(field.type, found)
        case types.UnionType(types=kinds):
            for kind in kinds:
                _collect(kind, found)
        case types.Metadata(type=inner) | types.ListType(item_type=inner) | types.VarTupleType(item_type=inner):
            _collect(inner, found)
        case types.DictType(value_type=inner):
            _collect(inner, found)


def _complete(schema: Json, struct: type[msgspec.Struct]) -> None:
    """Give a struct's schema its descriptions, its required fields and its nulls."""
    _describe(schema, struct)
    config = struct.__struct_config__
    is_sent = config.forbid_unknown_fields  # bodies and the client's messages; answers may get more fields
    properties = schema["properties"]
    if not (is_sent or config.omit_defaults):
        schema["required"] = list(properties)
    optional = properties.keys() - set(schema["required"])
    for name, field in properties.items():
        default = field.pop("default", None)
        if is_sent and name in optional:
            field = _nullable(field, default)
        properties[name] = _plain(field)
    if not schema["required"]:
        del schema["required"]


def _describe(schema: Json, struct: type[msgspec.Struct]) -> None:
    """Move the `Attributes` of the docstring to the fields; what Python calls None is null."""
    text, _, attributes = inspect.cleandoc(struct.__doc__ or "").partition("\n\nAttributes:\n")
    schema["description"] = _sentence(text)
    names = {field.name: field.encode_name for field in msgspec.structs.fields(struct)}
    for name, description in re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", attributes, re.MULTILINE):
        schema["properties"][names[name]].setdefault("description", _sentence(description))


def _sentence(text: str) -> str:
    """Paragraphs in one line each; the first letter is a capital."""
    text = re.sub(r"(?<!\n)\n(?!\n) *", " ", re.sub(r"\bNone\b", "null", text))
    return text[:1].upper() + text[1:]


def _nullable(field: Json, default: Any) -> Json:
    """Allow null in an optional field that a client sends: it counts as absent."""
    notes = {"description": field.pop("description")} if "description" in field else {}
    options = [option for option in field.get("anyOf", [field]) if option != {"type": "null"}]
    if default is not None:
        inner = options[0].pop("description", "")
        parts = (notes.get("description") or inner, f"{_written(default)} if absent")
        notes["description"] = "; ".join(filter(None, parts))
    return {"anyOf": [*options, {"type": "null"}], **notes}


def _written(default: Any) -> str:
    """A default as a person writes it: 250, 1, false, int16."""
    return default if isinstance(default, str) else msgspec.json.encode(default).decode().removesuffix(".0")


def _plain(schema: Json) -> Json:
    """Replace sets of values by references to their names, and `anyOf` by a list of types where possible."""
    if "enum" in schema:
        return _named(schema)
    schema = dict(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            schema[key] = _plain(schema[key])
    if "anyOf" not in schema:
        return schema
    options = [_plain(option) for option in schema.pop("anyOf")]
    value, *rest = options
    if rest != [{"type": "null"}]:
        return {"anyOf": options, **schema}
    if "type" in value:
        return {**value, "type": [value["type"], "null"], **schema}
    notes: Json = {key: value.pop(key) for key in ("description", "examples") if key in value}
    return {"anyOf": [value, *rest], **notes, **schema}


def _named(schema: Json) -> Json:
    values = schema.pop("enum")
    if len(values) == 1:
        return {"type": "string", "const": values[0], **schema}
    return {**reference(_NAMES[frozenset(values)]), **schema}


def _parameter(schema: Json) -> Json:
    if isinstance(schema.get("type"), list):
        schema["type"] = schema["type"][0]
    if "anyOf" in schema:
        schema |= schema.pop("anyOf")[0]
    return {key: value for key, value in schema.items() if (key, value) != ("default", None)}


def _enum(name: str) -> Json:
    kind, description = _ENUMS[name]
    values = get_args(kind)
    return {
        "description": description,
        "type": "string" if isinstance(values[0], str) else "integer",
        "enum": list(values),
    }


def _tagged_union(description: str, kinds: dict[str, type]) -> Json:
    """One of these, told apart by `type`."""
    names = {tag: REFERENCE + kind.__name__ for tag, kind in kinds.items()}
    return {
        "description": description,
        "oneOf": [{"$ref": name} for name in dict.fromkeys(names.values())],
        "discriminator": {"propertyName": "type", "mapping": names},
    }
