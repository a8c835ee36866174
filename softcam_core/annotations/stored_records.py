"""How annotations, reviews and cases lie in the tables of a store."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from softcam_core.annotations.annotation import Annotation, CaseRecord, Record, Review
from softcam_core.annotations.query import words_of
from softcam_core.annotations.store_errors import damaged
from softcam_core.errors import AnnotationError

_TICK = 1e-6  # seconds


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as a store has it.

    Attributes
    ----------
    name : str
        What it is known by in every store.
    written : float
        When it was written or removed last, wherever that was; seconds since 1970, UTC.
    record : Annotation, Review or None
        None for a removed one.
    """

    name: str
    written: float
    record: Record | None


def name_of(record: Record) -> str:
    """What a record is known by: the id of an annotation, the case and the reviewer of a review."""
    return record.id if isinstance(record, Annotation) else json.dumps([record.case, record.reviewer])


def as_written(record: Record, path: Path) -> Record:
    """The record as it will be read again.

    Raises
    ------
    AnnotationError
        When it would not be read: copies of records are not checked where they are made.
    """
    try:
        return type(record).model_validate_json(record.model_dump_json(warnings="none"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise AnnotationError(
            path, f"cannot hold this annotation: {where}: {first['msg']}", "Change it and save it again."
        ) from error
    except PydanticSerializationError as error:
        raise AnnotationError(path, f"cannot hold this annotation: {error}", "Change it and save it again.") from error


def read_body(name: str, body: str, path: Path) -> Record:
    """The record that is written in a body."""
    model = Review if name.startswith("[") else Annotation
    try:
        record: Record = model.model_validate_json(body)
    except ValidationError as error:
        raise damaged(path, f"the record {name} cannot be read") from error
    if name_of(record) != name:
        raise damaged(path, f"the record {name} is that of another")
    return record


def read_stored(connection: sqlite3.Connection, name: str, path: Path) -> Stored | None:
    """A record by its name; None for one that never was."""
    row = connection.execute("SELECT written, body FROM records WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    written, body = row
    return Stored(name, written, None if body is None else read_body(name, body, path))


def later(now: float, before: Stored | None) -> float:
    """When something is written that replaces what was there before, though a clock may have been put back."""
    return now if before is None else max(now, before.written + _TICK)


def write_stored(connection: sqlite3.Connection, stored: Stored) -> None:
    """Put a record where one of its name was, or nothing was."""
    record = stored.record
    body = None if record is None else record.model_dump_json()
    connection.execute(
        "INSERT INTO records (name, written, body) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET written = excluded.written, body = excluded.body",
        (stored.name, stored.written, body),
    )
    (number,) = connection.execute("SELECT number FROM records WHERE name = ?", (stored.name,)).fetchone()
    for table in ("annotations", "reviews"):
        connection.execute(f"DELETE FROM {table} WHERE number = ?", (number,))
    if isinstance(record, Annotation):
        found_by: tuple[object, ...] = (
            *(number, record.case, record.frame, record.verdict, record.class_name, record.reviewer),
            *(record.model_name, record.model_sha256, record.created, record.modified, words_of(record)),
        )
        connection.execute("INSERT INTO annotations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", found_by)
    elif record is not None:
        found_by = (number, record.case, record.reviewer, record.status)
        connection.execute("INSERT INTO reviews VALUES (?, ?, ?, ?)", found_by)


def read_case(connection: sqlite3.Connection, key: str) -> CaseRecord | None:
    """A case by its key."""
    row = connection.execute(
        "SELECT key, height, width, sop_instance_uid, path FROM cases WHERE key = ?", (key,)
    ).fetchone()
    return None if row is None else case_of(row)


def case_of(row: tuple[str, int, int, str, str]) -> CaseRecord:
    """A case from its row."""
    key, height, width, uid, path = row
    return CaseRecord(key=key, height=height, width=width, sop_instance_uid=uid, path=path)


def write_case(connection: sqlite3.Connection, case: CaseRecord) -> None:
    """Put a case where one of its key was, or nothing was."""
    connection.execute(
        "INSERT INTO cases (key, height, width, sop_instance_uid, path)"
        " VALUES (:key, :height, :width, :sop_instance_uid, :path)"
        " ON CONFLICT (key) DO UPDATE SET height = excluded.height, width = excluded.width,"
        " sop_instance_uid = excluded.sop_instance_uid, path = excluded.path",
        case.model_dump(),
    )
