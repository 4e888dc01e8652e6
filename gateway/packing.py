"""A record in a few hundred bytes: its JSON, compressed against that of a record as most of them are."""

import zlib
from datetime import UTC, datetime

from shared.files import Audio
from shared.messages import JobRecord, JobStatus, Recipe, Timings
from shared.records import decode_record, encode_record

_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
# What records have in common need not be written into each of them. It stays in memory, so it may change at any time.
_TYPICAL = encode_record(
    JobRecord(
        job_id="gen_",
        recipe=Recipe(model="starter", prompt="", duration=30.0),
        created_at=_MOMENT,
        updated_at=_MOMENT,
        status=JobStatus.COMPLETED,
        progress=1.0,
        message="Generation complete",
        started_at=_MOMENT,
        completed_at=_MOMENT,
        attempts=1,
        worker_id="starter-",
        audio=Audio(key="jobs/gen_/audio.wav", size=0, duration=30.0, sample_rate=32_000, channels=1, sha256=""),
        timings=Timings(),
        fingerprint="",
        traceparent="00-",
        claims=1,
        checkpoint="",
    )
)
# zlib looks back over 2**12 bytes, more than such a record and its like have, and sets little aside for it.
_WINDOW, _MEMORY = 12, 5


def pack(record: JobRecord) -> bytes:
    """The record for `unpack`, in this process. Some 20 µs."""
    packer = zlib.compressobj(wbits=_WINDOW, memLevel=_MEMORY, zdict=_TYPICAL)
    return packer.compress(encode_record(record)) + packer.flush()


def unpack(data: bytes) -> JobRecord:
    """What was packed. Some 10 µs."""
    return decode_record(zlib.decompressobj(wbits=_WINDOW, zdict=_TYPICAL).decompress(data))
