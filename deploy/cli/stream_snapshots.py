"""JetStream snapshots of streams, which preserve every sequence number, time and header.

The protocol is that of `nats stream backup`: requests on $JS.API.STREAM.SNAPSHOT and RESTORE, then acknowledged
chunks of a compressed archive (NATS ADR-2 and the JetStream API reference). Consumers are left out: workers create
them again, and they then deliver everything in the queue.
"""

import asyncio
import json
from typing import Any, BinaryIO

import nats.errors
from nats.aio.client import Client

from shared.bus import AWAY
from shared.errors import MusicgenError, UnavailableError

CHUNK_SIZE = 128 * 1024
# Seconds to wait for the next chunk or response.
RESPONSE_TIMEOUT = 30.0


async def save_stream(client: Client, name: str, file: BinaryIO) -> dict[str, Any]:
    """Write a stream's archive into `file`; return its description, which `restore_stream` needs.

    Raises:
        MusicgenError: if NATS refuses or aborts the snapshot.
        UnavailableError: if NATS is unreachable or stops sending.
    """
    inbox = client.new_inbox()
    chunks = await client.subscribe(inbox)
    request = {"deliver_subject": inbox, "no_consumers": True, "chunk_size": CHUNK_SIZE}
    answer = await _request(client, f"$JS.API.STREAM.SNAPSHOT.{name}", json.dumps(request).encode())
    try:
        while (message := await chunks.next_msg(timeout=RESPONSE_TIMEOUT)).data:
            await asyncio.to_thread(file.write, message.data)
            if message.reply:  # flow control: NATS waits for this acknowledgement
                await client.publish(message.reply, b"")
    except nats.errors.TimeoutError as error:
        raise UnavailableError(f"NATS stopped sending the stream {name}. Run the backup again.") from error
    status = (message.headers or {}).get("Status", "204")
    if status != "204":
        raise MusicgenError(
            f"NATS aborted the backup of {name} with status {status}. Check its log, and run the backup again."
        )
    await chunks.unsubscribe()
    return {"config": answer["config"], "state": answer["state"]}


async def restore_stream(client: Client, description: dict[str, Any], file: BinaryIO) -> None:
    """Create a stream from its archive. The stream must not exist.

    Raises:
        MusicgenError: if NATS refuses.
        UnavailableError: if NATS is unreachable.
    """
    name = description["config"]["name"]
    answer = await _request(client, f"$JS.API.STREAM.RESTORE.{name}", json.dumps(description).encode())
    while chunk := await asyncio.to_thread(file.read, CHUNK_SIZE):
        await _request(client, answer["deliver_subject"], chunk)
    await _request(client, answer["deliver_subject"], b"")


async def _request(client: Client, subject: str, data: bytes) -> dict[str, Any]:
    """Return the decoded response; empty if NATS only acknowledges a chunk."""
    try:
        message = await client.request(subject, data, timeout=RESPONSE_TIMEOUT)
    except AWAY as error:
        raise UnavailableError(f"NATS does not answer on {subject}: {error!r}") from error
    answer: dict[str, Any] = json.loads(message.data or b"{}")
    if "error" in answer:
        raise MusicgenError(f"NATS refuses {subject}: {answer['error'].get('description')}. Check its log.")
    return answer
