"""Messages between worker and engine process: MessagePack structs, each preceded by its length in four bytes."""

import asyncio
import socket
import struct
from typing import Literal

import msgspec

from shared.messages import Recipe
from shared.music import Instrument, Music
from worker.engine.interface import EngineSettings, ModelInfo, Stage

_LENGTH = struct.Struct(">I")

# Ten minutes of 48 kHz stereo in float32 are 230 MB.
MAX_FRAME = 512 * 1024 * 1024


class Start(msgspec.Struct, frozen=True, tag=True):
    """To the engine, as the first message: load this model."""

    settings: EngineSettings


class Generate(msgspec.Struct, frozen=True, tag=True):
    """To the engine: generate this recipe.

    Attributes:
        folder: gets the stems; None if there are none.
        excerpt: the encoded `Excerpt` that the recipe is conditioned on, if it has one.
        score: the one that the recipe refers to, as it is stored.
    """

    job_id: str
    recipe: Recipe
    folder: str | None = None
    excerpt: bytes | None = None
    score: bytes | None = None


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """To the engine: cancel the job; with `keep`, stop it but still make the outputs of its audio so far."""

    job_id: str
    keep: bool = False


class Loading(msgspec.Struct, frozen=True, tag=True):
    """From the engine: the current phase of loading."""

    message: str


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From the engine: the model is loaded."""

    info: ModelInfo
    slots: int


class LoadFailed(msgspec.Struct, frozen=True, tag=True):
    """From the engine, as the last message: the model cannot be loaded."""

    reason: str
    remedy: str
    retryable: bool


class Progress(msgspec.Struct, frozen=True, tag=True):
    """From the engine: `done` of `total` units of work are done."""

    job_id: str
    done: int
    total: int


class Chunk(msgspec.Struct, frozen=True, tag=True):
    """From the engine: the next chunk of audio, float32 little-endian frames of `channels` samples."""

    job_id: str
    audio: bytes
    channels: int


class MidiFile(msgspec.Struct, frozen=True, tag=True):
    """From the engine: the score of the audio, as a standard MIDI file."""

    job_id: str
    file: bytes


class StemFile(msgspec.Struct, frozen=True, tag=True):
    """From the engine: the stem `name`, a file at `path` whose content has the format of `Chunk`."""

    job_id: str
    name: str
    path: str
    channels: int
    instrument: Instrument | None = None


class Described(msgspec.Struct, frozen=True, tag=True):
    """From the engine: the music of the audio."""

    job_id: str
    music: Music


class Warned(msgspec.Struct, frozen=True, tag=True):
    """From the engine: a warning for the client about a part of the recipe that the model cannot follow."""

    job_id: str
    text: str


class RowsInUse(msgspec.Struct, frozen=True, tag=True):
    """From the engine, when it has changed: how many rows its batch has."""

    rows: int


class Staged(msgspec.Struct, frozen=True, tag=True):
    """From the engine: the times of a stage of the work, which has ended."""

    job_id: str
    stage: Stage


class Generated(msgspec.Struct, frozen=True, tag=True):
    """From the engine: all chunks and outputs were sent."""

    job_id: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """From the engine: this job failed; the engine continues."""

    job_id: str
    kind: Literal["cancelled", "out_of_memory", "disk", "not_finite", "error"]
    reason: str = ""


ToEngine = Start | Generate | Cancel
FromEngine = (
    Loading
    | Ready
    | LoadFailed
    | Progress
    | Chunk
    | Described
    | MidiFile
    | StemFile
    | Warned
    | RowsInUse
    | Staged
    | Generated
    | Failed
)

_encode = msgspec.msgpack.Encoder().encode
_to_engine = msgspec.msgpack.Decoder(ToEngine).decode
_from_engine = msgspec.msgpack.Decoder(FromEngine).decode


def pack(message: ToEngine | FromEngine) -> bytes:
    """Encode a message with its length."""
    body = _encode(message)
    return _LENGTH.pack(len(body)) + body


async def read_from_engine(stream: asyncio.StreamReader) -> FromEngine:
    """Read the next message in the worker. Raises asyncio.IncompleteReadError once the engine is gone."""
    (length,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
    message: FromEngine = _from_engine(await stream.readexactly(min(length, MAX_FRAME)))
    return message


def read_to_engine(connection: socket.socket) -> ToEngine | None:
    """Read the next message in the engine, blocking. None once the worker is gone."""
    head = _receive(connection, _LENGTH.size)
    if head is None:
        return None
    body = _receive(connection, *_LENGTH.unpack(head))
    return None if body is None else _to_engine(body)


def _receive(connection: socket.socket, length: int) -> bytes | None:
    data = bytearray()
    while len(data) < length:
        try:
            part = connection.recv(length - len(data))
        except ConnectionResetError:  # the worker ended before it had read all that the engine sent
            return None
        if not part:
            return None
        data += part
    return bytes(data)
