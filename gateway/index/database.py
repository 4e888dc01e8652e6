"""Opens the SQLite database of the index, and decides whether a kept file can be continued.

The file is a copy of what NATS has, so it is never synchronised with the disk: a process that is killed loses nothing,
because the kernel has the writes. After a restart of the machine the file may be torn, and is made again.
"""

import os
import sqlite3
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from shared.errors import SettingsError
from shared.logs import get_logger

log = get_logger(__name__)

FILE = "records.sqlite"
# Memory for pages of the database, in KiB. The kernel caches the file as well, in memory that it can take back.
_CACHE = 16_384
# Pages of the log (4 KiB each) after which they are moved into the file.
_CHECKPOINT = 4_000
# Different for each start of the machine. Elsewhere than on Linux every file counts as torn.
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def open_database(folder: Path | None, schema: str) -> sqlite3.Connection:
    """Open the database in `folder`, or a temporary one that disappears with the connection.

    A kept file is continued if this machine has not restarted since and its `schema` is the same; else it is made
    again. While another gateway uses the folder, the database is a temporary one.

    Raises:
        SettingsError: if the folder cannot be used.
    """
    if folder is None:
        return _prepared(sqlite3.connect("", isolation_level=None), schema)
    path, identity = folder / FILE, _identity(schema)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # prompts are private; SQLite would let all read it
        try:
            connection = _opened(path)
            if identity and connection.execute("PRAGMA user_version").fetchone() == (identity,):
                return connection
            connection.close()
        except sqlite3.DatabaseError as error:
            if _is_locked(error):
                log.warning("another gateway uses the index, this one has a temporary copy", path=str(path))
                return open_database(None, schema)
            log.info("the kept index cannot be read and is made again", path=str(path), error=str(error))
        for suffix in ("", "-wal", "-journal"):
            with suppress(FileNotFoundError):
                Path(f"{path}{suffix}").unlink()
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = _prepared(_opened(path), schema)
        connection.execute(f"PRAGMA user_version = {identity}")
    except (OSError, sqlite3.OperationalError) as error:
        raise SettingsError(f"GATEWAY_INDEX_DIR must be a folder that the gateway can write: {error}.") from error
    return connection


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    # Locked for this process alone, so the log needs no shared memory.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    _tune(connection)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
    return connection


def _prepared(connection: sqlite3.Connection, schema: str) -> sqlite3.Connection:
    _tune(connection)
    connection.executescript(schema)
    return connection


def _tune(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(f"PRAGMA cache_size = -{_CACHE}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT}")


def _identity(schema: str) -> int:
    """A number for the schema on this start of the machine; 0 if the start is unknown."""
    if not _BOOT.exists():
        return 0
    digest = blake2b((_BOOT.read_text() + schema).encode(), digest_size=4).digest()
    return int.from_bytes(digest, signed=True) or 1


def _is_locked(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
