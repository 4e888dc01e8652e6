"""Pages and packets of Ogg files, and the exchange of a Vorbis stream's tags. Sources: RFC 3533, Vorbis I section 4.2.

libsndfile has Xiph's encoder, but gives each stream a random serial number and knows few tags. FFmpeg could pack the
stream again, but miscounts streams that fit into one page.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

# The place of each page's checksum.
_CHECKSUM = 22
_CONTINUED = 1
# The position of a page on which no packet ends.
_NO_POSITION = 2**64 - 1
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
COMMENT_HEADER = b"\x03vorbis"


class Page(NamedTuple):
    """A page: its flags, the position at its end in frames, the lengths of its segments, and these."""

    flags: int
    position: int
    lengths: bytes
    body: bytes

    def packed(self, number: int) -> bytes:
        """The page with this number, in the stream of serial number 1."""
        head = struct.pack("<4sBBQIIIB", b"OggS", 0, self.flags, self.position, 1, number, 0, len(self.lengths))
        page = head + self.lengths + self.body
        return page[:_CHECKSUM] + struct.pack("<I", _checksum(page)) + page[_CHECKSUM + 4 :]


def read_pages(file: BinaryIO) -> Iterator[Page]:
    """Pages from the file's position, until its end or the first bytes that are no page."""
    while len(head := file.read(27)) == 27 and head[:4] == b"OggS":
        flags, position, count = struct.unpack("<4xxBQ12xB", head)
        lengths = file.read(count)
        yield Page(flags, position, lengths, file.read(sum(lengths)))


def packets(pages: Iterable[Page]) -> Iterator[bytes]:
    """Packets, put together from segments; a segment shorter than 255 bytes ends one."""
    packet = bytearray()
    for page in pages:
        place = 0
        for length in page.lengths:
            packet += page.body[place : place + length]
            place += length
            if length < 255:
                yield bytes(packet)
                packet.clear()


def replace_comments(source: BinaryIO, target: BinaryIO, comments: dict[str, str]) -> None:
    """Copy a Vorbis stream with other comments.

    A Vorbis stream begins with three headers: one on the first page, and the comments and the codebooks, which end a
    page. The audio follows on its own pages, which stay as they are but for their numbers.
    """
    pages = read_pages(source)
    first = next(pages)
    old, codebooks = _two_packets(pages)
    target.write(first.packed(0))
    rest = [*_paged([_comment_packet(old, comments), codebooks])]
    for number, page in enumerate(rest, 1):
        target.write(page.packed(number))
    for number, page in enumerate(pages, 1 + len(rest)):
        target.write(page.packed(number))


def _two_packets(pages: Iterator[Page]) -> tuple[bytes, bytes]:
    found = packets(pages)
    return next(found), next(found)


def _comment_packet(old: bytes, comments: dict[str, str]) -> bytes:
    """The new comments, with the encoder's name from the old ones."""
    start = len(COMMENT_HEADER)
    encoder = old[start : start + 4 + struct.unpack_from("<I", old, start)[0]]
    texts = [f"{name}={text}".encode() for name, text in comments.items()]
    packed = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return COMMENT_HEADER + encoder + struct.pack("<I", len(texts)) + packed + b"\x01"


def _paged(whole: list[bytes]) -> Iterator[Page]:
    """Pages of at most 255 segments that hold these packets."""
    lengths = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in whole)
    body, flags = b"".join(whole), 0
    for start in range(0, len(lengths), 255):
        part = lengths[start : start + 255]
        size = sum(part)
        yield Page(flags, 0 if min(part) < 255 else _NO_POSITION, part, body[:size])
        body, flags = body[size:], _CONTINUED if part[-1] == 255 else 0


def _checksum(page: bytes) -> int:
    """CRC-32 with the bits of bytes in the other order than zlib has them, from 0, not inverted."""
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
