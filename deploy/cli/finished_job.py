"""A finished job as its gateway describes it, and as a reader sees it."""

from collections.abc import Iterator

from musicgen_client import AsyncJob, Ignored, JobView, Measured, OutputLink
from rich.filesize import decimal

from deploy.cli.file_names import FORMATS, is_safe, safe_name
from shared.errors import MusicgenError


async def read_job(job: AsyncJob) -> JobView:
    """Ask the gateway for a job.

    Raises:
        ClientError: if there is no such job, or the answer is in an unknown format.
        MusicgenError: if the gateway answers with another job.
    """
    view = await job.status()
    if view.job_id != job.id:
        raise MusicgenError(f"The gateway was asked for {job.id} and answered with {view.job_id!r}.")
    return view


def stored_format(job: JobView) -> str:
    """The ending of the audio's name."""
    return next((each for each in FORMATS if each == job.format), "wav")


def audio_name(job: JobView) -> str:
    """The name for the audio: the gateway's, if that is safe."""
    return safe_name(job.file_name, f"{job.job_id}.{stored_format(job)}")


def checked_name(output: OutputLink) -> str:
    """The name of an output.

    Raises:
        MusicgenError: if it is not a safe file name.
    """
    if not is_safe(output.name):
        raise MusicgenError(f"The gateway offers a file with an unsafe name, {output.name!r}. It is not saved.")
    return output.name


def summary(job: JobView) -> list[tuple[str, str]]:
    """The job's properties as labels and texts, without unknown ones."""
    measured = job.measured or Measured()
    rate = f"{job.sample_rate / 1000:g} kHz" if job.sample_rate else None
    length = None if job.actual_duration is None else f"{round(job.actual_duration, 3):g} s"
    size = None if job.file_size is None else decimal(job.file_size)
    lines: list[tuple[str, list[str | None]]] = [
        ("understood", [" · ".join(dict.fromkeys(each.meaning for each in job.understood))]),
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


def _reasons(job: JobView) -> Iterator[str]:
    """The ignored words, those of one reason together."""
    words: dict[str, list[str]] = {}
    for each in job.ignored_because or [Ignored(words=word, because="") for word in job.ignored]:
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
