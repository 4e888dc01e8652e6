"""Job ids: `gen_` and twelve characters of a–z and 0–9. Safe in subjects, KV keys, paths and URLs."""

import hashlib
import re
import secrets
import string

_ALPHABET = string.ascii_lowercase + string.digits
_LENGTH = 12
JOB_ID_PATTERN = rf"^gen_[a-z0-9]{{{_LENGTH}}}$"
_FORMAT = re.compile(JOB_ID_PATTERN)


def new_job_id() -> str:
    """A random id: 62 bits."""
    return _job_id(secrets.randbelow(len(_ALPHABET) ** _LENGTH))


def job_id_for(idempotency_key: str) -> str:
    """The job id derived from an idempotency key: the same key always gives the same id."""
    return _job_id(int.from_bytes(hashlib.sha256(idempotency_key.encode()).digest()))


def _job_id(number: int) -> str:
    """The id of a number's last twelve digits in base 36."""
    characters = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return "gen_" + "".join(characters)


def is_job_id(text: str) -> bool:
    """Whether `text` is a well-formed job id. Callers check this before they use it in NATS or S3."""
    return _FORMAT.fullmatch(text) is not None
