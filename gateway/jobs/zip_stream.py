"""ZIP files as a stream of known length: each file is added as its content arrives, and nothing is compressed."""

import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import NamedTuple

# Times that the format can express.
EARLIEST, LATEST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
# The rights of an unpacked file: its owner may write it, all may read it.
RIGHTS = 0o100644


class Member(NamedTuple):
    """A file of the archive: its path, its exact length in bytes, and how to open its content."""

    path: str
    size: int
    opened: Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]


async def zip_chunks(members: Sequence[Member], modified: datetime) -> AsyncGenerator[bytes, None]:
    """The archive's bytes. The same members and time give the same bytes.

    Errors of a member's content propagate; the archive then has no end, so that no reader takes it for a whole one.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for member in members:
            async with member.opened() as content:
                with archive.open(_info(member, modified), "w") as file:
                    async for chunk in content:
                        file.write(chunk)
                        yield sink.take()
    yield sink.take()


def zip_length(members: Sequence[Member], modified: datetime) -> int:
    """The length of the archive in bytes: it is written without its content, which is counted instead."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for member in members:
            info = _info(member, modified)
            with archive.open(info, "w"):
                sink.position += member.size
            info.file_size = info.compress_size = member.size
            sink.take()
    return sink.position


def _info(member: Member, modified: datetime) -> zipfile.ZipInfo:
    time = min(max(modified.astimezone(UTC), EARLIEST), LATEST)
    info = zipfile.ZipInfo(member.path, time.timetuple()[:6])
    info.create_system = 3  # Unix, whose rights these are, whichever system runs the gateway
    info.external_attr = RIGHTS << 16
    info.file_size = member.size  # decides whether the 64-bit format is needed
    return info


class _Sink:
    """Collects what ZipFile writes. It cannot seek, so ZipFile writes sizes and checksums behind the content."""

    def __init__(self) -> None:
        self.position = 0
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(data)
        self.position += len(data)
        return len(data)

    def tell(self) -> int:
        return self.position

    def flush(self) -> None:
        """There is nothing to flush."""

    def close(self) -> None:
        """There is nothing to close."""

    def take(self) -> bytes:
        """What was written since the last call."""
        data = b"".join(self._written)
        self._written.clear()
        return data
