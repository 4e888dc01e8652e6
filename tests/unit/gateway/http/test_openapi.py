"""The OpenAPI document."""

from typing import Any

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from gateway.decoding import decode_json
from gateway.http.openapi import make_document
from gateway.http.routes import ROUTES, Route
from gateway.prompts import BuiltPrompt, PromptComponents
from gateway.schemas import GenerateRequest, JobAccepted, JobView
from shared.messages import JobStatus
from tests.unit.gateway.conftest import Api

DOCUMENT = make_document()

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
    assert set(operation["responses"]) == {str(status) for status in (*route.responses, *route.all_problems)}
    assert (operation.get("security") == []) == route.is_public
    assert ("requestBody" in operation) == (route.body is not None)


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


def test_the_schema_contains_the_ranges_of_the_contract() -> None:
    properties = DOCUMENT["components"]["schemas"]["GenerateRequest"]["properties"]

    def numbers(name: str) -> dict[str, Any]:
        schema = properties[name]
        options = schema.get("anyOf", [schema])
        return {key: value for option in options for key, value in option.items() if key in {"minimum", "maximum"}}

    assert properties["top_k"]["default"] == 250
    assert numbers("temperature") == {"minimum": 0.1, "maximum": 2}
    assert numbers("top_k") == {"minimum": 0, "maximum": 1000}
    assert numbers("top_p") == {"minimum": 0, "maximum": 1}
    assert numbers("cfg_coef") == {"minimum": 1, "maximum": 10}
    assert numbers("seed") == {"minimum": 0, "maximum": 2**32 - 1}
    assert numbers("duration") == {"minimum": 0.5}


def test_the_examples_of_a_request_are_requests() -> None:
    examples = DOCUMENT["components"]["schemas"]["GenerateRequest"]["examples"]
    assert len(examples) > 1
    for example in examples:
        decode_json(msgspec.json.encode(example), GenerateRequest)


def test_the_grid_and_the_file_have_ranges_and_descriptions() -> None:
    properties = DOCUMENT["components"]["schemas"]["GenerateRequest"]["properties"]

    def merged(name: str) -> dict[str, Any]:
        schema = properties[name]
        return {key: value for option in (*schema["anyOf"], schema) for key, value in option.items()}

    for name in ("bars", "bpm", "meter", "key", "loop", "format", "sample_rate", "loudness", "title"):
        assert merged(name)["description"], name
        assert "default" not in merged(name)
    assert (merged("bars")["minimum"], merged("bars")["maximum"]) == (1, 128)
    assert (merged("bpm")["minimum"], merged("bpm")["maximum"]) == (40, 240)
    assert (merged("loudness")["minimum"], merged("loudness")["maximum"]) == (-30, -6)
    assert (merged("title")["minLength"], merged("title")["maxLength"]) == (1, 100)
    assert merged("sample_rate")["enum"] == [44_100, 48_000, 96_000]


def test_the_recipe_of_an_answer_fits_its_schema() -> None:
    """A foreign validator reads patterns in JSON Schema's dialect, which is not Python's."""
    recipe = {"model": "stereo-small", "prompt": "house", "duration": 8.0, "seed": 7, "bars": 4, "bpm": 120.0}
    schema = DOCUMENT["components"]["schemas"]["Recipe"]
    OAS31Validator(schema).validate(recipe)
    assert list(OAS31Validator(schema).iter_errors({**recipe, "model": "Stereo Small"}))


@pytest.mark.parametrize("body", [GenerateRequest, PromptComponents])
def test_optional_fields_of_a_body_are_nullable(body: type[msgspec.Struct]) -> None:
    schema = DOCUMENT["components"]["schemas"][body.__name__]
    for name in body.__struct_fields__:
        assert {"type": "null"} in schema["properties"][name]["anyOf"], name


def test_fields_that_clients_decode_are_required() -> None:
    schema = DOCUMENT["components"]["schemas"]["JobView"]
    assert {"job_id", "status", "progress", "message", "created_at"} <= set(schema["required"])
    assert set(schema["properties"]) == set(JobView.__struct_fields__)
    assert schema["properties"]["progress"] == {"type": "number"}
    assert schema["properties"]["message"] == {"type": "string"}
    assert set(DOCUMENT["components"]["schemas"]["JobStatus"]["enum"]) == set(JobStatus)


def test_query_parameters_have_inline_schemas() -> None:
    parameters = DOCUMENT["paths"]["/api/v1/jobs"]["get"]["parameters"]
    assert [each["name"] for each in parameters] == ["limit", "status", "cursor"]
    assert "$ref" not in str(parameters)


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
