"""The prompt builder: prompts from components and back, random prompts, and the vocabulary."""

import random

from aiohttp import web

from gateway.http.requests import read_body, read_query
from gateway.http.responses import json_response
from gateway.jobs.recipes import clean_prompt, reject_control_characters
from gateway.problems import FieldError, invalid
from gateway.prompts import VOCABULARY, ComponentError, PromptComponents, build_prompt, parse_prompt, random_components
from gateway.schemas import ParseRequest, RandomQuery

_source = random.SystemRandom()


async def build(request: web.Request) -> web.Response:
    """POST /api/v1/prompt/build."""
    components = await read_body(request, PromptComponents)
    try:
        built = build_prompt(components)
    except ComponentError as error:
        raise invalid(FieldError(error.field, str(error))) from error
    for name, part in built.components.items():
        reject_control_characters(name, part)
    return json_response(built)


async def parse(request: web.Request) -> web.Response:
    """POST /api/v1/prompt/parse."""
    body = await read_body(request, ParseRequest)
    return json_response(parse_prompt(clean_prompt(body.prompt, "Describe the music in words.")))


async def random_prompt(request: web.Request) -> web.Response:
    """GET /api/v1/prompt/random."""
    query = read_query(request, RandomQuery)
    return json_response(build_prompt(random_components(query.complexity, _source)))


async def vocabulary(request: web.Request) -> web.Response:
    """GET /api/v1/prompt/vocabulary."""
    return json_response(VOCABULARY)
