"""The OpenAPI document."""

import re
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from gateway.decoding import decode_json
from gateway.http.route import Route
from gateway.http.routes import ROUTES
from gateway.live.messages import ErrorMessage, Ping, Pong, Subscribe, Unsubscribe
from gateway.prompts import BuiltPrompt, PromptComponents
from gateway.schemas import GenerateRequest, JobAccepted, JobView
from shared.messages import JobStatus, Recipe, encode
from tests.schema_check import DOCUMENT, SCHEMAS, errors_of
from tests.unit.gateway.conftest import Api

# The examples of the contract.
GENERATE = """{"prompt": "upbeat electronic music with synthesizer and drums", "duration": 30.0, "temperature": 1.0,
 "top_k": 250, "top_p": 0.0, "cfg_coef": 3.0, "seed": 7, "model": "small"}"""
ACCEPTED = """{"job_id": "gen_abc123456789", "status": "queued", "message": "Generation job started",
 "created_at": "2024-12-01T10:00:00Z"}"""
BUILD = """{"genre": "electronic", "tempo": "fast", "mood": "energetic", "instruments": ["synthesizer", "drums"],
 "artist_style": "similar to Daft Punk"}"""
BUILT = """{"structured_prompt": "electronic music, fast tempo, energetic mood, featuring synthesizer and drums",
 "components": {"genre": "electronic music"}}"""


def test_the_document_is_valid_openapi_3_1() -> None:
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_described_with_its_responses(route: Route) -> None:
    operation = DOCUMENT["paths"][route.path][route.method.lower()]
    assert operation["summary"]
    assert operation["description"].endswith(".")
    assert set(operation["responses"]) == {str(status) for status in (*route.responses, *route.all_problems)}
    assert (operation.get("security") == []) == route.is_public
    assert ("requestBody" in operation) == (route.body is not None or bool(route.file_types))


def test_every_operation_has_a_tag_and_every_tag_is_described() -> None:
    used = {tag for path in DOCUMENT["paths"].values() for operation in path.values() for tag in operation["tags"]}
    assert used == {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len(set(ids)) == len(ids) == len(ROUTES)


@pytest.mark.parametrize(
    ("example", "struct"),
    [(GENERATE, GenerateRequest), (ACCEPTED, JobAccepted), (BUILD, PromptComponents), (BUILT, BuiltPrompt)],
)
def test_an_example_of_the_contract_fits_the_struct_and_its_schema(example: str, struct: type[msgspec.Struct]) -> None:
    msgspec.json.decode(example, type=struct)
    properties = DOCUMENT["components"]["schemas"][struct.__name__]["properties"]
    assert set(msgspec.json.decode(example)) <= set(properties)


@pytest.mark.parametrize(
    ("path", "method", "schema"),
    [
        ("/api/v1/generate", "post", "GenerateRequest"),
        ("/api/v1/prompt/build", "post", "PromptComponents"),
        ("/api/v1/prompt/parse", "post", "ParseRequest"),
    ],
)
def test_a_body_refers_to_the_struct_that_validates_it(path: str, method: str, schema: str) -> None:
    content = DOCUMENT["paths"][path][method]["requestBody"]["content"]
    assert content == {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def test_an_upload_is_a_file_or_a_form_with_one() -> None:
    content = dict(DOCUMENT["paths"]["/api/v1/audio"]["post"]["requestBody"]["content"])
    file = {"$ref": "#/components/schemas/Binary"}
    form = content.pop("multipart/form-data")["schema"]
    assert (form["properties"], form["required"]) == ({"file": file}, ["file"])
    assert content == {"application/octet-stream": {"schema": file}}


def test_the_schema_contains_the_ranges_of_the_contract() -> None:
    properties = DOCUMENT["components"]["schemas"]["GenerateRequest"]["properties"]

    def numbers(name: str) -> dict[str, Any]:
        return {key: value for key, value in properties[name].items() if key in {"minimum", "maximum"}}

    assert properties["top_k"]["description"] == "0 disables it; 250 if absent"
    assert numbers("temperature") == {"minimum": 0.1, "maximum": 2}
    assert numbers("top_k") == {"minimum": 0, "maximum": 1000}
    assert numbers("top_p") == {"minimum": 0, "maximum": 1}
    assert numbers("cfg_coef") == {"minimum": 1, "maximum": 10}
    assert numbers("seed") == {"minimum": 0, "maximum": 2**32 - 1}
    assert numbers("duration") == {"minimum": 0.5}


@pytest.mark.parametrize("name", [name for name, schema in SCHEMAS.items() if "examples" in schema])
def test_the_examples_of_a_schema_fit_it(name: str) -> None:
    for example in SCHEMAS[name]["examples"]:
        assert errors_of(name, example) == []


def test_the_examples_of_a_request_are_requests() -> None:
    examples = SCHEMAS["GenerateRequest"]["examples"]
    assert {"prompt": "piano"} in examples
    assert {"components": {"genre": "house"}} in examples
    for example in examples:
        decode_json(msgspec.json.encode(example), GenerateRequest)


def test_the_grid_and_the_file_have_ranges_and_descriptions() -> None:
    properties = SCHEMAS["GenerateRequest"]["properties"]
    for name in ("bars", "bpm", "meter", "key", "loop", "format", "sample_rate", "loudness", "title"):
        assert properties[name]["description"], name
    assert (properties["bars"]["minimum"], properties["bars"]["maximum"]) == (1, 128)
    assert (properties["bpm"]["minimum"], properties["bpm"]["maximum"]) == (40, 240)
    assert (properties["loudness"]["minimum"], properties["loudness"]["maximum"]) == (-30, -6)
    assert (properties["title"]["minLength"], properties["title"]["maxLength"]) == (1, 100)
    assert SCHEMAS["SampleRate"]["enum"] == [44_100, 48_000, 96_000]


def test_the_recipe_of_an_answer_fits_its_schema() -> None:
    """A foreign validator reads patterns in JSON Schema's dialect, which is not Python's."""
    struct = Recipe(model="stereo-small", prompt="house", duration=8.0, seed=7, bars=4, bpm=120.0)
    recipe = msgspec.json.decode(encode(struct))
    assert errors_of("Recipe", recipe) == []
    assert errors_of("Recipe", {**recipe, "model": "Stereo Small"})


@pytest.mark.parametrize("body", [GenerateRequest, PromptComponents])
def test_optional_fields_of_a_body_are_nullable(body: type[msgspec.Struct]) -> None:
    schema = SCHEMAS[body.__name__]
    assert "required" not in schema
    for name in body.__struct_fields__:
        assert errors_of(body.__name__, {name: None}) == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_generators_find_neither_defaults_nor_unnamed_sets_of_values(name: str) -> None:
    """openapi-typescript requires fields with a `default`; an unnamed `enum` is another type in every place."""
    for field in SCHEMAS[name].get("properties", {}).values():
        for option in (field, *field.get("anyOf", []), *([field["items"]] if "items" in field else [])):
            assert not {"default", "enum", "oneOf", "properties"} & set(option)
            assert {"type", "anyOf", "$ref"} & set(option)
        assert "None" not in field.get("description", "")


def test_a_schema_is_titled_and_described() -> None:
    for name, schema in SCHEMAS.items():
        assert schema["title"] == name
        assert schema["description"]
        assert not re.search(r"None|Attributes:|\n ", schema["description"]), name
    assert SCHEMAS["AudioChunk"]["properties"]["sample_rate"]["description"] == "In hertz."


@pytest.mark.parametrize("name", ["JobView", "JobAccepted", "Event", "Recipe", "Links", "AudioChunk", "WorkerInfo"])
def test_fields_that_an_answer_always_has_are_required(name: str) -> None:
    optional = {"takes"} if name == "JobAccepted" else set()  # an answer for one take is as it always was
    assert SCHEMAS[name]["required"] == [each for each in SCHEMAS[name]["properties"] if each not in optional]


def test_fields_that_a_problem_may_lack_are_optional() -> None:
    assert SCHEMAS["ProblemDetails"]["required"] == ["title", "status", "detail"]


def test_times_are_times() -> None:
    times = [
        field
        for schema in SCHEMAS.values()
        for name, field in schema.get("properties", {}).items()
        if (name == "at" or name.endswith("_at")) and "Place" not in str(field)
    ]
    assert len(times) == 12
    assert all(field["format"] == "date-time" for field in times)


@pytest.mark.parametrize("kind", [Subscribe("gen_1"), Unsubscribe("gen_1"), Ping(), Pong(), ErrorMessage("Wrong.")])
def test_a_message_of_the_websocket_fits_its_union_and_no_other_schema(kind: msgspec.Struct) -> None:
    message = msgspec.to_builtins(kind)
    union = "ServerMessage" if isinstance(kind, Pong | ErrorMessage) else "ClientMessage"
    assert errors_of(union, message) == []
    mapping = SCHEMAS[union]["discriminator"]["mapping"]
    assert mapping[message["type"]] == f"#/components/schemas/{type(kind).__name__}"
    assert errors_of(union, {**message, "type": "nothing"})


@pytest.mark.parametrize("path", [route.path for route in ROUTES if "download" in route.path])
def test_the_body_of_a_file_is_binary(path: str) -> None:
    content = DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]
    files = {kind: each["schema"]["$ref"].rpartition("/")[2] for kind, each in content.items()}
    assert set(files.values()) == ({"Binary", "WaveformPeaks"} if path.endswith("{name}") else {"Binary"})
    assert (SCHEMAS["Binary"]["type"], SCHEMAS["Binary"]["format"]) == ("string", "binary")


def test_the_events_of_a_stream_have_a_schema() -> None:
    content = DOCUMENT["paths"]["/api/v1/jobs/{job_id}/events"]["get"]["responses"]["200"]["content"]
    assert content["text/event-stream"]["x-itemSchema"] == {"$ref": "#/components/schemas/Event"}
    assert "Event" in DOCUMENT["components"]["schemas"]


def test_fields_that_clients_decode_are_required() -> None:
    schema = DOCUMENT["components"]["schemas"]["JobView"]
    assert {"job_id", "status", "progress", "message", "created_at"} <= set(schema["required"])
    assert set(schema["properties"]) == set(JobView.__struct_fields__)
    assert schema["properties"]["progress"] == {"type": "number"}
    assert schema["properties"]["message"] == {"type": "string"}
    assert set(DOCUMENT["components"]["schemas"]["JobStatus"]["enum"]) == set(JobStatus)


def test_query_parameters_are_described_and_never_null() -> None:
    parameters = {each["name"]: each for each in DOCUMENT["paths"]["/api/v1/jobs"]["get"]["parameters"]}
    assert list(parameters) == ["limit", "status", "cursor"]
    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    assert parameters["status"]["schema"] == {"$ref": "#/components/schemas/JobStatus"}
    assert parameters["cursor"]["schema"]["type"] == "string"
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert all(each["description"] for operation in operations for each in operation["parameters"])


async def test_the_gateway_serves_the_document_and_every_documented_path(api: Api) -> None:
    async with api.get("/openapi.json") as response:
        assert await response.json() == DOCUMENT
    served = {
        (route.method, resource.canonical)
        for resource in api.app.router.resources()
        for route in resource
        if route.method != "HEAD"
    }
    assert served == {(route.method, route.path) for route in ROUTES}
