"""A finished job as its gateway describes it, and as a reader sees it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from rich.filesize import decimal

from deploy.cli.file_names import is_safe, safe_name
from deploy.cli.gateway_client import REQUEST_TIMEOUT, read_json
from shared.errors import MusicgenError
from shared.files import AudioFormat, audio_url
from shared.job_id import is_job_id
from shared.messages import JobStatus
from shared.music import Ignored, Measured, Understood


class JobFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file besides the audio. `kind` is text, because later gateways may know further kinds."""

    kind: str
    name: str
    size: int


class FinishedJob(msgspec.Struct, frozen=True, kw_only=True):
    """What the commands use of GET /api/v1/status. Gateways of earlier versions leave out the fields with a default."""

    job_id: str
    status: JobStatus
    message: str
    file_size: int | None = None
    actual_duration: float | None = None
    file_name: str | None = None
    format: AudioFormat | None = None
    sample_rate: int | None = None
    seed: int | None = None
    bpm: float | None = None
    meter: str | None = None
    key: str | None = None
    bars: int | None = None
    loop: bool | None = None
    measured: Measured | None = None
    understood: tuple[Understood, ...] | None = None
    ignored: tuple[str, ...] | None = None
    ignored_because: tuple[Ignored, ...] | None = None
    outputs: tuple[JobFile, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def audio_name(self) -> str:
        """The name for the audio: the gateway's, if that is safe."""
        return safe_name(self.file_name, f"{self.job_id}.{self.format or 'wav'}")

    def path_of(self, output: JobFile) -> str:
        """The path of an output on the gateway.

        Raises:
            MusicgenError: if the output's name is not a safe file name.
        """
        if not is_safe(output.name):
            raise MusicgenError(f"The gateway offers a file with an unsafe name, {output.name!r}. It is not saved.")
        return f"{audio_url(self.job_id)}/{quote(output.name)}"


async def read_job(session: aiohttp.ClientSession, job_id: str) -> FinishedJob:
    """Ask the gateway for a job.

    Raises:
        MusicgenError: if there is no such job, or the answer is in an unknown format.
    """
    if not is_job_id(job_id):
        raise MusicgenError(f"{job_id!r} is not a job id. List the jobs with `musicgen jobs`.")
    async with session.get(f"/api/v1/status/{job_id}", timeout=REQUEST_TIMEOUT) as response:
        body: Any = await read_json(response)
    try:
        job = msgspec.convert(body, FinishedJob)
    except msgspec.ValidationError as error:
        raise MusicgenError(f"The gateway's status of {job_id} is in an unknown format: {error}.") from error
    if job.job_id != job_id:
        raise MusicgenError(f"The gateway was asked for {job_id} and answered with {job.job_id!r}.")
    return job


def summary(job: FinishedJob) -> list[tuple[str, str]]:
    """The job's properties as labels and texts, without unknown ones."""
    measured = job.measured or Measured()
    rate = f"{job.sample_rate / 1000:g} kHz" if job.sample_rate else None
    length = None if job.actual_duration is None else f"{round(job.actual_duration, 3):g} s"
    size = None if job.file_size is None else decimal(job.file_size)
    lines: list[tuple[str, list[str | None]]] = [
        ("understood", [" · ".join(dict.fromkeys(each.meaning for each in job.understood or ()))]),
        ("ignored", ["; ".join(_reasons(job))]),
        ("seed", [None if job.seed is None else str(job.seed)]),
        ("tempo", [_tempo(job.bpm, measured), job.meter]),
        ("key", [job.key or _measured_key(measured)]),
        ("length", [bars_text(job.bars), length, "loop" if job.loop else None]),
        ("loudness", [_level(measured.lufs, "LUFS"), _level(measured.true_peak_dbtp, "dBTP peak")]),
        ("file", [job.format, rate, size]),
    ]
    texts = ((label, ", ".join(filter(None, parts))) for label, parts in lines)
    return [(label, text) for label, text in texts if text] + [("warning", text) for text in job.warnings]


def _reasons(job: FinishedJob) -> Iterator[str]:
    """The ignored words, those of one reason together."""
    words: dict[str, list[str]] = {}
    for each in job.ignored_because or [Ignored(word, "") for word in job.ignored or ()]:
        words.setdefault(each.because, []).append(f"'{each.words}'")
    for reason, quoted in words.items():
        yield ", ".join(quoted) + (f": {reason}" if reason else "")


def bars_text(bars: int | None) -> str | None:
    """A number of bars in words."""
    return None if bars is None else f"{bars} bar{'' if bars == 1 else 's'}"


def _tempo(bpm: float | None, measured: Measured) -> str | None:
    if bpm is not None:
        return f"{bpm:g} BPM"
    return None if measured.bpm is None else f"{measured.bpm:.1f} BPM measured{_sure(measured.bpm_confidence)}"


def _measured_key(measured: Measured) -> str | None:
    return None if measured.key is None else f"{measured.key} measured{_sure(measured.key_confidence)}"


def _sure(confidence: float | None) -> str:
    return "" if confidence is None else f" ({confidence:.0%} sure)"


def _level(level: float | None, unit: str) -> str | None:
    return None if level is None else f"{level:.1f} {unit}"
