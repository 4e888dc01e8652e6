"""API keys identify clients. Only the SHA-256 of each key is kept, which suffices for random keys."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from pathlib import Path

from shared.errors import SettingsError
from shared.settings import Settings

MIN_KEY_LENGTH = 16
MAX_KEY_LENGTH = 256

# Characters that are valid in both an HTTP header and a WebSocket subprotocol.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_KEY = re.compile(rf"[A-Za-z0-9._~-]{{{MIN_KEY_LENGTH},{MAX_KEY_LENGTH}}}")

# Characters in a key file: enough for some ten thousand keys.
MAX_FILE_SIZE = 1024 * 1024


class ApiKeys:
    """The accepted API keys. Without any key the gateway is open to everyone.

    Args:
        pairs: name and key. A name may have two keys, so that a key can be rotated without downtime.

    Raises:
        ValueError: if two names have the same key.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._names: dict[bytes, str] = {}
        for name, key in pairs:
            if self._names.setdefault(_digest(key), name) != name:
                raise ValueError(f"{self._names[_digest(key)]} and {name} have the same key")

    def __bool__(self) -> bool:
        return bool(self._names)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._names.values())

    def name_of(self, key: str) -> str | None:
        """The name of a key, or None. Constant time: valid and invalid keys take equally long."""
        digest, found = _digest(key), None
        for known, name in self._names.items():
            if hmac.compare_digest(known, digest):
                found = name
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()


def load_keys(settings: Settings) -> ApiKeys:
    """Load the keys of API_KEYS and API_KEYS_FILE.

    Raises:
        SettingsError: if they are invalid. The message never contains a key.
    """
    try:
        return ApiKeys(read_pairs(settings))
    except ValueError as error:
        raise SettingsError(f"API_KEYS: {error}. Give each its own: `openssl rand -hex 24` makes one.") from error


def read_pairs(settings: Settings) -> list[tuple[str, str]]:
    """The pairs of name and key; those of API_KEYS come first.

    Raises:
        SettingsError: as `load_keys`.
    """
    found = [_pair("API_KEYS", text) for text in _split(settings.api_keys)]
    if settings.api_keys_file:
        lines = _read(settings.api_keys_file).splitlines()
        texts = [text for line in lines for text in _split(line.partition("#")[0])]
        if not texts:
            raise SettingsError(f"API_KEYS_FILE: {settings.api_keys_file} has no keys. Write NAME:KEY lines into it.")
        found += [_pair("API_KEYS_FILE", text) for text in texts]
    return found


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _read(file: str) -> str:
    try:
        with Path(file).open(encoding="ascii") as opened:
            text = opened.read(MAX_FILE_SIZE + 1)  # the path may name an endless device
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it contains characters other than ASCII"
        raise SettingsError(
            f"API_KEYS_FILE: {file} cannot be read: {reason}. Name a file of NAME:KEY lines."
        ) from error
    if len(text) > MAX_FILE_SIZE or "\0" in text:
        raise SettingsError(f"API_KEYS_FILE: {file} is not a text file of NAME:KEY lines. Name one.")
    return text


def _pair(variable: str, text: str) -> tuple[str, str]:
    name, colon, key = text.partition(":")
    if not colon or not _NAME.fullmatch(name):  # without a colon the text may be a key: do not show it
        raise SettingsError(
            f"{variable} must be comma-separated NAME:KEY pairs, such as daw:KEY. "
            "A name has 1 to 32 letters, digits, - and _."
        )
    if not _KEY.fullmatch(key):
        raise SettingsError(
            f"{variable} must be NAME:KEY pairs; the key of {name} needs {MIN_KEY_LENGTH} to {MAX_KEY_LENGTH} letters, "
            "digits and . _ ~ - chosen at random. `openssl rand -hex 24` makes one."
        )
    return name, key
