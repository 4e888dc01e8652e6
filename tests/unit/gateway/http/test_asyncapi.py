"""The AsyncAPI document against the specification's own schema."""

import json
import re

import pytest
from jsonschema import Draft7Validator

from gateway.http.asyncapi import make_asyncapi
from shared.messages import encode
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.http.test_page_build import WEB

DOCUMENT = json.loads(encode(make_asyncapi()))
SPECIFICATION = WEB / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0-without-$id.json"


@pytest.mark.skipif(not SPECIFICATION.is_file(), reason="needs the page's packages: run `just web`")
def test_the_document_is_valid_asyncapi_3() -> None:
    errors = Draft7Validator(json.loads(SPECIFICATION.read_text())).iter_errors(DOCUMENT)
    assert [f"{error.json_path}: {error.message[:200]}" for error in errors] == []


def test_every_reference_leads_somewhere() -> None:
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT))):
        found = DOCUMENT
        for part in reference.split("/"):
            found = found[part]
        assert found, reference


def test_every_parameter_of_an_address_is_described() -> None:
    for channel in DOCUMENT["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel.get("parameters", {}))


async def test_the_gateway_serves_the_document_with_an_etag(api: Api) -> None:
    async with api.get("/asyncapi.json") as response:
        assert (response.status, await response.json()) == (200, DOCUMENT)
        tag = response.headers["ETag"]
    async with api.get("/asyncapi.json", headers={"If-None-Match": tag}) as response:
        assert response.status == 304
