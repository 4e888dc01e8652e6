"""The client commands as processes, against a complete system."""

import asyncio
import fcntl
import os
import pty
import re
import signal
import stat
import struct
import sys
import termios
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.job_id import new_job_id
from shared.messages import JobRecord, Recipe, now
from tests.conftest import ROOT
from tests.integration.system import Api, System, eventually

ID = re.compile(r"gen_[a-z0-9]{12}")
MARKUP = "verse [/intro] [bold]chorus[/] \x1b[2J\x1b]0;owned\x07 line\nbreak \u202egnp"
LONG = "tone " + "very " * 80 + "long"
TONE = ("tone", "--duration", "1", "--seed", "1")


class Done(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: bytes
    err: str


@pytest.fixture
async def api(system: System) -> Api:
    api = await system.gateway()
    await system.worker()
    return api


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder; the servers use other ones."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


async def start(api: Api, *arguments: str, **streams: int) -> asyncio.subprocess.Process:
    environment = {**os.environ, "MUSICGEN_URL": api.url, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE} | streams
    command = [sys.executable, "-m", "deploy.cli.main", *arguments]
    return await asyncio.create_subprocess_exec(*command, env=environment, **pipes)  # type: ignore[arg-type]


async def musicgen(api: Api, *arguments: str, **streams: int) -> Done:
    process = await start(api, *arguments, **streams)
    out, err = await process.communicate()
    assert process.returncode is not None
    return Done(process.returncode, out or b"", (err or b"").decode())


async def in_terminal(api: Api, columns: int, *arguments: str, **environment: str) -> str:
    """Return what a command prints in a terminal of the given width."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    # Use the size of this terminal, not of the one that runs the tests.
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    variables = {**inherited, "MUSICGEN_URL": api.url, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environment}
    command = [sys.executable, "-m", "deploy.cli.main", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, env=variables, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    shown = await asyncio.to_thread(_read_all, leader)
    assert await process.wait() == 0, shown
    return shown


def _read_all(descriptor: int) -> str:
    parts = []
    try:
        while part := os.read(descriptor, 65536):
            parts.append(part)
    except OSError:
        pass  # how Linux signals the end of a terminal
    finally:
        os.close(descriptor)
    return b"".join(parts).decode()


async def test_a_pipe_stays_a_pipe_and_receives_the_audio(api: Api, folder: Path) -> None:
    pipe, file = folder / "pipe", folder / "file.wav"
    os.mkfifo(pipe)
    reading = asyncio.create_task(asyncio.to_thread(pipe.read_bytes))
    piped = await musicgen(api, "generate", *TONE, "-o", str(pipe))
    assert piped.code == 0, piped.err
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert (await musicgen(api, "generate", *TONE, "-o", str(file))).code == 0
    assert await reading == file.read_bytes()


async def test_a_pipe_with_a_late_reader_receives_the_audio(api: Api, folder: Path) -> None:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    process = await start(api, "generate", *TONE, "-o", str(pipe))
    (job_id,) = await _until_jobs(api, "completed", 1)
    assert await asyncio.to_thread(pipe.read_bytes) == await api.download(job_id)
    assert await process.wait() == 0


@pytest.mark.parametrize("there", [True, False], ids=["target exists", "dangling"])
async def test_a_link_is_kept_and_its_target_replaced_with_the_same_mode(api: Api, folder: Path, there: bool) -> None:
    (folder / "music").mkdir()
    target, link = folder / "music" / "take.wav", folder / "link.wav"
    if there:
        target.write_bytes(b"an older take")
        target.chmod(0o604)
    link.symlink_to("music/take.wav")
    force = ["--force"] if there else []
    assert (await musicgen(api, "generate", *TONE, "-o", str(link), *force)).code == 0
    assert link.is_symlink()
    assert target.read_bytes()[:4] == b"RIFF"
    assert [each.name for each in target.parent.iterdir()] == ["take.wav"]
    if there:
        assert stat.S_IMODE(target.stat().st_mode) == 0o604


async def test_a_dash_writes_only_the_audio_to_standard_output(api: Api, folder: Path) -> None:
    done = await musicgen(api, "generate", *TONE, "-o", "-")
    assert done.code == 0
    (job_id,) = set(ID.findall(done.err))
    assert done.out == await api.download(job_id)
    file, link = folder / "music.wav", folder / "stdout"
    link.symlink_to("/dev/stdout")  # a link of the test, not the one in /dev
    with file.open("wb") as stream:
        assert (await musicgen(api, "generate", *TONE, "-o", "-", stdout=stream.fileno())).code == 0
        appended = await musicgen(api, "generate", *TONE, "-o", str(link), stdout=stream.fileno())
        assert appended.code == 0
    assert file.read_bytes() == 2 * done.out


async def test_a_folder_gets_a_file_named_after_the_job(api: Api, folder: Path) -> None:
    done = await musicgen(api, "generate", *TONE, "-o", str(folder))
    assert done.code == 0
    assert [each.name for each in folder.iterdir()] == [f"tone_{ID.findall(done.err)[0]}.wav"]


@pytest.fixture
def devices(folder: Path) -> Path:
    """A folder with `null` and `full`. As root, new device nodes, so that a bug cannot delete the real ones."""
    if os.geteuid() != 0:
        return Path("/dev")
    try:
        for name, minor in (("null", 3), ("full", 7)):
            os.mknod(folder / name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
            (folder / name).open("wb").close()
    except OSError as error:
        pytest.skip(f"needs device nodes of its own: {error}")
    return folder


async def test_a_device_is_written_and_a_full_one_reported_with_the_remedy(
    api: Api, devices: Path, tmp_path: Path
) -> None:
    assert (await musicgen(api, "generate", *TONE, "-o", str(devices / "null"))).code == 0
    assert stat.S_ISCHR((devices / "null").stat().st_mode)
    full = await musicgen(api, "generate", *TONE, "-o", str(devices / "full"))
    assert full.code == 1
    assert stat.S_ISCHR((devices / "full").stat().st_mode)
    assert f"{devices / 'full'} cannot be written: No space left on device" in full.err
    (job_id,) = re.findall(r"`musicgen download (\S+)`", full.err)
    assert (await musicgen(api, "download", job_id, "-o", str(tmp_path / "saved.wav"))).code == 0
    assert (tmp_path / "saved.wav").read_bytes() == await api.download(job_id)


async def test_a_closed_pipe_ends_a_command_without_a_traceback(api: Api) -> None:
    for command in (("generate", *TONE, "-o", "-"), ("jobs",)):
        reader, writer = os.pipe()
        os.close(reader)
        done = await musicgen(api, *command, stdout=writer)
        os.close(writer)
        assert done.code == 128 + signal.SIGPIPE
        assert "Traceback" not in done.err
        assert "Exception" not in done.err


async def test_an_unwritable_standard_output_is_one_sentence(api: Api) -> None:
    await api.until(await api.generate(), "completed")
    with Path("/dev/full").open("wb") as full:
        done = await musicgen(api, "jobs", stdout=full.fileno())
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "No space left on device" in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_to_generate_cancels_the_job_and_leaves_no_file(
    api: Api, folder: Path, number: signal.Signals
) -> None:
    process = await start(api, "generate", "slow", "--duration", "60", "-o", str(folder / "slow.wav"))
    (job_id,) = await _until_jobs(api, "processing", 1)
    process.send_signal(number)
    _, err = await process.communicate()
    assert process.returncode == 128 + number
    assert f"{job_id} cancelled" in err.decode()
    assert (await api.status(job_id))["status"] == "cancelled"
    assert list(folder.iterdir()) == []


async def test_an_ignored_sighup_cancels_nothing(api: Api, folder: Path) -> None:
    file = folder / "slow.wav"
    # A process inherits ignored signals from its parent.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = await start(api, "generate", "slow", "--duration", "2", "-o", str(file))
    finally:
        signal.signal(signal.SIGHUP, before)
    await _until_jobs(api, "processing", 1)
    process.send_signal(signal.SIGHUP)
    await process.communicate()
    assert process.returncode == 0
    assert file.read_bytes()[:4] == b"RIFF"


async def test_jobs_prints_one_line_per_job_to_a_pipe(system: System, api: Api) -> None:
    ids = [await put_job(system, api, prompt) for prompt in (MARKUP, LONG)]
    done = await musicgen(api, "jobs")
    assert done.code == 0, done.err
    rows = [line.split("\t") for line in done.out.decode().splitlines()]
    shown = {row[0]: row[5] for row in rows}
    assert len(rows) == len(ids)
    assert shown[ids[1]] == LONG
    assert shown[ids[0]] == r"verse [/intro] [bold]chorus[/] \x1b[2J\x1b]0;owned\x07 line break \u202egnp"


@pytest.mark.parametrize("columns", [10, 30, 60, 200])
async def test_a_terminal_of_any_width_shows_whole_ids_and_safe_prompts(system: System, api: Api, columns: int) -> None:
    ids = [await put_job(system, api, prompt) for prompt in (MARKUP, LONG)]
    shown = await in_terminal(api, columns, "jobs")
    assert sorted(ID.findall(shown)) == sorted(ids)
    assert len(shown.splitlines()) == 3
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert "\x07" not in shown
    assert ("\x1b[" in shown) is (columns > 16)
    assert "\x1b[3" not in await in_terminal(api, columns, "jobs", NO_COLOR="1")


async def test_generate_shows_markup_and_control_sequences_as_text(api: Api, folder: Path) -> None:
    file = folder / "[red]take[nothing]\x1b[2J.wav"
    shown = await in_terminal(api, 100, "generate", *TONE, "-o", str(file))
    assert r"[red]take[nothing]\x1b[2J.wav" in shown
    assert "\x1b[2J" not in shown
    assert file.exists()


async def put_job(system: System, api: Api, prompt: str) -> str:
    """Write a record directly, past the gateway, which would reject these prompts."""
    recipe = Recipe(model="starter", prompt=prompt, duration=1.0)
    record = JobRecord(job_id=new_job_id(), recipe=recipe, created_at=now(), updated_at=now())
    await (await system.records()).create(record)

    async def listed() -> bool:
        async with api.http.get(f"/api/v1/status/{record.job_id}") as response:
            return response.status == 200

    await eventually(listed, "the gateway lists the job")
    return record.job_id


async def _until_jobs(api: Api, status: str, number: int) -> list[str]:
    """Wait until `number` jobs have the status; return their ids."""

    async def there() -> list[str] | None:
        async with api.http.get("/api/v1/jobs", params={"status": status}) as response:
            found = [job["job_id"] for job in (await response.json())["jobs"]]
        return found if len(found) == number else None

    found: list[str] = await eventually(there, f"{number} jobs {status}")
    return found


async def test_several_takes_are_saved_in_a_file_each(api: Api, folder: Path) -> None:
    done = await musicgen(api, "generate", *TONE, "--variations", "3", "-o", str(folder / "take.wav"))
    assert done.code == 0, done.err
    assert sorted(each.name for each in folder.iterdir()) == ["take_1.wav", "take_2.wav", "take_3.wav"]
    single = await musicgen(api, "generate", *TONE[:-1], "2", "-o", str(folder / "single.wav"))
    assert single.code == 0, single.err
    assert (folder / "take_2.wav").read_bytes()[44:] == (folder / "single.wav").read_bytes()[44:]
    assert len({each.read_bytes() for each in folder.iterdir() if each.stem != "single"}) == 3


async def test_takes_without_an_output_have_the_gateways_names(api: Api, folder: Path) -> None:
    done = await musicgen(api, "generate", *TONE, "--variations", "2", "-o", str(folder))
    assert done.code == 0, done.err
    assert len({ID.findall(each.name)[0] for each in folder.iterdir()}) == 2


async def test_ctrl_c_cancels_all_takes(api: Api, folder: Path) -> None:
    arguments = ("slow", "--duration", "60", "--variations", "3", "-o", str(folder / "take.wav"))
    process = await start(api, "generate", *arguments, stdout=asyncio.subprocess.DEVNULL)
    assert process.stderr is not None
    shown = await process.stderr.readuntil(b"\n")  # the takes' ids: they are accepted
    assert len(ID.findall(shown.decode())) == 3
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 128 + signal.SIGINT
    await _until_jobs(api, "cancelled", 3)
    assert list(folder.iterdir()) == []


async def test_too_many_takes_are_refused_by_the_options_name(api: Api) -> None:
    done = await musicgen(api, "generate", *TONE, "--variations", "9")
    assert done.code == 1
    assert "--variations: Must be at most 8." in done.err
