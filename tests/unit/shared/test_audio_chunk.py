"""Audio chunks on the wire, and invalid bytes."""

import struct

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.audio_chunk import AudioChunk, pack_chunk, unpack_chunk

JOB = "gen_abc123456789"
CHUNK = AudioChunk(job_id=JOB, seq=1, attempt=1, first_sample=16_000, frames=3, sample_rate=32_000, channels=2)
PCM = struct.pack("<6f", 0.0, -1.0, 1.0, 0.5, -0.5, 0.25)

counts = st.integers(0, 2**53 - 1)
headers = st.builds(
    AudioChunk,
    job_id=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    seq=counts,
    attempt=counts,
    first_sample=counts,
    frames=st.integers(0, 64),
    sample_rate=st.integers(1, 192_000),
    channels=st.integers(1, 8),
    last=st.booleans(),
)


def framed(header: bytes, pcm: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<I", len(header) if length is None else length) + header + pcm


@given(headers, st.data())
def test_a_chunk_survives_the_wire(header: AudioChunk, data: st.DataObject) -> None:
    size = header.frames * header.channels * 4
    pcm = data.draw(st.binary(min_size=size, max_size=size))
    found, view = unpack_chunk(pack_chunk(header, pcm))
    assert (found, bytes(view)) == (header, pcm)


def test_a_chunk_has_the_documented_layout() -> None:
    packed = pack_chunk(CHUNK, PCM)
    (length,) = struct.unpack_from("<I", packed)
    assert msgspec.json.decode(packed[4 : 4 + length]) == {
        "type": "audio",
        "job_id": JOB,
        "seq": 1,
        "attempt": 1,
        "first_sample": 16_000,
        "frames": 3,
        "sample_rate": 32_000,
        "channels": 2,
        "format": "f32le",
        "last": False,
    }
    assert packed[4 + length :] == PCM
    assert length % 4 == 0


def test_unpadded_headers_with_newer_fields_are_read() -> None:
    text = msgspec.json.encode(msgspec.to_builtins(CHUNK) | {"colour": "red"})
    assert unpack_chunk(framed(text, PCM))[0] == CHUNK


def test_the_last_chunk_may_be_empty() -> None:
    last = msgspec.structs.replace(CHUNK, frames=0, last=True)
    header, pcm = unpack_chunk(pack_chunk(last, b""))
    assert header.last
    assert len(pcm) == 0


@pytest.mark.parametrize("pcm", [PCM[:-1], PCM + b"\0", b""])
def test_samples_that_contradict_the_header_are_rejected(pcm: bytes) -> None:
    with pytest.raises(ValueError, match="3 frames of 2 channels are 24 bytes"):
        pack_chunk(CHUNK, pcm)


TEXT = msgspec.json.encode(CHUNK)


def changed(**fields: object) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(CHUNK) | fields)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "too few"),
        (b"\0\0\0", "too few"),
        (b"\0\0\0\0", "header of the chunk is invalid"),
        (b"\xff\xff\xff\xff", "cannot be 4294967295 bytes"),
        (framed(TEXT, PCM, len(TEXT) + len(PCM) + 1), "cannot be"),
        (framed(TEXT, PCM, len(TEXT) - 1), "header of the chunk is invalid"),
        (framed(TEXT, PCM, len(TEXT) + 1), "header of the chunk is invalid"),
        (framed(TEXT, PCM[:-4]), "24 bytes, not 20"),
        (framed(TEXT, PCM + PCM), "24 bytes, not 48"),
        (framed(b"\xff\xfe", PCM), "header of the chunk is invalid"),
        (framed(b"[" * 4096, PCM), "header of the chunk is invalid"),
        (framed(b" " * 5000 + TEXT, PCM), "cannot be"),
        (framed(changed(type="event"), PCM), "type"),
        (framed(changed(format="s16le"), PCM), "format"),
        (framed(changed(frames=-3), PCM), "frames"),
        (framed(changed(frames=1.5), PCM), "frames"),
        (framed(changed(channels=0), b""), "channels"),
        (framed(changed(channels=2**40), PCM), "channels"),
        (framed(changed(sample_rate=0), PCM), "sample_rate"),
        (framed(changed(seq=2**60), PCM), "seq"),
    ],
)
def test_invalid_chunks_are_rejected(data: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        unpack_chunk(data)


@given(st.binary(max_size=300))
@example(b"\x02\0\0\0{}")
def test_arbitrary_bytes_raise_only_value_errors(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        unpack_chunk(data)


@given(st.integers(0, len(framed(TEXT, PCM)) - 1), st.integers(0, 255))
def test_a_corrupted_byte_raises_only_value_errors(place: int, byte: int) -> None:
    data = bytearray(framed(TEXT, PCM))
    data[place] = byte
    try:
        header, pcm = unpack_chunk(bytes(data))
    except ValueError:
        return
    assert len(pcm) == header.frames * header.channels * 4
