"""Runs the processes that decode a file."""

import asyncio
import sys
from http import HTTPStatus
from typing import BinaryIO, NamedTuple

from gateway.problems import Problem
from gateway.uploads.verdict import Verdict, decode_verdict
from shared.audio_conditions import MOST_EXCERPT_BYTES, decode_excerpt
from shared.files import AudioFormat
from shared.logs import get_logger
from shared.messages import UNDECODABLE
from shared.note_score import MOST_BYTES, NoteScore, decode_score
from shared.uploaded_files import UploadFormat

log = get_logger(__name__)

# A process limits its CPU time itself; on a busy machine it may take longer.
WALL_SECONDS = 120.0
MOST_OUTPUT = 4096
# One thread: the process may start no others.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}


class DecoderProgram(NamedTuple):
    """Arguments of the interpreter, the most bytes that the program prints, and the outcome if it refuses a file."""

    arguments: tuple[str, ...]
    most_output: int
    refusal: str


EXAMINE = DecoderProgram(("-m", "gateway.uploads.decoder"), MOST_OUTPUT, "The file was not stored.")
READ_SCORE = DecoderProgram(("-m", "gateway.uploads.decoder"), MOST_BYTES, "The file cannot be played.")
CUT = DecoderProgram(("-m", "gateway.uploads.excerpt_decoder"), MOST_EXCERPT_BYTES, "The file cannot be used.")


async def examine(file: BinaryIO, name: UploadFormat) -> Verdict:
    """Decode a whole file in a process of its own.

    Args:
        file: on disk, at its start; at its start again afterwards.
        name: the format that it claims to have.

    Raises:
        Problem: 422 with the reason, if the file is not usable.
    """
    code, output = await _run(EXAMINE, file, name)
    verdict = _verdict(EXAMINE, code, output)
    file.seek(0)  # the process shares the position
    if code != 0 or verdict.refusal is not None:
        raise _refused(EXAMINE, verdict.refusal or "It cannot be decoded.")
    return verdict


async def cut_excerpt(file: BinaryIO, name: AudioFormat, start: float, end: float) -> bytes:
    """Decode a part of a file in a process of its own.

    Args:
        file: on disk, at its start.
        name: its format.
        start: of the part, in seconds.
        end: of the part, in seconds.

    Returns:
        an encoded `Excerpt`.

    Raises:
        Problem: 422 with the reason, if there is no such part.
    """
    code, output = await _run(CUT, file, name, str(start), str(end))
    if code != 0:
        raise _refused(CUT, _verdict(CUT, code, output).refusal or "It cannot be decoded.")
    try:
        decode_excerpt(output)
    except (ValueError, *UNDECODABLE) as error:
        raise _broken(CUT, code, error) from error
    return output


def _verdict(program: DecoderProgram, code: int, output: bytes) -> Verdict:
    try:
        return decode_verdict(output)
    except UNDECODABLE as error:
        raise _broken(program, code, error) from error


async def read_score(file: BinaryIO) -> NoteScore:
    """Read the notes of a MIDI file in a process of its own; see `examine`."""
    code, output = await _run(READ_SCORE, file, "score")
    if code != 0:
        raise _refused(READ_SCORE, _verdict(READ_SCORE, code, output).refusal or "It cannot be decoded.")
    try:
        return decode_score(output)
    except (ValueError, *UNDECODABLE) as error:
        raise _broken(READ_SCORE, code, error) from error


async def _run(program: DecoderProgram, file: BinaryIO, *arguments: str) -> tuple[int, bytes]:
    """Run a program with the file as its input; returns its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", *program.arguments, *arguments),
        stdin=file,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=ENVIRONMENT,
        cwd="/",
    )
    try:
        async with asyncio.timeout(WALL_SECONDS):
            assert process.stdout is not None
            output = bytearray()
            while part := await process.stdout.read(program.most_output):
                output += part
                if len(output) > program.most_output:
                    raise ValueError(f"it printed more than {program.most_output} bytes")
            return await process.wait(), bytes(output)
    except (TimeoutError, ValueError) as error:
        raise _broken(program, process.returncode, error) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _broken(program: DecoderProgram, code: int | None, error: Exception) -> Problem:
    log.warning("a file broke the decoder", program=program.arguments[-1], exit_code=code, error=repr(error))
    return _refused(program, "Decoding it takes too much time or memory.")


def _refused(program: DecoderProgram, reason: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{program.refusal} {reason}")
