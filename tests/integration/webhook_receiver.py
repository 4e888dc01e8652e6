"""A receiver of webhooks that fails as the test wants, and remembers what it got."""

import base64
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

SECRET = f"whsec_{base64.b64encode(b's' * 32).decode()}"
SETTINGS = {
    "WEBHOOK_SECRETS": f"default:{SECRET}",
    "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "WEBHOOK_FIRST_PAUSE": "0.05",
}


class Receiver:
    """What has arrived.

    Attributes:
        url: to be called.
        accepted: the `seq` of each event that was answered with 204, by job, in order.
        attempts: all requests.
    """

    def __init__(self, status: Callable[[dict[str, Any]], int]) -> None:
        self.url = ""
        self.accepted: defaultdict[str, list[int]] = defaultdict(list)
        self.kinds: defaultdict[str, list[str]] = defaultdict(list)
        self.attempts = 0
        self._status = status
        self._verifier = Webhook(SECRET)

    async def take(self, request: web.Request) -> web.Response:
        """Verify with the reference library, and answer as the test wants."""
        body, self.attempts = await request.read(), self.attempts + 1
        self._verifier.verify(body, {name.lower(): value for name, value in request.headers.items()})
        event: dict[str, Any] = json.loads(body)["data"]
        status = self._status(event)
        if status == 204:
            self.accepted[event["job_id"]].append(event["seq"])
            self.kinds[event["job_id"]].append(event["type"])
        return web.Response(status=status)

    def first_arrivals(self, job_id: str) -> list[int]:
        """The numbers of a job's events, without repetitions."""
        return list(dict.fromkeys(self.accepted[job_id]))


@asynccontextmanager
async def receiving(status: Callable[[dict[str, Any]], int] = lambda event: 204) -> AsyncIterator[Receiver]:
    receiver = Receiver(status)
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver
