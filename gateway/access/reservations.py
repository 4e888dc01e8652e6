"""The jobs that were just admitted, by the name of their API key: in NATS, so that several gateways count together.

A gateway learns of the jobs that other gateways accept by its watch, a moment later. Until then they are here. Each
reservation is a compare-and-set on the key's entry, so gateways admit jobs of one key in turn.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress

import msgspec
import nats.js.errors
from nats.js.kv import KeyValue

from shared.bus import AWAY, Bus
from shared.errors import UnavailableError
from shared.messages import UNDECODABLE
from shared.topology import ensure_quotas

# Seconds after which every gateway's index has a job. The bucket's TTL is longer.
SETTLE_TIME = 30.0

# Seconds of audio by job id.
Reserved = dict[str, float]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Reserved).decode


class Reservations:
    """One entry per API key name. Entries disappear a minute after their last change, by the bucket's TTL.

    Age is measured with this process's own clock, from the moment at which it first saw a reservation: clocks of other
    hosts may differ.
    """

    def __init__(self, bus: Bus, replicas: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._replicas = replicas
        self._clock = clock
        self._bucket: KeyValue | None = None
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._seen: dict[str, dict[str, float]] = {}

    async def add(self, owner: str, job_id: str, seconds: float, check: Callable[[Reserved], None]) -> bool:
        """Reserve a place for a job, if `check` raises nothing when it is given all other reservations of the owner.

        Returns:
            False if the job has a reservation already.

        Raises:
            UnavailableError: while NATS is away.
        """

        def reserve(reserved: Reserved) -> Reserved | None:
            if job_id in reserved:
                return None
            check(reserved)
            return reserved | {job_id: seconds}

        return await self._change(owner, reserve)

    async def remove(self, owner: str, job_id: str) -> None:
        """Give back the place of a job that was not accepted. While NATS is away it is given back by its age."""
        with suppress(UnavailableError):
            await self._change(owner, lambda reserved: {key: reserved[key] for key in reserved if key != job_id})

    async def _change(self, owner: str, change: Callable[[Reserved], Reserved | None]) -> bool:
        async with self._locks[owner]:
            while True:
                try:
                    bucket = self._bucket = self._bucket or await ensure_quotas(self._bus.require(), self._replicas)
                    reserved, revision = await _read(bucket, owner)
                    changed = change(self._recent(owner, reserved))
                    if changed is None:
                        return False
                    await bucket.update(owner, _encode(changed), last=revision)
                    return True
                except nats.js.errors.KeyWrongLastSequenceError:
                    continue  # another gateway was faster: look at what it reserved
                except (nats.js.errors.APIError, *AWAY) as error:
                    self._bucket = None  # it may have been deleted, and is made again by the next request
                    raise UnavailableError(
                        f"The limits of this API key cannot be counted now: {error!r}. Try again; if that "
                        "does not help, compare the gateway's NATS permissions with those in nats.conf."
                    ) from error

    def _recent(self, owner: str, reserved: Reserved) -> Reserved:
        moment, seen = self._clock(), self._seen.get(owner, {})
        seen = self._seen[owner] = {job_id: seen.get(job_id, moment) for job_id in reserved}
        return {job_id: reserved[job_id] for job_id in reserved if moment - seen[job_id] < SETTLE_TIME}


async def _read(bucket: KeyValue, owner: str) -> tuple[Reserved, int]:
    try:
        entry = await bucket.get(owner)
        return _decode(entry.value or b""), entry.revision or 0
    except nats.js.errors.KeyNotFoundError as error:
        return {}, (error.entry.revision or 0) if error.entry else 0  # a deletion marker has a revision as well
    except UNDECODABLE:
        return {}, entry.revision or 0  # an operator's edit: replaced by the next reservation
