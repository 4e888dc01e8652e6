"""Reservations of quota for jobs that were just admitted, kept in NATS so that all gateways count them.

Other gateways' jobs reach the index through the record feed, a moment later. Until then their reservations count. Each
reservation is a compare-and-set on the entry of the API key, so gateways admit jobs of one key in turn.
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

# Seconds for which a reservation counts: by then every gateway's index has the job. The bucket's TTL is longer.
SETTLE_TIME = 30.0

# Seconds of audio by job id.
Reserved = dict[str, float]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Reserved).decode


class Reservations:
    """The bucket of reservations, with one entry per API key name. Its TTL removes entries after a minute.

    The age of a reservation is measured by this process's monotonic clock from when it first saw the reservation,
    because clocks of other hosts may differ.
    """

    def __init__(self, bus: Bus, replicas: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus
        self._replicas = replicas
        self._clock = clock
        self._bucket: KeyValue | None = None
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._seen: dict[str, dict[str, float]] = {}

    async def add(self, owner: str, job_id: str, seconds: float, check: Callable[[Reserved], None]) -> bool:
        """Reserve quota for a job, unless `check` raises. It receives all other reservations of the owner.

        Returns:
            False if the job already has a reservation.

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
        """Release the reservation of a job that was not accepted. While NATS is away, it is left to its age."""
        with suppress(UnavailableError):
            await self._change(
                owner, lambda reserved: {other: reserved[other] for other in reserved if other != job_id}
            )

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
                    continue  # another gateway changed the entry: read it again
                except (nats.js.errors.APIError, *AWAY) as error:
                    self._bucket = None  # it may have been deleted; the next request creates it
                    raise UnavailableError(
                        f"The quota of this API key cannot be checked now: {error!r}. Try again; if that "
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
        return {}, (error.entry.revision or 0) if error.entry else 0  # a deletion marker has a revision, too
    except UNDECODABLE:
        return {}, entry.revision or 0  # an operator's edit, which this reservation replaces
