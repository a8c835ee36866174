"""Where annotations are kept: a SQLite file that several programs may work on at once."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit, Record, Review
from softcam_core.annotations.query import Query
from softcam_core.annotations.store_connection import NO_LOG, connect, use_log
from softcam_core.annotations.store_errors import told_in_words
from softcam_core.annotations.store_schema import bring_up_to_date, current_version, version_of
from softcam_core.annotations.stored_records import (
    Stored,
    as_written,
    case_of,
    later,
    name_of,
    read_body,
    read_case,
    read_stored,
    write_case,
    write_stored,
)
from softcam_core.annotations.summary import CaseSummary, read_summaries
from softcam_core.errors import AnnotationError, ConflictError

_AT_ONCE = 500  # records in memory while going through all


class AnnotationStore:
    """Annotations, reviews and the cases that they are about.

    Each edit is one transaction that is on the disk before `apply` returns: killed at any moment, a program loses at
    most the edit in flight. Several programs of one computer may read and write at once. On a network drive that works
    too, slower (see `remark`); people who work in different places better keep a store each, and merge.

    It has one connection, to be used from one thread at a time.

    Parameters
    ----------
    path : Path or str
        Made where it is not there; its folder is not. A store of an earlier version is brought up to date.
    read_only : bool
        Change nothing, and make nothing.
    busy_seconds : float
        How long to wait while another program writes.

    Raises
    ------
    AnnotationError
        When the file cannot be opened, is damaged, another program's, or of a newer version, or is read-only and
        `read_only` is not set. The other methods raise it too: where the file cannot be read or written, is locked,
        or its drive is full. What could not be written is not there in part, and may be tried again.
    """

    def __init__(self, path: Path | str, *, read_only: bool = False, busy_seconds: float = 5.0) -> None:
        self.path = Path(path)
        with told_in_words(self.path):
            self._db = connect(self.path, read_only=read_only, busy_seconds=busy_seconds)
        self._read_only = read_only
        self._remark = ""
        self._writes, self._seen = 0, 0
        with ExitStack() as undone:
            undone.callback(self._db.close)
            with told_in_words(self.path):
                self._open(busy_seconds)
            undone.pop_all()

    def _open(self, busy_seconds: float) -> None:
        version = version_of(self._db, self.path)
        if self._read_only:
            if version < current_version():
                reason = "is of an earlier version, and to be read only" if version else "is empty"
                raise AnnotationError(self.path, reason, "Open it once to be written, which makes its tables.")
        else:
            if not use_log(self._db, self.path, busy_seconds):
                self._remark = f"{self.path} {NO_LOG}."
            if version < current_version():
                with self._transaction("IMMEDIATE"):
                    bring_up_to_date(self._db, self.path)
        self._file = _identity(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        self._db.close()

    @property
    def remark(self) -> str:
        """What a person should know about the place of the store; "" for nothing."""
        return self._remark

    @property
    def version(self) -> int:
        """A number that grows whenever anybody, also another program, has written; asking costs microseconds."""
        with told_in_words(self.path):
            seen = int(self._db.execute("PRAGMA data_version").fetchone()[0])
        if seen != self._seen:
            self._seen = seen
            self._writes += 1
        return self._writes

    def register(self, *cases: CaseRecord) -> None:
        """Take up cases, which annotations can be about from then on, or bring what is known of them up to date.

        What a record has no UID or path for keeps the known one.
        """
        with told_in_words(self.path):
            if all(self._brought_up(case) == self.case(case.key) for case in cases):
                return
            with self.writing():
                for case in cases:
                    write_case(self._db, self._brought_up(case))

    def _brought_up(self, case: CaseRecord) -> CaseRecord:
        known = read_case(self._db, case.key)
        if known is None:
            return case
        uid, path = case.sop_instance_uid or known.sop_instance_uid, case.path or known.path
        return case.model_copy(update={"sop_instance_uid": uid, "path": path})

    def case(self, key: str) -> CaseRecord | None:
        """A case by its key; None for one that was not registered."""
        with told_in_words(self.path):
            return read_case(self._db, key)

    def cases(self) -> dict[str, CaseRecord]:
        """All cases by their keys."""
        with told_in_words(self.path):
            rows = self._db.execute("SELECT key, height, width, sop_instance_uid, path FROM cases ORDER BY key")
            return {row[0]: case_of(row) for row in rows}

    def of_case(self, key: str, frame: int | None = None) -> tuple[Annotation, ...]:
        """Annotations of a case, of one of its frames or of all, in the order they were made."""
        which, parameters = ("", (key,)) if frame is None else (" AND frame = ?", (key, frame))
        return tuple(
            self._annotations(
                "SELECT name, body FROM annotations JOIN records USING (number)"
                f" WHERE case_key = ?{which} ORDER BY created, number",
                parameters,
            )
        )

    def reviews_of(self, key: str) -> tuple[Review, ...]:
        """Reviews of a case, by reviewers' names."""
        return self._reviews(" WHERE case_key = ?", (key,))

    def reviews(self) -> tuple[Review, ...]:
        """All reviews, by cases and reviewers' names."""
        return self._reviews("", ())

    def apply(self, edit: Edit) -> None:
        """Write an edit, wholly or not at all.

        Parameters
        ----------
        edit : Edit
            What it says was there before must be what is there.

        Raises
        ------
        ConflictError
            When somebody else changed a record of it meanwhile.
        AnnotationError
            When it is about a case that was not registered, or cannot be written.
        ValueError
            For a change from one record into another, and for two changes of one record.
        """
        names = [_name_of_change(change) for change in edit.changes]
        if len(set(names)) < len(names):
            raise ValueError("an edit has one change for each record")
        changes = [
            Change(before=self._as_written(change.before), after=self._as_written(change.after))
            for change in edit.changes
        ]
        is_needed = any(change.before != change.after for change in changes)
        with self.writing() if is_needed else self.snapshot():
            now = time.time()
            for name, change in zip(names, changes, strict=True):
                known = read_stored(self._db, name, self.path)
                there = known.record if known else None
                if there != change.before:
                    raise _conflict(self.path, is_new=change.before is None, is_gone=there is None)
                if change.after == change.before:
                    continue
                if change.after is not None and read_case(self._db, change.after.case) is None:
                    advice = "Register the image first, from its file or from the export that it came with."
                    raise AnnotationError(self.path, f"knows no image {change.after.case}", advice)
                write_stored(self._db, Stored(name, later(now, known), change.after))

    def _as_written(self, record: Record | None) -> Record | None:
        return None if record is None else as_written(record, self.path)

    def find(self, query: Query, *, limit: int | None = None, offset: int = 0) -> tuple[Annotation, ...]:
        """Annotations that meet all conditions, newest first.

        Parameters
        ----------
        query : Query
        limit, offset : int
            How many at most, after how many others: a page.
        """
        condition, parameters = query.condition()
        # Only what is on the page is read whole.
        return tuple(
            self._annotations(
                "SELECT name, body FROM records JOIN (SELECT number, created FROM annotations"
                f" WHERE {condition} ORDER BY created DESC, number DESC LIMIT ? OFFSET ?) USING (number)"
                " ORDER BY created DESC, number DESC",
                (*parameters, -1 if limit is None else limit, offset),
            )
        )

    def count(self, query: Query) -> int:
        """How many annotations meet all conditions."""
        condition, parameters = query.condition()
        with told_in_words(self.path):
            return int(
                self._db.execute(f"SELECT count(*) FROM annotations WHERE {condition}", parameters).fetchone()[0]
            )

    def iterate(self, query: Query) -> Iterator[Annotation]:
        """As `find` does, with few in memory at a time; one that goes meanwhile is left out, new ones are too."""
        condition, parameters = query.condition()
        with told_in_words(self.path):
            numbers = self._db.execute(
                f"SELECT number FROM annotations WHERE {condition} ORDER BY created DESC, number DESC", parameters
            ).fetchall()
        for start in range(0, len(numbers), _AT_ONCE):
            wanted = json.dumps([number for (number,) in numbers[start : start + _AT_ONCE]])
            yield from list(
                self._annotations(
                    "SELECT name, body FROM json_each(?) JOIN records ON number = value"
                    " WHERE body IS NOT NULL ORDER BY json_each.key",
                    (wanted,),
                )
            )

    def summaries(self, keys: Collection[str] | None = None) -> dict[str, CaseSummary]:
        """What was said about each case in short, of all cases or of some, without those that nothing was said of."""
        with told_in_words(self.path), self.snapshot():
            return read_summaries(self._db, keys)

    def tally(self) -> dict[tuple[str, str, str, str], int]:
        """Number of annotations by verdict, class, reviewer and model's name."""
        columns = "verdict, class_name, reviewer, model_name"
        with told_in_words(self.path):
            rows = self._db.execute(
                f"SELECT {columns}, count(*) FROM annotations GROUP BY {columns} ORDER BY {columns}"
            )
            return {tuple(row[:4]): row[4] for row in rows}

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all that is read within be of one moment, though others write; may lie within another, or `writing`."""
        with told_in_words(self.path), self._transaction("DEFERRED"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let nobody else write, and write all that is written within, or nothing; may lie within another."""
        if self._read_only:
            raise AnnotationError(self.path, "was opened to be read only", "Open it to be written.")
        if _identity(self.path) != self._file:
            advice = "Put it back, or open it again; what was written before went with it."
            raise AnnotationError(self.path, "was moved, deleted or replaced while it was open", advice)
        with told_in_words(self.path), self._transaction("IMMEDIATE"):
            version_of(self._db, self.path)  # newer software may have brought it further meanwhile
            yield
        self._writes += 1

    def stored(self) -> Iterator[Stored]:
        """All records that ever were, removed ones too; to be read in one go."""
        with told_in_words(self.path):
            for name, written, body in self._db.execute("SELECT name, written, body FROM records ORDER BY number"):
                yield Stored(name, written, None if body is None else read_body(name, body, self.path))

    def stored_as(self, name: str) -> Stored | None:
        """A record by its name, also a removed one."""
        with told_in_words(self.path):
            return read_stored(self._db, name, self.path)

    def put(self, *entries: Stored | CaseRecord) -> None:
        """Write records and cases as another store has them, whatever is here; only within `writing`."""
        for entry in entries:
            if isinstance(entry, CaseRecord):
                write_case(self._db, entry)
            else:
                write_stored(self._db, entry)

    def _annotations(self, question: str, parameters: Iterable[object]) -> Iterator[Annotation]:
        with told_in_words(self.path):
            for name, body in self._db.execute(question, tuple(parameters)):
                record = read_body(name, body, self.path)
                if isinstance(record, Annotation):
                    yield record

    def _reviews(self, which: str, parameters: tuple[str, ...]) -> tuple[Review, ...]:
        question = f"SELECT name, body FROM reviews JOIN records USING (number){which} ORDER BY case_key, reviewer"
        with told_in_words(self.path):
            found = [read_body(name, body, self.path) for name, body in self._db.execute(question, parameters)]
        return tuple(review for review in found if isinstance(review, Review))

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[None]:
        is_part = self._db.in_transaction
        self._db.execute("SAVEPOINT part" if is_part else f"BEGIN {kind}")
        with ExitStack() as undone:
            undone.callback(self._take_back, is_part=is_part)
            yield
            self._db.execute("RELEASE part" if is_part else "COMMIT")
            undone.pop_all()

    def _take_back(self, *, is_part: bool) -> None:
        # SQLite has taken back by itself what it had no space for.
        if self._db.in_transaction:
            for statement in ("ROLLBACK TO part", "RELEASE part") if is_part else ("ROLLBACK",):
                self._db.execute(statement)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another at the same place; None where there is none."""
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _name_of_change(change: Change) -> str:
    names = {name_of(record) for record in (change.before, change.after) if record is not None}
    if len(names) != 1:
        raise ValueError("a change is of one record")
    return names.pop()


def _conflict(path: Path, *, is_new: bool, is_gone: bool) -> ConflictError:
    done = "was added by somebody else before" if is_new else "was removed" if is_gone else "was changed"
    by = "" if is_new else " by somebody else meanwhile"
    return ConflictError(path, f"what was to be edited {done}{by}", "Look at what is there now, and edit that.")
