"""A record as some 600 bytes: MessagePack, without the names of its fields.

Compressed it would take 400 bytes less, and 15 µs more. A gateway that starts packs all records, and every microsecond
for each of 100,000 records is a tenth of a second until it is ready.
"""

import msgspec
from msgspec.structs import astuple, fields

from shared.messages import JobRecord

_NAMES = tuple(field.name for field in fields(JobRecord))
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple.__class_getitem__(tuple(field.type for field in fields(JobRecord)))).decode


def pack(record: JobRecord) -> bytes:
    """The record for `unpack`, in this process."""
    return _encode(astuple(record))


def unpack(data: bytes) -> JobRecord:
    """The record that was packed."""
    return JobRecord(**dict(zip(_NAMES, _decode(data), strict=True)))
