"""Bad input is a 4xx that names the field, whatever it is."""

import gzip
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse
from hypothesis import given
from hypothesis import strategies as st

from gateway.api import GenerateRequest
from gateway.validation import MAX_BODY, field_error
from tests.unit.gateway.conftest import Api

GENERATE = "/api/v1/generate"
JSON = {"Content-Type": "application/json"}


async def problem(response: ClientResponse) -> dict[str, Any]:
    """The problem that the answer tells of, which is whole."""
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
        ('{"prompt": ' + "[" * 50_000, "prompt"),
        ('{"prompt": "' + "x" * 501 + '"}', "prompt"),
        ('{"prompt": "a", "duration": "8"}', "duration"),
        ('{"prompt": "a", "duration": 0.49}', "duration"),
        ('{"prompt": "a", "duration": 121}', "duration"),
        ('{"prompt": "a", "duration": -1}', "duration"),
        ('{"prompt": "a", "duration": 1e999}', "duration"),
        ('{"prompt": "a", "temperature": 0.09}', "temperature"),
        ('{"prompt": "a", "temperature": 2.01}', "temperature"),
        ('{"prompt": "a", "temperature": null}', "temperature"),
        ('{"prompt": "a", "top_k": -1}', "top_k"),
        ('{"prompt": "a", "top_k": 1001}', "top_k"),
        ('{"prompt": "a", "top_k": 1.5}', "top_k"),
        ('{"prompt": "a", "top_p": 1.01}', "top_p"),
        ('{"prompt": "a", "top_p": true}', "top_p"),
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
async def test_a_field_that_breaks_a_rule_is_named(api: Api, body: str, field: str) -> None:
    assert await refused_fields(api, body.encode()) == [field]


@pytest.mark.parametrize("body", ["[" * 60_000, "[]", '"prompt"', "1", "null", "true"])
async def test_json_that_is_no_object_is_refused_without_naming_a_field(api: Api, body: str) -> None:
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
        b"\xef\xbb\xbf{}",
        b'{"prompt": "\xff"}',
        b'{"a\xff": 1}',
        b"\x1f\x8b\x08\x00",
    ],
)
async def test_a_body_that_is_no_json_is_a_400(api: Api, body: bytes) -> None:
    async with api.post(GENERATE, data=body, headers=JSON) as response:
        assert response.status == 400
        assert "JSON" in (await problem(response))["detail"]


@pytest.mark.parametrize("path", [GENERATE, "/api/v1/prompt/build"])
async def test_a_body_beyond_the_limit_is_a_413(api: Api, path: str) -> None:
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
async def test_another_type_or_encoding_is_a_415(api: Api, headers: dict[str, str]) -> None:
    body = b'{"prompt": "a"}'
    if headers.get("Content-Encoding") == "gzip":
        body = gzip.compress(body)
    async with api.post(GENERATE, data=body, headers=headers) as response:
        assert response.status == 415
        await problem(response)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_a_good_request_is_read_and_only_nats_is_missing(api: Api, content_type: str) -> None:
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
        ("/api/v1/jobs?page=2", "page"),
        ("/api/v1/prompt/random?complexity=hard", "complexity"),
        ("/api/v1/download/gen_000000000000?proxy=perhaps", "proxy"),
    ],
)
async def test_a_query_parameter_that_breaks_a_rule_is_named(api: Api, path: str, field: str) -> None:
    async with api.get(path) as response:
        assert response.status == 422
        assert [error["field"] for error in (await problem(response))["errors"]] == [field]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
async def test_an_idempotency_key_that_is_no_token_is_refused(api: Api, key: str) -> None:
    async with api.post(GENERATE, json={"prompt": "a"}, headers={"Idempotency-Key": key}) as response:
        assert response.status == 422
        assert (await problem(response))["errors"][0]["field"] == "Idempotency-Key"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(GenerateRequest.__struct_fields__), json_values)
def test_field_error_names_the_field_that_msgspec_complains_of(name: str, value: object) -> None:
    try:
        msgspec.json.decode(msgspec.json.encode({name: value}), type=GenerateRequest)
    except msgspec.ValidationError as error:
        found = field_error(str(error))
        assert found.field.startswith(name)
        assert found.message
        assert "$" not in found.message or "$" in str(value)


@given(st.text())
def test_field_error_takes_any_text(text: str) -> None:
    assert field_error(text).message in text
