"""Conditional requests and range requests (RFC 9110, sections 13 and 14)."""

import re
from datetime import datetime
from http import HTTPStatus

from aiohttp import web
from aiohttp.helpers import ETAG_ANY

from gateway.problems import Problem

_RANGE = re.compile(r"bytes=(\d{0,4000})-(\d{0,4000})", re.IGNORECASE | re.ASCII)


def evaluate_preconditions(request: web.Request, etag: str, modified: datetime) -> HTTPStatus | None:
    """Evaluate the preconditions in the order of section 13.2.2.

    Args:
        request: a GET or HEAD request.
        etag: the strong entity tag, without quotes.
        modified: the modification time, in whole seconds.

    Returns:
        304 or 412, or None if the response is the content.
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
    """The requested bytes; None for the whole file: without a Range, or with several ranges or a malformed one.

    Raises:
        Problem: 416 if the range lies outside the file.
    """
    requested = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    # In If-Range, a date is not a strong validator: two files of the same second share it.
    if (
        request.method != "GET"
        or requested is None
        or request.headers.get("If-Range", f'"{etag}"').strip() != f'"{etag}"'
    ):
        return None
    first, last = requested.groups()
    if not (first or last) or (first and last and int(last) < int(first)):
        return None  # section 14.1.1: an invalid range is ignored
    start = int(first) if first else max(size - int(last), 0)
    selected = range(size)[start : int(last) + 1 if first and last else size]
    if not selected:
        raise Problem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"The requested range lies outside the file, which has {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return selected
