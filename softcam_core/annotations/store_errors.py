"""What SQLite says went wrong, in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from softcam_core.errors import AnnotationError

_RESCUE = (
    "Keep the file as it is, and put its last copy or export in its place; `sqlite3 FILE .recover` may save the rest."
)
_REASONS = {
    sqlite3.SQLITE_BUSY: (
        "is locked by another program",
        "Try again in a moment; if it stays so, close what else has it open.",
    ),
    sqlite3.SQLITE_READONLY: ("is read-only", "Make the file and its folder writable, or work on a copy of it."),
    sqlite3.SQLITE_FULL: (
        "cannot be written: there is no more space",
        "Make room and try again; nothing that was saved is lost.",
    ),
    sqlite3.SQLITE_IOERR: (
        "cannot be read or written: its drive failed or went away",
        "Check the drive and its free space, then try again; nothing that was saved before is lost.",
    ),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check the path, and the permissions of the file and its folder."),
    sqlite3.SQLITE_PERM: ("cannot be opened", "Check the path, and the permissions of the file and its folder."),
    sqlite3.SQLITE_NOTADB: ("is not a store of annotations", "Choose a file that was made by this software."),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _RESCUE),
}


@contextmanager
def told_in_words(path: Path) -> Iterator[None]:
    """Turn errors of SQLite, which it finds in the file or in the system, into AnnotationError."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise  # ours
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        reason, advice = _REASONS.get(code, (f"cannot be used: {error}", _RESCUE))
        raise AnnotationError(path, reason, advice) from error


def damaged(path: Path, what: str) -> AnnotationError:
    """For content that no version of this software writes."""
    return AnnotationError(path, f"is damaged: {what}", _RESCUE)
