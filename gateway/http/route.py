"""One operation of the REST API, as the router and the OpenAPI document need it."""

from http import HTTPStatus
from typing import Any

import msgspec

from gateway.http.middleware import Handler


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation.

    Attributes:
        operation_id: its name in /openapi.json and in generated clients. Never change it.
        endpoint: its key in the `endpoints` of GET /, or None to omit it.
        body: the struct of a JSON body.
        file_types: media types of a file as the body.
        responses: status to the struct or media type of the body; a tuple if the Accept header selects one of several;
            None without a body.
        problems: the statuses of its problem details, besides those of authentication.
        headers: the request headers that it evaluates.
        is_public: whether it needs no API key.
    """

    method: str
    path: str
    handler: Handler
    operation_id: str
    endpoint: str | None = None
    summary: str
    description: str
    body: type[msgspec.Struct] | None = None
    file_types: tuple[str, ...] = ()
    query: type[msgspec.Struct] | None = None
    responses: dict[int, Any]
    problems: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()
    is_public: bool = False

    @property
    def is_stream(self) -> bool:
        """Whether its answer ends with a job, so that a HEAD request would never be answered."""
        return "text/event-stream" in self.responses.values()

    @property
    def is_websocket(self) -> bool:
        return HTTPStatus.SWITCHING_PROTOCOLS in self.responses

    @property
    def all_problems(self) -> tuple[int, ...]:
        """`problems`, and those of authentication and rate limits."""
        return self.problems if self.is_public else tuple(sorted({*self.problems, 401, 429}))
