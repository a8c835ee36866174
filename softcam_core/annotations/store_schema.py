"""The tables of a store of annotations, and how a store of an earlier version is brought up to date."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from softcam_core.annotations.store_errors import damaged
from softcam_core.errors import AnnotationError

APPLICATION_ID = 0x53434D41
"""What tells a store from SQLite files of other programs ("SCMA")."""

Statements = tuple[str, ...]

MIGRATIONS: tuple[Statements, ...] = (
    (
        """CREATE TABLE cases (
            key TEXT NOT NULL PRIMARY KEY,
            height INTEGER NOT NULL,
            width INTEGER NOT NULL,
            sop_instance_uid TEXT NOT NULL,
            path TEXT NOT NULL
        )""",
        # Every annotation and review that ever was, with the time it was written last. Of a removed one the name stays,
        # so that a merge knows; its content is gone.
        """CREATE TABLE records (
            number INTEGER NOT NULL PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            written REAL NOT NULL,
            body TEXT
        )""",
        # What annotations and reviews are found by. Apart from their content, so that all can be looked through fast.
        """CREATE TABLE annotations (
            number INTEGER NOT NULL PRIMARY KEY REFERENCES records,
            case_key TEXT NOT NULL REFERENCES cases,
            frame INTEGER NOT NULL,
            verdict TEXT NOT NULL,
            class_name TEXT NOT NULL,
            reviewer TEXT NOT NULL,
            model_name TEXT NOT NULL,
            model_sha256 TEXT NOT NULL,
            created REAL NOT NULL,
            modified REAL NOT NULL,
            words TEXT NOT NULL
        )""",
        "CREATE INDEX annotations_of_case ON annotations (case_key, verdict, reviewer)",
        "CREATE INDEX annotations_by_time ON annotations (created, number)",
        """CREATE TABLE reviews (
            number INTEGER NOT NULL PRIMARY KEY REFERENCES records,
            case_key TEXT NOT NULL REFERENCES cases,
            reviewer TEXT NOT NULL,
            status TEXT NOT NULL,
            UNIQUE (case_key, reviewer)
        )""",
    ),
)
"""What brings a store of version i to i + 1, for each i from 0 (an empty file); never changed once published."""


def current_version() -> int:
    """Of stores that this software writes."""
    return len(MIGRATIONS)


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """Version of a store, 0 for an empty file.

    Raises
    ------
    AnnotationError
        For another program's file, and for a store of a newer version.
    """
    version, application, objects = (
        int(connection.execute(question).fetchone()[0])
        for question in ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
    )
    if application != APPLICATION_ID and (version, application, objects) != (0, 0, 0):
        advice = "Choose a file that was made by this software."
        raise AnnotationError(path, "is not a store of annotations but another program's SQLite file", advice)
    if application == APPLICATION_ID and version < 1:
        raise damaged(path, f"its version is {version}")
    if version > current_version():
        raise AnnotationError(
            path,
            f"was written by a newer version of this software: it is of version {version}, "
            f"and this software knows stores up to version {current_version()}",
            "Use the newer software, and close older windows. Nothing in the store was changed.",
        )
    return version


def bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new store, or change those of an earlier version, wholly or not at all.

    Within a transaction that has the right to write, in which no other program can be at the same.
    """
    version = version_of(connection, path)
    if version == 0:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {current_version()}")
