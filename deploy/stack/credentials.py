"""Passwords and keys of the embedded servers, generated at the first start and kept in a file of mode 0600."""

import json
import os
import secrets
import string
from pathlib import Path

import msgspec

from shared.errors import MusicgenError
from shared.messages import UNDECODABLE
from shared.uploaded_files import UPLOADS_PREFIX

CREDENTIALS_FILE = "credentials.json"

_ALPHABET = string.ascii_letters + string.digits


class S3Keys(msgspec.Struct, frozen=True):
    """An access key and its secret key."""

    access_key: str
    secret_key: str


class Credentials(msgspec.Struct, frozen=True):
    """One password or key pair for each role."""

    nats_passwords: dict[str, str]
    s3_keys: dict[str, S3Keys]

    def nats_environment(self) -> dict[str, str]:
        """Return the variables that `nats.conf` refers to."""
        return {f"NATS_{role.upper()}_PASSWORD": password for role, password in self.nats_passwords.items()}

    def s3_configuration(self, bucket: str) -> str:
        """Return SeaweedFS identities: the worker reads and writes, the gateway reads, the operator may do anything.

        The gateway also writes what clients upload.
        """
        actions = {
            "worker": [f"{verb}:{bucket}" for verb in ("Read", "Write", "List", "Tagging")],
            "gateway": [f"Read:{bucket}", f"List:{bucket}", f"Write:{bucket}/{UPLOADS_PREFIX}*"],
            "operator": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        identities = [
            {
                "name": role,
                "credentials": [{"accessKey": keys.access_key, "secretKey": keys.secret_key}],
                "actions": actions[role],
            }
            for role, keys in self.s3_keys.items()
        ]
        return json.dumps({"identities": identities}, indent=2)


def load_credentials(data_dir: Path) -> Credentials:
    """Return the credentials of this data folder; generate them at the first call.

    Raises:
        MusicgenError: if the file is unreadable or damaged.
    """
    file = data_dir / CREDENTIALS_FILE
    if not file.exists():
        credentials = Credentials(
            nats_passwords={role: _secret() for role in ("gateway", "worker", "operator", "observer")},
            s3_keys={role: S3Keys(_secret(20), _secret()) for role in ("gateway", "worker", "operator")},
        )
        write_private(file, msgspec.json.format(msgspec.json.encode(credentials)).decode())
    try:
        return msgspec.json.decode(file.read_bytes(), type=Credentials)
    except OSError as error:
        raise MusicgenError(f"{file} cannot be read: {error.strerror}. Run this command as its owner.") from error
    except UNDECODABLE as error:
        raise MusicgenError(f"{file} is damaged: {error}. Delete it; the next start generates a new one.") from error


def write_private(file: Path, text: str) -> None:
    """Write a file atomically that only its owner can read."""
    draft = file.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    draft.replace(file)


def bearer(key: str) -> dict[str, str]:
    """Return the Authorization header for an API key; no header without a key."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def _secret(length: int = 40) -> str:
    """Return letters and digits that start with a letter; nats-server could read other values as numbers."""
    first = secrets.choice(string.ascii_letters)
    return first + "".join(secrets.choice(_ALPHABET) for _ in range(length - 1))
