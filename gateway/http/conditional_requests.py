"""What a request makes conditional, and which bytes it wants (RFC 9110, sections 13 and 14)."""

import re
from datetime import datetime
from http import HTTPStatus

from aiohttp import web
from aiohttp.helpers import ETAG_ANY

from gateway.problems import Problem

_RANGE = re.compile(r"bytes=(\d{0,4000})-(\d{0,4000})", re.IGNORECASE | re.ASCII)


def evaluate_preconditions(request: web.Request, etag: str, modified: datetime) -> HTTPStatus | None:
    """304 or 412 if the request is not to be answered with the content; section 13.2.2 has the order.

    Args:
        request: a GET or HEAD.
        etag: strong, without its quotes.
        modified: in whole seconds.
    """
    if request.if_match is not None:
        if not any(each.value in (etag, ETAG_ANY) and not each.is_weak for each in request.if_match):
            return HTTPStatus.PRECONDITION_FAILED
    elif request.if_unmodified_since is not None and modified > request.if_unmodified_since:
        return HTTPStatus.PRECONDITION_FAILED
    if request.if_none_match is not None:
        if any(each.value in (etag, ETAG_ANY) for each in request.if_none_match):
            return HTTPStatus.NOT_MODIFIED
    elif request.if_modified_since is not None and modified <= request.if_modified_since:
        return HTTPStatus.NOT_MODIFIED
    return None


def requested_range(request: web.Request, etag: str, size: int) -> range | None:
    """The bytes that are asked for; None for the whole: if none are, several ranges, or what cannot be understood.

    Raises:
        Problem: 416 if the file has no such bytes.
    """
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    # A date is no strong validator: two files of the same second have the same one.
    if request.method != "GET" or asked is None or request.headers.get("If-Range", f'"{etag}"').strip() != f'"{etag}"':
        return None
    first, last = asked.groups()
    if not (first or last) or (first and last and int(last) < int(first)):
        return None  # section 14.1.1: invalid, and ignored
    start = int(first) if first else max(size - int(last), 0)
    found = range(size)[start : int(last) + 1 if first and last else size]
    if not found:
        raise Problem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"The file has {size} bytes and not those that are asked for.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return found
