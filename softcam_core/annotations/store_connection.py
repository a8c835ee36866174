"""Opening the file of a store."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote_from_bytes

from softcam_core.annotations.network_drives import is_on_network_drive
from softcam_core.errors import AnnotationError

_CACHE_KIB = 32 * 1024
_PAUSE = 0.02  # seconds between two tries
NO_LOG = (
    "is on a network drive or one without shared memory: it is used without a write-ahead log, so that people who "
    "read and people who write wait for each other"
)


def connect(path: Path, *, read_only: bool, busy_seconds: float) -> sqlite3.Connection:
    """Open a file, and make it where it is not there and may be written.

    Raises
    ------
    AnnotationError
        When there is a folder, no file to read, no folder to write in, or a read-only file that is to be written.
    """
    if path.is_dir():
        raise AnnotationError(path, "is a folder", "Choose a file for the store of annotations.")
    if not path.parent.is_dir():
        advice = f"Make the folder {path.parent} or connect its drive, or choose another place for the store."
        raise AnnotationError(path, "cannot be opened: its folder is not there", advice)
    if read_only and not path.exists():
        raise AnnotationError(path, "is not there", "Check the path.")
    if not read_only and path.exists() and not (_may_write(path) and _may_write(path.parent)):
        raise AnnotationError(path, "is read-only", "Make the file and its folder writable, or work on a copy of it.")
    mode = "rwc"
    if read_only:
        # What nobody writes can be read where not even the small files beside a store can be made.
        mode = "ro" if _has_log(path) or _may_write(path.parent) else "ro&immutable=1"
    connection = sqlite3.connect(
        f"{_uri(path)}?mode={mode}", timeout=busy_seconds, isolation_level=None, check_same_thread=False, uri=True
    )
    try:
        for setting in ("foreign_keys = ON", "synchronous = FULL", f"cache_size = -{_CACHE_KIB}"):
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def use_log(connection: sqlite3.Connection, path: Path, busy_seconds: float) -> bool:
    """Have changes written to a write-ahead log, which lets others read meanwhile; False where that cannot be.

    The log's index is memory that all programs share, which those of two computers do not: on network drives a store
    keeps SQLite's older journal (https://www.sqlite.org/wal.html). Either way an edit is there wholly or not at all.
    """
    wanted = "delete" if is_on_network_drive(path) else "wal"
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            found = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0]
            return bool(found == "wal")
        except sqlite3.OperationalError as error:
            # The switch does not wait as other statements do.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)


def _has_log(path: Path) -> bool:
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _uri(path: Path) -> str:
    place = quote_from_bytes(os.fsencode(path.absolute().as_posix()), safe="/:")
    return f"file://{place}" if place.startswith("/") else f"file:///{place}"
