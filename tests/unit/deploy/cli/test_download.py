"""Saving the files of a finished job, from a gateway whose answers the test chooses."""

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from musicgen_client import Ignored, JobStatus, JobView, Measured, Understood

from deploy.cli.arguments import UsageError
from deploy.cli.destination import FileDestination
from deploy.cli.download import download
from deploy.cli.finished_job import summary
from deploy.cli.gateway_client import GatewayTarget
from deploy.cli.saving import Saving
from shared.errors import MusicgenError
from tests.faults.small_disk import small_disk

JOB = "gen_abc123456789"
NAME = f"house_124bpm_Amin_8bars_{JOB}"
OUTPUTS = [
    {"kind": "midi", "name": "audio.mid", "size": 4},
    {"kind": "stem", "name": "drum machine.wav", "size": 4},
    {"kind": "stem", "name": "bass.wav", "size": 4},
    {"kind": "project", "name": "session.dawproject", "size": 4},
]


class Store:
    """A fake gateway with one job. `files` are the contents by the path's end; `status` is what it says of the job."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = {
            "job_id": JOB,
            "status": "completed",
            "message": "done",
            "progress": 1.0,
            "created_at": "2024-12-01T10:00:00.000Z",
            "file_name": f"{NAME}.wav",
            "format": "wav",
            "file_size": 5,
            "outputs": OUTPUTS,
        }
        self.files: dict[str, bytes] = {
            JOB: b"audio",
            "bundle.zip": b"PK",
            "audio.mid": b"MThd",
            "drum machine.wav": b"drum",
            "bass.wav": b"bass",
        }
        self.problem: web.Response | None = None
        self.started, self.stalls = asyncio.Event(), False
        self.url = ""

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(self.status)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        data = self.files[request.path.rpartition("/")[2]]
        if self.problem is not None:
            return self.problem
        if data != b"cut":
            return web.Response(body=data)
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(data)
        self.started.set()
        if self.stalls:
            await asyncio.Event().wait()
        assert request.transport is not None
        request.transport.close()
        return response

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/api/v1/status/{job_id}", self._status)
        app.router.add_get("/api/v1/download/{path:.*}", self._file)
        return app

    async def save(self, saving: Saving, *, bundle: bool = False) -> int:
        return await download(GatewayTarget(self.url), JOB, saving, bundle=bundle)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    fake = Store()
    async with TestServer(fake.app()) as server:
        fake.url = str(server.make_url(""))
        yield fake


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


async def test_audio_midi_and_stems_are_saved_under_the_name_of_the_gateway(
    store: Store, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await store.save(Saving(midi=True, stems=True)) == 0
    assert contents(here) == {
        f"{NAME}.wav": b"audio",
        f"{NAME}.mid": b"MThd",
        f"{NAME}_drum machine.wav": b"drum",
        f"{NAME}_bass.wav": b"bass",
    }
    printed = capsys.readouterr()
    assert printed.out == ""
    assert {line.removeprefix("✓ ") for line in printed.err.splitlines()} == set(contents(here))


async def test_outputs_are_saved_beside_a_chosen_file_or_in_a_folder(store: Store, here: Path) -> None:
    (here / "a").mkdir()
    (here / "b").mkdir()
    await store.save(Saving("a/song.wav", midi=True))
    await store.save(Saving("b/", midi=True))
    assert contents(here / "a") == {"song.wav": b"audio", "song.mid": b"MThd"}
    assert contents(here / "b") == {f"{NAME}.wav": b"audio", f"{NAME}.mid": b"MThd"}


async def test_the_bundle_is_one_zip_file(store: Store, here: Path) -> None:
    await store.save(Saving(), bundle=True)
    await store.save(Saving("all.zip"), bundle=True)
    assert contents(here) == {f"{NAME}.zip": b"PK", "all.zip": b"PK"}


async def test_the_bundle_does_not_go_into_an_audio_file() -> None:
    with pytest.raises(UsageError, match=r"does not fit all\.wav"):
        await download(GatewayTarget("http://127.0.0.1:1"), JOB, Saving("all.wav"), bundle=True)


async def test_existing_files_are_overwritten_only_by_force(store: Store, here: Path) -> None:
    for saving in (Saving(), Saving("song.wav")):
        name = saving.output or f"{NAME}.wav"
        (here / name).write_bytes(b"precious")
        with pytest.raises(MusicgenError, match=r"exists already\. Overwrite it with --force"):
            await store.save(saving)
        assert (here / name).read_bytes() == b"precious"
        await store.save(saving._replace(force=True))
        assert (here / name).read_bytes() == b"audio"
    assert contents(here).keys() == {f"{NAME}.wav", "song.wav"}


@pytest.mark.parametrize("name", ["song.mid", "song_bass.wav"])
async def test_nothing_is_saved_if_one_of_the_files_exists(store: Store, here: Path, name: str) -> None:
    (here / name).write_bytes(b"precious")
    with pytest.raises(MusicgenError, match=rf"{name} exists already\. Overwrite it with --force"):
        await store.save(Saving("song.wav", midi=True, stems=True))
    assert contents(here) == {name: b"precious"}
    await store.save(Saving("song.wav", midi=True, stems=True, force=True))
    assert contents(here).keys() == {"song.wav", "song.mid", "song_drum machine.wav", "song_bass.wav"}


@pytest.mark.parametrize("links", [True, False])
async def test_a_file_that_appears_during_the_download_is_not_overwritten(
    here: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:  # as on exFAT

        def refuse(source: Path, target: Path) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    late, free = (FileDestination(here, name, force=False) for name in ("late.wav", "free.wav"))
    for destination in (late, free):
        await destination.write(b"audio")
    (here / "late.wav").write_bytes(b"precious")
    with pytest.raises(MusicgenError, match="exists already"):
        late.finish("")
    free.finish("")
    late.close()
    free.close()
    assert contents(here) == {"late.wav": b"precious", "free.wav": b"audio"}


async def test_unsafe_names_never_leave_the_folder(store: Store, here: Path) -> None:
    (here / "inside").mkdir()
    store.status["file_name"] = "../outside.wav"
    await store.save(Saving("inside"))
    assert contents(here / "inside") == {f"{JOB}.wav": b"audio"}
    store.status["outputs"] = [{"kind": "stem", "name": "../../outside.wav", "size": 4}]
    with pytest.raises(MusicgenError, match="unsafe name"):
        await store.save(Saving("inside/song.wav", stems=True))
    assert [each.name for each in here.iterdir()] == ["inside"]
    assert contents(here / "inside").keys() == {f"{JOB}.wav"}


@pytest.mark.parametrize(
    ("change", "saving", "words"),
    [
        ({"outputs": []}, Saving(stems=True), "has no stems"),
        ({"outputs": []}, Saving(midi=True), "has no MIDI file"),
        ({"format": "flac", "file_name": None}, Saving("song.mp3"), r"is flac\. Choose such an ending"),
        ({"format": None}, Saving("song.mp3"), r"is wav\. Choose such an ending"),
        ({"format": "/../../x", "file_name": None}, Saving("song.mp3"), r"is wav\. Choose such an ending"),
        ({"job_id": "gen_000000000000"}, Saving(), "answered with"),
        ({"status": "lost"}, Saving(), "status is 'lost'"),
        ({}, Saving("song.aiff"), "saved as wav, flac, ogg, mp3"),
        ({}, Saving("/dev/null", midi=True), "beside the audio"),
    ],
)
async def test_problems_are_one_sentence_and_leave_no_temporary_file(
    store: Store, here: Path, change: dict[str, Any], saving: Saving, words: str
) -> None:
    store.status |= change
    with pytest.raises(MusicgenError, match=words):
        await store.save(saving)
    assert not [name for name in contents(here) if name.startswith(".")]


async def test_an_invalid_job_is_not_requested(here: Path) -> None:
    with pytest.raises(MusicgenError, match="is not a job id"):
        await download(GatewayTarget("http://127.0.0.1:1"), "../secret", Saving(), bundle=False)


async def test_a_cut_download_leaves_no_file(store: Store, here: Path) -> None:
    store.files[JOB] = b"cut"
    with pytest.raises(MusicgenError, match="interrupted"):
        await store.save(Saving())
    assert contents(here) == {}


async def test_ctrl_c_during_the_download_leaves_no_file(store: Store, here: Path) -> None:
    store.files[JOB], store.stalls = b"cut", True
    saving = asyncio.create_task(store.save(Saving("song.wav")))
    await store.started.wait()
    os.kill(os.getpid(), signal.SIGINT)
    assert await saving == 130
    assert contents(here) == {}


async def test_a_full_disk_is_reported_and_leaves_no_file(store: Store, here: Path) -> None:
    store.files[JOB] = b"x" * 2_000_000
    with small_disk(here / "disk", 1):
        with pytest.raises(MusicgenError, match="No space left on device"):
            await store.save(Saving("disk"))
        assert contents(here / "disk") == {}
        store.status["file_size"] = 2_000_000
        with pytest.raises(MusicgenError, match=r"2\.0 MB are needed"):
            await store.save(Saving("disk"))


async def test_expired_audio_comes_with_the_command_that_makes_it_again(store: Store, here: Path) -> None:
    recipe = {"model": "starter", "prompt": "soft rain", "duration": 4.0, "seed": 7}
    detail = f"The audio of job {JOB} is no longer stored. POST its recipe to /api/v1/generate to make it again."
    store.problem = web.json_response({"detail": detail, "recipe": recipe}, status=410)
    with pytest.raises(MusicgenError) as caught:
        await store.save(Saving())
    assert str(caught.value) == (
        f"The audio of job {JOB} is no longer stored. Make it again:\n"
        "musicgen generate 'soft rain' --duration 4 --model starter --seed 7"
    )


UNDERSTOOD = (("124bpm", "124 BPM"), ("piano", "piano"), ("pianos", "piano"))
IGNORED = (("vocals", "no singer"), ("siren", "a noise"), ("choirboy", "no singer"))


def finished(**fields: Any) -> JobView:
    moment = datetime(2024, 12, 1, tzinfo=UTC)
    return JobView(job_id=JOB, status=JobStatus.COMPLETED, progress=1.0, message="", created_at=moment, **fields)


def test_the_summary_shows_what_is_known() -> None:
    job = finished(
        file_size=2_972_972,
        actual_duration=15.483870967,
        format="wav",
        sample_rate=48_000,
        seed=7,
        bpm=124.0,
        meter="4/4",
        key="A minor",
        bars=8,
        loop=True,
        measured=Measured(lufs=-14.02, true_peak_dbtp=-1.0),
        understood=tuple(Understood(words=words, meaning=meaning) for words, meaning in UNDERSTOOD),
        ignored=("vocals", "siren"),
        ignored_because=tuple(Ignored(words=words, because=because) for words, because in IGNORED),
        warnings=("The model has no 7/8.",),
    )
    assert summary(job) == [
        ("understood", "124 BPM · piano"),
        ("ignored", "'vocals', 'choirboy': no singer; 'siren': a noise"),
        ("seed", "7"),
        ("tempo", "124 BPM, 4/4"),
        ("key", "A minor"),
        ("length", "8 bars, 15.484 s, loop"),
        ("loudness", "-14.0 LUFS, -1.0 dBTP peak"),
        ("file", "wav, 48 kHz, 3.0 MB"),
        ("warning", "The model has no 7/8."),
    ]


def test_the_summary_marks_what_was_measured_and_leaves_out_what_is_unknown() -> None:
    measured = Measured(bpm=123.96, bpm_confidence=0.87, key="A minor")
    job = finished(measured=measured)
    assert summary(job) == [("tempo", "124.0 BPM measured (87% sure)"), ("key", "A minor measured")]
    assert summary(finished()) == []
