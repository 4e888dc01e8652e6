"""Uploaded files: checked by content in a sandboxed process, stored, described, limited, and removed."""

import asyncio
import base64
import hashlib
import io
import os
import re
import struct
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np
import psutil
import pytest
import soundfile

from gateway.http.handlers import audio as handler
from gateway.uploads import sandbox
from gateway.uploads.uploads import Uploads
from shared.errors import UnavailableError
from shared.storage import Storage
from shared.uploaded_files import MAX_UPLOAD_BYTES, UPLOADS_PREFIX, uploads_of
from tests.integration.system import Api, System, eventually
from tests.unit.gateway.samples import DAW, bearer
from tests.uploads import FILES, RATE, TYPES, audio, midi

PATH = "/api/v1/audio"
KEYS = {"API_KEYS": f"daw:{DAW},other:another-key-of-24-letters"}
OTHER = "another-key-of-24-letters"


async def post(api: Api, data: Any, kind: str = "audio/wav", **headers: str) -> tuple[int, dict[str, Any]]:
    async with api.http.post(PATH, data=data, headers={"Content-Type": kind} | headers) as response:
        return response.status, await response.json()


async def stored(system: System, prefix: str = UPLOADS_PREFIX) -> set[str]:
    return {each.key for each in await system.storage().page("", prefix)}


@pytest.fixture
async def api(system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """A gateway whose store gains no file by a refused upload, and whose temporary folder stays empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield await system.gateway()
    assert list(folder.iterdir()) == []
    assert not [
        child for child in psutil.Process().children() if "gateway.uploads.decoder" in " ".join(child.cmdline())
    ]


@pytest.fixture
async def nothing_stored(system: System) -> AsyncIterator[None]:
    before = await stored(system)
    yield
    assert await stored(system) == before


@pytest.mark.parametrize("name", FILES)
async def test_a_file_is_described_and_stored_as_it_is(system: System, api: Api, name: str) -> None:
    status, answer = await post(api, FILES[name], TYPES[name])
    assert status == 200, answer
    assert re.fullmatch(r"aud_[a-z0-9]{12}", answer["audio_id"])
    assert answer["kind"] == ("midi" if name == "mid" else "audio")
    assert (answer["format"], answer["size"]) == (name, len(FILES[name]))
    assert answer["sha256"] == hashlib.sha256(FILES[name]).hexdigest()
    assert (answer["sample_rate"], answer["channels"]) == ((None, None) if name == "mid" else (RATE, 1))
    assert answer["duration"] == pytest.approx(2.0 if name == "mid" else 0.5, abs=0.1)
    async with api.http.get(f"{PATH}/{answer['audio_id']}") as response:
        assert (response.status, await response.json()) == (200, answer)
    url = system.storage().internal_url("GET", uploads_of(None) + answer["audio_id"])
    async with aiohttp.request("GET", url) as response:
        assert await response.read() == FILES[name]
        assert response.content_type == TYPES[name]
    async with api.http.delete(f"{PATH}/{answer['audio_id']}") as response:
        assert response.status == 200
    for method in ("GET", "DELETE"):
        async with api.http.request(method, f"{PATH}/{answer['audio_id']}") as response:
            assert response.status == 404
    assert uploads_of(None) + answer["audio_id"] not in await stored(system)


@pytest.mark.parametrize("kind", ["audio/mpeg", "audio/x-anything", "application/octet-stream"])
async def test_the_content_decides_the_type_and_not_the_header(api: Api, kind: str) -> None:
    status, answer = await post(api, FILES["flac"], kind)
    assert (status, answer["format"]) == (200, "flac")


async def test_a_form_is_as_good_as_a_body(api: Api) -> None:
    form = aiohttp.FormData({"comment": "my take"})
    form.add_field("file", FILES["ogg"], filename="../../take.wav", content_type="audio/wav")
    async with api.http.post(PATH, data=form) as response:
        answer = await response.json()
        assert response.status == 200, answer
    assert (answer["format"], answer["sha256"]) == ("ogg", hashlib.sha256(FILES["ogg"]).hexdigest())


@pytest.mark.usefixtures("nothing_stored")
async def test_a_form_without_the_file_is_refused(api: Api) -> None:
    form = aiohttp.FormData()
    form.add_field("take", FILES["wav"], filename="take.wav")
    async with api.http.post(PATH, data=form) as response:
        answer = await response.json()
    assert (response.status, answer["errors"][0]["field"]) == (422, "file")
    async with api.http.post(
        PATH, data=b"--x\r\n\r\nbroken", headers={"Content-Type": "multipart/form-data; boundary=y"}
    ) as response:
        assert response.status == 400
    broken = b'--y\r\nContent-Disposition: form-data; name="\x1a"\r\n\r\n\r\n--y--\r\n'
    async with api.http.post(
        PATH, data=broken, headers={"Content-Type": "multipart/form-data; boundary=y"}
    ) as response:
        assert response.status == 400


async def test_chunks_of_one_byte_arrive(api: Api) -> None:
    async def bytes_of() -> AsyncIterator[bytes]:
        for number in FILES["mid"]:
            yield bytes([number])

    status, answer = await post(api, bytes_of(), "audio/midi")
    assert (status, answer["sha256"]) == (200, hashlib.sha256(FILES["mid"]).hexdigest())


def flac_bomb() -> bytes:
    """Twelve minutes of silence in a small file."""
    target = io.BytesIO()
    with soundfile.SoundFile(target, "w", 48_000, 8, "PCM_16", format="FLAC") as file:
        for _ in range(12):
            file.write(np.zeros((48_000 * 60, 8), np.int16))
    return target.getvalue()


def lying_wav(**changes: int) -> bytes:
    data = bytearray(audio("wav"))
    fields = {"channels": 22, "rate": 24}
    for name, value in changes.items():
        struct.pack_into("<H" if name == "channels" else "<I", data, fields[name], value)
    return bytes(data)


REFUSED: dict[str, tuple[bytes, int, str]] = {
    "text": (b"Lorem ipsum dolor sit amet", 415, "none of WAV"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), 415, "none of WAV"),
    "an AVI film": (b"RIFF\x00\x01\x00\x00AVI " + bytes(100), 415, "none of WAV"),
    "two bytes": (b"ab", 415, "none of WAV"),
    "nothing": (b"", 422, "empty"),
    "a head alone": (FILES["wav"][:12], 422, "no valid wav"),
    "no samples": (audio("wav", 0), 422, "no audio"),
    "a flac that is cut off": (audio("flac", 4)[:-2000], 422, "cut off"),
    "a head of flac and noise": (FILES["flac"][:42] + os.urandom(5000), 422, ""),
    "a head of ogg and noise": (FILES["ogg"][:60] + os.urandom(5000), 422, ""),
    "an id3 tag and noise": (b"ID3\x04\x00\x00\x00\x00\x00\x0a" + os.urandom(5000), 422, ""),
    "a flac of twelve minutes": (flac_bomb(), 422, "longer than 10 minutes"),
    "255 channels": (lying_wav(channels=255), 422, "no valid wav|255 channels"),
    "no rate": (lying_wav(rate=0), 422, ""),
    "a rate of 4 GHz": (lying_wav(rate=2**32 - 1), 422, ""),
    "a midi that is cut off": (FILES["mid"][:-20], 422, "no valid MIDI"),
    "a midi without notes": (midi(0), 422, "no notes"),
    "a midi of an hour": (midi(7200), 422, "longer than 10 minutes"),
    "independent midi sequences": (midi(4, type=2), 422, "no valid MIDI"),
    "a large midi": (FILES["mid"] + bytes(5_000_000), 422, "larger than 4 MiB"),
}


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_usable_file_is_refused_with_the_reason(api: Api, case: str) -> None:
    data, status, words = REFUSED[case]
    found, answer = await post(api, io.BytesIO(data))
    assert found == status, answer
    assert re.search(words, answer["detail"]), answer["detail"]


@pytest.mark.usefixtures("nothing_stored")
async def test_headers_alone_refuse_what_need_not_be_sent(api: Api) -> None:
    for headers, status in (
        ({"Content-Type": "audio/wav"}, 411),
        ({"Content-Type": "text/plain", "Content-Length": "9"}, 415),
        ({"Content-Type": "application/json", "Content-Length": "9"}, 415),
        ({"Content-Type": "audio/wav", "Content-Encoding": "gzip", "Content-Length": "9"}, 415),
        ({"Content-Type": "audio/wav", "Content-Length": str(MAX_UPLOAD_BYTES + 70_000)}, 413),
        ({"Content-Type": "audio/wav", "Content-Digest": "sha-256=:short:", "Content-Length": "9"}, 422),
    ):
        assert await raw(api, headers) == status, headers


async def raw(api: Api, headers: dict[str, str], body: bytes = b"") -> int:
    """The status of a request of which only this part of the body is ever sent."""
    address = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    lines = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": "localhost"} | headers).items())
    writer.write(f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode() + body)
    try:
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()


@pytest.mark.usefixtures("nothing_stored")
async def test_a_body_that_grows_too_large_is_refused(api: Api) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield FILES["wav"]
        while True:
            yield bytes(1 << 20)

    try:
        status, _ = await post(api, endless())
    except aiohttp.ClientError:
        return  # the gateway answered, and closed while this client was still sending
    assert status == 413


async def test_a_checksum_is_compared(api: Api) -> None:
    right = base64.b64encode(hashlib.sha256(FILES["wav"]).digest()).decode()
    wrong = base64.b64encode(bytes(32)).decode()
    status, answer = await post(api, FILES["wav"], **{"Content-Digest": f"md5=:AAAA:, sha-256=:{wrong}:"})
    assert (status, "SHA-256" in answer["detail"]) == (422, True)
    assert (await post(api, FILES["wav"], **{"Content-Digest": f"sha-256=:{right}:"}))[0] == 200


@pytest.mark.usefixtures("nothing_stored")
async def test_a_client_that_leaves_in_the_middle_leaves_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads, arrived = api.services.uploads, asyncio.Event()
    body = handler._body

    async def watched(request: Any) -> AsyncIterator[bytes]:
        async for chunk in body(request):
            arrived.set()
            yield chunk

    monkeypatch.setattr(handler, "_body", watched)
    address = urlsplit(api.url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: audio/wav\r\nContent-Length: 1000000\r\n\r\n"
    writer.write(head.encode() + FILES["wav"])
    await arrived.wait()
    assert uploads._places._value == 2
    writer.transport.abort()

    async def is_free() -> bool:
        return uploads._places._value == 3

    await eventually(is_free, "the place of the upload is free again")


@pytest.mark.usefixtures("nothing_stored")
async def test_a_client_that_leaves_while_its_file_is_stored_leaves_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing, go_on, removed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    put, remove, store = Storage.put_uploaded, Storage.remove_uploaded, Uploads._store
    handling: list[asyncio.Task[Any]] = []

    async def of_handler(*arguments: Any) -> Any:
        handling.append(asyncio.current_task())  # type: ignore[arg-type]
        return await store(*arguments)

    async def slow(*arguments: Any) -> None:
        await put(*arguments)
        storing.set()
        await go_on.wait()

    async def noted(*arguments: Any) -> None:
        await remove(*arguments)
        removed.set()

    monkeypatch.setattr(Uploads, "_store", of_handler)
    monkeypatch.setattr(Storage, "put_uploaded", slow)
    monkeypatch.setattr(Storage, "remove_uploaded", noted)
    leaving = asyncio.create_task(post(api, FILES["wav"]))
    await storing.wait()
    leaving.cancel()

    async def is_noticed() -> bool:
        return handling[0].cancelling() > 0

    await eventually(is_noticed, "the gateway notices that the client is gone")
    go_on.set()
    await removed.wait()


@pytest.mark.usefixtures("nothing_stored")
async def test_a_store_that_is_away_is_reported_and_leaves_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Storage.put_uploaded

    async def lost(*arguments: Any) -> None:
        await put(*arguments)
        raise UnavailableError("S3 is away: the answer was lost")

    monkeypatch.setattr(Storage, "put_uploaded", lost)
    assert (await post(api, FILES["wav"]))[0] == 503


@pytest.mark.usefixtures("nothing_stored")
@pytest.mark.parametrize("program", ["while True: pass", "import os; os.kill(os.getpid(), 9)", "print('{}' * 9999)"])
async def test_a_decoder_that_is_taken_over_costs_only_its_upload(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    (tmp_path / "taken_over.py").write_text(program)
    monkeypatch.setattr(sandbox, "WALL_SECONDS", 1.0)
    taken_over = sandbox.EXAMINE._replace(arguments=(str(tmp_path / "taken_over.py"),))
    monkeypatch.setattr(sandbox, "EXAMINE", taken_over)
    status, answer = await post(api, FILES["wav"])
    assert (status, "The file was not stored" in answer["detail"]) == (422, True)


async def test_several_files_at_once_are_all_stored(system: System, api: Api) -> None:
    answers = await asyncio.gather(*(post(api, FILES[name]) for name in (*FILES, *FILES)))
    assert [status for status, _ in answers] == [200] * 10
    assert {uploads_of(None) + answer["audio_id"] for _, answer in answers} <= await stored(system)


async def test_a_key_sees_only_its_own_files_and_has_a_limit(system: System) -> None:
    api = await system.gateway(**KEYS, KEY_UPLOAD_BYTES=str(2 * len(FILES["wav"])))
    mine, theirs = bearer(DAW), bearer(OTHER)
    before = await stored(system, uploads_of("daw"))
    assert not before
    status, answer = await post(api, FILES["wav"], **mine)
    assert status == 200
    for method in ("GET", "DELETE"):
        async with api.http.request(method, f"{PATH}/{answer['audio_id']}", headers=theirs) as response:
            assert response.status == 404
    assert (await post(api, FILES["wav"], **mine))[0] == 200
    status, refused = await post(api, FILES["wav"], **mine)
    assert (status, "Delete some" in refused["detail"]) == (429, True)
    assert (await post(api, FILES["wav"], **theirs))[0] == 200
    async with api.http.delete(f"{PATH}/{answer['audio_id']}", headers=mine) as response:
        assert response.status == 200
    assert (await post(api, FILES["wav"], **mine))[0] == 200


@pytest.mark.parametrize("audio_id", ["aud_000000000000", "aud_..%2F..%2Fjobs", "gen_abc123456789", "aud_", "a" * 5000])
async def test_an_unknown_file_is_not_found(api: Api, audio_id: str) -> None:
    async with api.http.get(f"{PATH}/{audio_id}") as response:
        assert response.status == 404


async def test_the_gateways_keys_write_uploads_only(system: System) -> None:
    storage = Storage(system.settings("gateway"))
    await storage.put_uploaded(f"{UPLOADS_PREFIX}no.key/aud_trial", io.BytesIO(b"x"), 1, "audio/wav", {})
    await storage.remove_uploaded(f"{UPLOADS_PREFIX}no.key/aud_trial")
    for key in ("jobs/gen_abc123456789/audio.wav", "other", "uploads"):
        with pytest.raises(UnavailableError):
            await storage.put_uploaded(key, io.BytesIO(b"x"), 1, "audio/wav", {})
    with pytest.raises(UnavailableError):
        await storage.remove_uploaded("jobs/gen_abc123456789/audio.wav")
