"""JetStream's own copy of a stream, with every sequence number, time and header.

The protocol is that of `nats stream backup`: requests on $JS.API.STREAM.SNAPSHOT and RESTORE, then chunks of a
compressed archive, each of them acknowledged (NATS' ADR-2 and its JetStream API reference). Consumers are left out:
they are made again, and then deliver all that is in the queue.
"""

import asyncio
import json
from typing import Any, BinaryIO

import nats.errors
from nats.aio.client import Client

from shared.bus import AWAY
from shared.errors import MusicgenError, UnavailableError

CHUNK_SIZE = 128 * 1024
# Seconds in which the next chunk must come, and the last answer.
RESPONSE_TIMEOUT = 30.0


async def save_stream(client: Client, name: str, file: BinaryIO) -> dict[str, Any]:
    """Write a stream's archive into `file`; returns its description, which `restore_stream` needs.

    Raises:
        MusicgenError: if NATS refuses, or stops sending.
        UnavailableError: if it is away.
    """
    inbox = client.new_inbox()
    chunks = await client.subscribe(inbox)
    request = {"deliver_subject": inbox, "no_consumers": True, "chunk_size": CHUNK_SIZE}
    answer = await _request(client, f"$JS.API.STREAM.SNAPSHOT.{name}", json.dumps(request).encode())
    try:
        while (message := await chunks.next_msg(timeout=RESPONSE_TIMEOUT)).data:
            await asyncio.to_thread(file.write, message.data)
            if message.reply:  # flow control: NATS waits for some of the chunks
                await client.publish(message.reply, b"")
    except nats.errors.TimeoutError as error:
        raise UnavailableError(f"NATS stopped sending the stream {name}. Repeat the backup.") from error
    status = (message.headers or {}).get("Status", "204")
    if status != "204":
        raise MusicgenError(f"NATS broke off the backup of {name} with {status}. Look at its log, and repeat it.")
    await chunks.unsubscribe()
    return {"config": answer["config"], "state": answer["state"]}


async def restore_stream(client: Client, description: dict[str, Any], file: BinaryIO) -> None:
    """Make a stream from its archive. There must be none of that name.

    Raises:
        MusicgenError: if NATS refuses.
        UnavailableError: if it is away.
    """
    name = description["config"]["name"]
    answer = await _request(client, f"$JS.API.STREAM.RESTORE.{name}", json.dumps(description).encode())
    while chunk := await asyncio.to_thread(file.read, CHUNK_SIZE):
        await _request(client, answer["deliver_subject"], chunk)
    await _request(client, answer["deliver_subject"], b"")


async def _request(client: Client, subject: str, data: bytes) -> dict[str, Any]:
    """The answer to a request; empty where a chunk is only acknowledged."""
    try:
        message = await client.request(subject, data, timeout=RESPONSE_TIMEOUT)
    except AWAY as error:
        raise UnavailableError(f"NATS does not answer on {subject}: {error!r}") from error
    answer: dict[str, Any] = json.loads(message.data or b"{}")
    if "error" in answer:
        raise MusicgenError(f"NATS refuses {subject}: {answer['error'].get('description')}.")
    return answer
