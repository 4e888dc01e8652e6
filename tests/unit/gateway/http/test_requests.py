"""Invalid bodies and queries: a 4xx that names the field."""

import gzip
import json
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from gateway.decoding import decode_json
from gateway.http.requests import MAX_BODY, field_error
from gateway.schemas import GenerateRequest
from gateway.services import Services
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.samples import entry, record

GENERATE = "/api/v1/generate"
JSON = {"Content-Type": "application/json"}


async def problem(response: ClientResponse) -> dict[str, Any]:
    """The decoded problem details, after a check of their form."""
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = await response.json()
    assert body["status"] == response.status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["X-Request-ID"]
    return body


async def refused_fields(api: Api, body: bytes) -> list[str]:
    async with api.post(GENERATE, data=body, headers=JSON) as response:
        assert response.status == 422
        return [error["field"] for error in (await problem(response))["errors"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"prompt": "a", "colour": 1}', "colour"),
        ('{"prompt": "a", "Duration": 1}', "Duration"),
        ("{}", "prompt"),
        ('{"prompt": null}', "prompt"),
        ('{"prompt": ""}', "prompt"),
        ('{"prompt": "a\\u0000b"}', "prompt"),
        ('{"prompt": 1}', "prompt"),
        ('{"prompt": "\\u200b\\u2800\\u3164\\u00ad"}', "prompt"),
        ('{"components": {"genre": "\\u3164", "instruments": ["\\u200b"]}}', "components"),
        ('{"prompt": ' + "[" * 500 + "]" * 500 + "}", "prompt"),
        ('{"prompt": "' + "x" * 501 + '"}', "prompt"),
        ('{"prompt": "a", "duration": "8"}', "duration"),
        ('{"prompt": "a", "duration": 0.49}', "duration"),
        ('{"prompt": "a", "duration": 121}', "duration"),
        ('{"prompt": "a", "duration": -1}', "duration"),
        ('{"prompt": "a", "duration": 1e999}', "duration"),
        ('{"prompt": "a", "temperature": 0.09}', "temperature"),
        ('{"prompt": "a", "temperature": 2.01}', "temperature"),
        ('{"prompt": "a", "top_k": -1}', "top_k"),
        ('{"prompt": "a", "top_k": 1001}', "top_k"),
        ('{"prompt": "a", "top_k": 1.5}', "top_k"),
        ('{"prompt": "a", "top_p": 1.01}', "top_p"),
        ('{"prompt": "a", "top_p": true}', "top_p"),
        ('{"prompt": "a", "top_p": "0.5"}', "top_p"),
        ('{"prompt": "a", "top_k": true}', "top_k"),
        ('{"prompt": "a", "top_k": "7"}', "top_k"),
        ('{"prompt": "a", "top_k": 1e400}', "top_k"),
        ('{"prompt": "a", "seed": 4294967296.0}', "seed"),
        ('{"prompt": "a", "seed": 1e300}', "seed"),
        ('{"prompt": "a", "seed": -1.0}', "seed"),
        ('{"prompt": "a", "colour": null}', "colour"),
        ('{"prompt": "a", "components": {"colour": null}}', "components.colour"),
        ('{"components": {"instruments": [null]}}', "components.instruments[0]"),
        ('{"prompt": "a", "cfg_coef": 0.9}', "cfg_coef"),
        ('{"prompt": "a", "cfg_coef": 10.1}', "cfg_coef"),
        ('{"prompt": "a", "seed": -1}', "seed"),
        ('{"prompt": "a", "seed": 4294967296}', "seed"),
        ('{"prompt": "a", "seed": 99999999999999999999999999}', "seed"),
        ('{"prompt": "a", "model": ""}', "model"),
        ('{"prompt": "a", "model": "nope"}', "model"),
        ('{"prompt": "a", "sample_format": "mp3"}', "sample_format"),
        ('{"components": {"tempo": 120}}', "components.tempo"),
        ('{"components": {"colour": 1}}', "components.colour"),
        ('{"components": {"instruments": ["drums", 2]}}', "components.instruments[1]"),
        ('{"components": {}}', "components"),
    ],
)
async def test_an_invalid_field_is_named(api: Api, body: str, field: str) -> None:
    assert await refused_fields(api, body.encode()) == [field]


@pytest.mark.parametrize("body", ["[]", '"prompt"', "1", "null", "true"])
async def test_json_other_than_an_object_is_refused(api: Api, body: str) -> None:
    assert await refused_fields(api, body.encode()) == [""]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"prompt=a",
        b'{"prompt": "a"',
        b'{"prompt": "a"} tail',
        b'{"prompt": "a", "duration": NaN}',
        b'{"prompt": "a", "duration": Infinity}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "\\udc00 tone"}',
        b'{"prompt": "a\x00"}',
        b'{"prompt": "a\nb"}',
        b"[" * 60_000,
        b'{"prompt": ' + b"[" * 50_000,
        b'{"seed": ' + b"9" * 5000 + b"}",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b'{"prompt": "\xff"}',
        b'{"a\xff": 1}',
        b"\x1f\x8b\x08\x00",
    ],
)
async def test_a_body_other_than_json_is_a_400(api: Api, body: bytes) -> None:
    async with api.post(GENERATE, data=body, headers=JSON) as response:
        assert response.status == 400
        assert "JSON" in (await problem(response))["detail"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
async def test_a_body_in_utf_16_or_utf_32_is_a_400_that_asks_for_utf_8(api: Api, encoding: str) -> None:
    async with api.post(GENERATE, data='{"prompt": "a"}'.encode(encoding), headers=JSON) as response:
        assert response.status == 400
        assert "send UTF-8" in (await problem(response))["detail"]


async def test_invalid_utf_8_is_a_400_that_says_so(api: Api) -> None:
    async with api.post(GENERATE, data='{"prompt": "für"}'.encode("latin-1"), headers=JSON) as response:
        assert response.status == 400
        assert "not UTF-8" in (await problem(response))["detail"]


@pytest.mark.parametrize(
    "fields",
    [
        '"top_k": 7.0',
        '"top_k": 7e0',
        '"top_k": 0.7e1',
        '"top_k": -0',
        '"top_k": -0.0',
        '"seed": 4294967295.0',
        '"duration": 8',
        '"top_p": -0.0',
        *(f'"{name}": null' for name in GenerateRequest.__struct_fields__ if name != "prompt"),
    ],
)
async def test_number_variants_and_null_in_optional_fields_are_accepted(api: Api, fields: str) -> None:
    async with api.post(GENERATE, data=f'{{"prompt": "a", {fields}}}'.encode(), headers=JSON) as response:
        assert response.status == 503  # only because NATS is away


async def test_a_byte_order_mark_is_skipped(api: Api) -> None:
    async with api.post(GENERATE, data=b'\xef\xbb\xbf{"prompt": "a"}', headers=JSON) as response:
        assert response.status == 503
        assert "NATS" in (await problem(response))["detail"]


async def test_a_fraction_in_an_integer_field_is_refused(api: Api) -> None:
    async with api.post(GENERATE, data=b'{"prompt": "a", "seed": 7.5}', headers=JSON) as response:
        assert response.status == 422
        assert (await problem(response))["detail"] == "seed: Expected a whole number"


async def test_a_duration_just_above_the_limit_is_shown_with_all_digits(api: Api) -> None:
    async with api.post(GENERATE, data=b'{"prompt": "a", "duration": 120.0001}', headers=JSON) as response:
        assert response.status == 422
        assert (await problem(response))["detail"] == "duration: Must be at most 120 seconds, not 120.0001."


@pytest.mark.parametrize("path", [GENERATE, "/api/v1/prompt/build"])
async def test_a_body_over_the_limit_is_a_413(api: Api, path: str) -> None:
    async with api.post(path, data=b" " * (MAX_BODY + 1024), headers=JSON) as response:
        assert response.status == 413
        assert "64 KiB" in (await problem(response))["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/octet-stream"},
        JSON | {"Content-Encoding": "gzip"},
        JSON | {"Content-Encoding": "compress"},
    ],
)
async def test_other_content_types_and_encodings_are_a_415(api: Api, headers: dict[str, str]) -> None:
    body = b'{"prompt": "a"}'
    if headers.get("Content-Encoding") == "gzip":
        body = gzip.compress(body)
    async with api.post(GENERATE, data=body, headers=headers) as response:
        assert response.status == 415
        await problem(response)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_a_valid_request_fails_only_for_lack_of_nats(api: Api, content_type: str) -> None:
    body = '{"prompt": "für dich ♪"}'.encode()
    async with api.post(GENERATE, data=body, headers={"Content-Type": content_type}) as response:
        assert response.status == 503
        assert "NATS" in (await problem(response))["detail"]
        assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/jobs?limit=0", "limit"),
        ("/api/v1/jobs?limit=201", "limit"),
        ("/api/v1/jobs?limit=many", "limit"),
        ("/api/v1/jobs?limit=%00", "limit"),
        ("/api/v1/jobs?status=done", "status"),
        ("/api/v1/jobs?status=%ff", "status"),
        ("/api/v1/jobs?cursor=" + "1" * 65, "cursor"),
        ("/api/v1/jobs?limit=", "limit"),
        ("/api/v1/jobs?limit=2&limit=2", "limit"),
        ("/api/v1/jobs?limit=7.5&_=1", "limit"),
        ("/api/v1/prompt/random?complexity=hard", "complexity"),
        ("/api/v1/download/gen_000000000000?proxy=perhaps", "proxy"),
    ],
)
async def test_an_invalid_query_parameter_is_named(api: Api, path: str, field: str) -> None:
    async with api.get(path) as response:
        assert response.status == 422
        assert [error["field"] for error in (await problem(response))["errors"]] == [field]


@pytest.mark.parametrize(
    "query", ["_=1", "_=1&_=2", "page=2", "utm_source=mail", "%00=%ff", "%F0%9F%8E%B5=%0a", "&&=", "="]
)
@pytest.mark.parametrize(
    "path", ["/api/v1/jobs", "/api/v1/prompt/random", "/", "/health/live", "/openapi.json", "/metrics"]
)
async def test_an_unknown_query_parameter_is_ignored(api: Api, path: str, query: str) -> None:
    async with api.get(URL(f"{path}?{query}", encoded=True)) as response:
        assert response.status == 200


@pytest.mark.parametrize("path", ["/api/v1/download/gen_000000000001", "/api/v1/download/gen_000000000001/audio.mid"])
async def test_a_download_ignores_unknown_query_parameters(api: Api, services: Services, path: str) -> None:
    services.index.apply(entry(record(1)))
    async with api.get(f"{path}?proxy=1&_=1") as response:
        assert response.status == 409  # the job has not finished


@pytest.mark.parametrize(
    ("fields", "choices"),
    [
        ({"format": "aiff"}, {"wav", "flac", "ogg", "mp3"}),
        ({"sample_rate": 22_050}, {"44100", "48000", "96000"}),
        ({"sample_format": "int8"}, {"int16", "int24", "float32"}),
        ({"outputs": ["stems", "score"]}, {"midi", "stems"}),
    ],
)
async def test_a_value_outside_a_fixed_set_is_answered_with_the_set(
    api: Api, fields: dict[str, object], choices: set[str]
) -> None:
    async with api.post(GENERATE, json={"prompt": "a", **fields}) as response:
        detail = (await problem(response))["detail"]
    assert set(detail.partition("Choose from ")[2].removesuffix(".").split(", ")) == choices


async def test_a_query_value_outside_a_fixed_set_is_answered_with_the_set(api: Api) -> None:
    async with api.get("/api/v1/jobs?status=done") as response:
        assert "Choose from queued, processing, completed, failed, cancelled." in (await problem(response))["detail"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
async def test_a_malformed_idempotency_key_is_refused(api: Api, key: str) -> None:
    async with api.post(GENERATE, json={"prompt": "a"}, headers={"Idempotency-Key": key}) as response:
        assert response.status == 422
        assert (await problem(response))["errors"][0]["field"] == "Idempotency-Key"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(GenerateRequest.__struct_fields__), json_values)
def test_field_error_extracts_the_field_from_a_msgspec_error(name: str, value: object) -> None:
    try:
        msgspec.json.decode(msgspec.json.encode({name: value}), type=GenerateRequest)
    except msgspec.ValidationError as error:
        found = field_error(str(error))
        assert found.field.startswith(name)
        assert found.message
        assert "$" not in found.message or "$" in str(value)


@given(st.text())
def test_field_error_accepts_any_text(text: str) -> None:
    assert field_error(text).message in text


@given(st.dictionaries(st.sampled_from(GenerateRequest.__struct_fields__), json_values))
def test_the_lenient_decoder_agrees_with_the_strict_one(fields: dict[str, Any]) -> None:
    """A body that msgspec accepts decodes to the same request with floats and nulls in it."""
    try:
        strict = msgspec.json.decode(msgspec.json.encode(fields), type=GenerateRequest)
    except msgspec.ValidationError:
        return
    spelled = {name: float(value) if type(value) is int else value for name, value in fields.items()}
    left_out = {name: None for name in GenerateRequest.__struct_fields__ if name not in fields}
    assert decode_json(json.dumps(spelled | left_out).encode(), GenerateRequest) == strict
