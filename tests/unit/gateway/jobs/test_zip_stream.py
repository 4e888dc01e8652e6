"""Streamed ZIP files, read by Python's own reader and by unzip."""

import io
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from gateway.jobs.zip_stream import Member, zip_chunks, zip_length

NOON = datetime(2026, 1, 2, 12, 34, 57, tzinfo=UTC)


def member(path: str, *chunks: bytes, error: Exception | None = None, log: list[str] | None = None) -> Member:
    @asynccontextmanager
    async def opened() -> AsyncIterator[AsyncIterator[bytes]]:
        async def content() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk
            if error is not None:
                raise error

        try:
            yield content()
        finally:
            if log is not None:
                log.append(path)

    return Member(path, sum(map(len, chunks)), opened)


async def packed(*members: Member, modified: datetime = NOON) -> bytes:
    return b"".join([chunk async for chunk in zip_chunks(members, modified)])


MEMBERS = (
    member("a_gen_1/audio.wav", b"RIFF", bytes(300_000), b"end"),
    member("a_gen_1/empty.json"),
    member("a_gen_1/strings.wav", *[bytes([number]) for number in range(256)]),
)


async def test_the_archive_has_every_file_and_its_length_is_known() -> None:
    data = await packed(*MEMBERS)
    assert len(data) == zip_length(MEMBERS, NOON)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [each.path for each in MEMBERS]
        assert archive.read("a_gen_1/audio.wav") == b"RIFF" + bytes(300_000) + b"end"
        assert archive.read("a_gen_1/empty.json") == b""
        assert archive.read("a_gen_1/strings.wav") == bytes(range(256))


async def test_unzip_reads_the_archive(tmp_path: Path) -> None:
    if not (unzip := shutil.which("unzip")):
        pytest.skip("needs unzip: apt-get install unzip")
    (tmp_path / "bundle.zip").write_bytes(await packed(*MEMBERS))
    found = subprocess.run([unzip, "-t", "bundle.zip"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "No errors detected" in found.stdout
    subprocess.run([unzip, "-q", "bundle.zip"], cwd=tmp_path, check=True)
    assert (tmp_path / "a_gen_1/strings.wav").read_bytes() == bytes(range(256))
    assert (tmp_path / "a_gen_1/strings.wav").stat().st_mode == 0o100644


@pytest.mark.parametrize("program", [("bsdtar", "-tf"), ("7z", "t")])
async def test_other_readers_read_the_archive(program: tuple[str, str], tmp_path: Path) -> None:
    if not (found := shutil.which(program[0])):
        pytest.skip("needs bsdtar and 7z: apt-get install libarchive-tools p7zip-full")
    (tmp_path / "bundle.zip").write_bytes(await packed(*MEMBERS))
    subprocess.run([found, program[1], "bundle.zip"], cwd=tmp_path, check=True, capture_output=True)


async def test_the_same_files_and_time_give_the_same_bytes() -> None:
    berlin = NOON.astimezone(timezone(timedelta(hours=1)))
    assert await packed(*MEMBERS) == await packed(*MEMBERS, modified=berlin)
    with zipfile.ZipFile(io.BytesIO(await packed(*MEMBERS))) as archive:
        # The format counts in steps of two seconds.
        assert {info.date_time for info in archive.infolist()} == {(2026, 1, 2, 12, 34, 56)}


@pytest.mark.parametrize("year", [1970, 9999])
async def test_a_time_that_the_format_cannot_express_is_replaced_by_the_nearest(year: int) -> None:
    data = await packed(*MEMBERS, modified=datetime(year, 1, 1, tzinfo=UTC))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {min(max(year, 1980), 2107)}


@pytest.mark.parametrize("count", [1, 3])
async def test_content_beyond_32_bits_has_a_known_length(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit of a thousand bytes in place of two gigabytes."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    members = [member(f"{number}.wav", bytes(960), bytes(number * 100)) for number in range(count)]
    assert len(await packed(*members)) == zip_length(members, NOON)
    assert zip_length([Member("long.wav", 5 * 2**30, members[0].opened)], NOON) > 5 * 2**30


async def test_an_error_leaves_an_archive_without_an_end_and_closes_the_file() -> None:
    log: list[str] = []
    members = (
        member("a", b"1", log=log),
        member("b", b"2", error=OSError("lost"), log=log),
        member("c", b"3", log=log),
    )
    received = io.BytesIO()

    async def receive() -> None:
        async for chunk in zip_chunks(members, NOON):
            received.write(chunk)

    with pytest.raises(OSError, match="lost"):
        await receive()
    assert log == ["a", "b"]
    assert received.getvalue().endswith(b"2")
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(received)


async def test_a_reader_that_goes_away_closes_the_open_file() -> None:
    log: list[str] = []
    async with aclosing(zip_chunks((member("a", b"1", b"2", log=log), member("b", b"3", log=log)), NOON)) as chunks:
        assert (await anext(chunks)).endswith(b"1")
        assert log == []
    assert log == ["a"]
