"""Names of downloaded files, by which a producer recognises the music: house_124bpm_Amin_8bars_gen_….wav."""

import re
import unicodedata
from functools import lru_cache
from urllib.parse import quote

from gateway.decoding import format_number
from shared.messages import JobRecord

# Of the words at the start of a name, in characters.
LONGEST_WORDS = 48
# What is read of a prompt for a name, in characters and in words.
READ, MOST_WORDS = 100, 3

# A prompt's first phrase ends before what it is combined with: "house with piano", "house at 124 BPM".
_PHRASE_ENDS = re.compile(r"[,.;:!?()\n]|\b(?:with|featuring|at|in|by|for)\b", re.IGNORECASE)
_ARTICLES = frozenset({"a", "an", "the", "some"})
_JOINING = frozenset({"and", "of"})
# Files that are the whole music, so that the job's name says enough.
_WHOLE = frozenset({"audio", "session", "bundle"})


def file_name(record: JobRecord, stored: str, *, ascii_only: bool = True) -> str:
    """The name of a job's file for downloads.

    Args:
        record: the job.
        stored: the file's name in the store: `audio.wav`, `bass_guitar.wav`, `audio.peaks.json`.
        ascii_only: without letters that old programs cannot display.
    """
    part, _, extension = stored.replace("_", "-").partition(".")
    whole = folder_name(record, ascii_only=ascii_only)
    return f"{whole}.{_safe(extension)}" if part in _WHOLE else f"{whole}_{_safe(part)}.{_safe(extension)}"


def folder_name(record: JobRecord, *, ascii_only: bool = True) -> str:
    """The name of a job's files without part and extension: words, tempo, key, bars and job id, as far as known."""
    music = record.known_music
    parts = [
        _words(record.recipe.title or "", record.recipe.prompt[:READ], ascii_only=ascii_only) or "music",
        f"{format_number(round(music.bpm, 2))}bpm" if music.bpm else "",
        _safe(_short_key(music.key)) if music.key else "",
        f"{music.bars}bar{'s' if music.bars > 1 else ''}" if music.bars else "",
        record.job_id,
    ]
    return "_".join(filter(None, parts))


def content_disposition(record: JobRecord, stored: str) -> str:
    """The header that makes a browser save the file under its name (RFC 6266), in UTF-8 if it needs more than ASCII."""
    plain, name = (file_name(record, stored, ascii_only=ascii_only) for ascii_only in (True, False))
    header = f'attachment; filename="{plain}"'
    return header if name == plain else f"{header}; filename*=UTF-8''{quote(name, safe='#')}"


@lru_cache(maxsize=1024)  # a client polls the same jobs again and again
def _words(title: str, prompt: str, *, ascii_only: bool) -> str:
    """The title, or the first words of the prompt, joined by hyphens."""
    text = title or _first_words(prompt)
    if not text.isascii():
        text = unicodedata.normalize("NFKD" if ascii_only else "NFC", text)
        text = text.encode("ascii", "ignore").decode() if ascii_only else text
    return re.sub(r"[\W_]+", "-", text)[:LONGEST_WORDS].strip("-")


def _first_words(prompt: str) -> str:
    phrases = (
        [word for word in phrase.lower().split() if any(map(str.isalnum, word))]
        for phrase in _PHRASE_ENDS.split(prompt)
    )
    words: list[str] = next(filter(None, phrases), [])
    while len(words) > 1 and words[0] in _ARTICLES:
        words = words[1:]
    words = words[:MOST_WORDS]
    while len(words) > 1 and words[-1] in _ARTICLES | _JOINING:
        words = words[:-1]
    return " ".join(words)


def _short_key(key: str) -> str:
    return key.replace(" minor", "min").replace(" major", "maj")


def _safe(name: str) -> str:
    """Without characters that a header or a file system may not have: records come from other programs, too."""
    return re.sub(r"[^A-Za-z0-9.#-]", "", name)
