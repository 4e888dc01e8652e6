"""A fake S3 for downloads, with configurable faults."""

from aiohttp import web

from tests.unit.gateway.samples import AUDIO


class Bucket:
    """The requests of S3 that a download needs.

    Attributes:
        data: the content of every object.
        contents: the content of single objects in its place, by name; None if the object is missing.
        status: the status to respond with, if not 200.
        missing: abort this many bytes before the end.
        withheld: omit this many bytes of a range.
        exists: whether the bucket exists.
        asked: method and range of each object request.
    """

    def __init__(self) -> None:
        self.data, self.status, self.missing, self.withheld, self.exists = AUDIO, 200, 0, 0, True
        self.contents: dict[str, bytes | None] = {}
        self.asked: list[tuple[str, str | None]] = []

    async def look(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if self.exists else 404)

    async def get(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.headers.get("Range")))
        if self.missing:
            return await self._break_off(request)
        if self.status != 200:
            return web.Response(status=self.status, text="<Error/>")
        wanted, data = request.http_range, self.contents.get(request.match_info["name"], self.data)
        if data is None:
            return web.Response(status=404, text="<Error/>")
        body, size = data[wanted], len(data)
        headers = {"Content-Type": "audio/wav", "ETag": '"e"', "x-amz-id-2": "internal"}
        if wanted.start is None:
            return web.Response(body=body, headers=headers)
        if not body:
            return web.Response(status=416, text="<Error/>", headers={"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {wanted.start}-{wanted.start + len(body) - 1}/{size}"
        return web.Response(status=206, body=body[self.withheld :], headers=headers)

    async def _break_off(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(self.data)), "ETag": '"e"'})
        await response.prepare(request)
        await response.write(self.data[: -self.missing])
        assert request.transport is not None
        request.transport.close()
        return response
