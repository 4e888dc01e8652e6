"""Recognises the format of an uploaded file by its first bytes."""

from shared.uploaded_files import UploadFormat

# Bytes that suffice to recognise every format.
HEAD = 12
NAMES = "WAV, FLAC, Ogg Vorbis or Opus, MP3 and standard MIDI files"


def format_of(head: bytes) -> UploadFormat | None:
    """The format that the file claims to have; None for any other one."""
    match head[:4]:
        case b"RIFF" | b"RF64" if head[8:12] == b"WAVE":
            return "wav"
        case b"fLaC":
            return "flac"
        case b"OggS":
            return "ogg"
        case b"MThd":
            return "mid"
    return "mp3" if head[:3] == b"ID3" or _is_layer_3(head) else None


def _is_layer_3(head: bytes) -> bool:
    """Whether a frame of MPEG audio layer III begins here (ISO/IEC 11172-3, section 2.4.1.3)."""
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2
