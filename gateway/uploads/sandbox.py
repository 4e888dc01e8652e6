"""Runs the decoding process for one file."""

import asyncio
import sys
from http import HTTPStatus
from typing import BinaryIO

from gateway.problems import Problem
from gateway.uploads.verdict import Verdict, decode_verdict
from shared.logs import get_logger
from shared.messages import UNDECODABLE
from shared.uploaded_files import UploadFormat

log = get_logger(__name__)

# The process limits its CPU time itself; on a busy machine it may take longer.
WALL_SECONDS = 120.0
MOST_OUTPUT = 4096
PROGRAM = ("-m", "gateway.uploads.decoder")
# One thread: the process may start no others.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}


async def examine(file: BinaryIO, name: UploadFormat) -> Verdict:
    """Decode a whole file in a process of its own.

    Args:
        file: on disk, at its start; at its start again afterwards.
        name: the format that it claims to have.

    Raises:
        Problem: 422 with the reason, if the file is not usable.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", *PROGRAM, name),
        stdin=file,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=ENVIRONMENT,
        cwd="/",
    )
    try:
        async with asyncio.timeout(WALL_SECONDS):
            assert process.stdout is not None
            output = await process.stdout.read(MOST_OUTPUT)
            code = await process.wait()
        verdict = decode_verdict(output)
    except (TimeoutError, *UNDECODABLE) as error:
        log.warning("an upload broke the decoder", format=name, exit_code=process.returncode, error=repr(error))
        raise _refused("Decoding it takes too much time or memory.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    file.seek(0)  # the process shares the position
    if code != 0 or verdict.refusal is not None:
        raise _refused(verdict.refusal or "It cannot be decoded.")
    return verdict


def _refused(reason: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The file was not stored. {reason}")
