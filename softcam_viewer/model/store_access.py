"""The store of annotations as the viewer reaches it, from one lane; the window's thread only queues edits."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit
from softcam_core.errors import AnnotationError, ConflictError
from softcam_viewer.model.case_records import Records, record_id, records_of

if TYPE_CHECKING:
    from softcam_core.annotations.query import Query
    from softcam_core.annotations.store import AnnotationStore
    from softcam_core.annotations.summary import CaseSummary

NAME = "annotations.sqlite"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An edit that is to be written.

    Attributes
    ----------
    edit : Edit
    records : tuple of CaseRecord
        Of the cases that it is of, as far as they are known.
    """

    edit: Edit
    records: tuple[CaseRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing.

    Attributes
    ----------
    done : tuple of Entry
        That are in the store now.
    refused : tuple of (Entry, str)
        That somebody else came before with, and why; they are not tried again.
    problem : str
        Why the others wait, "" where none does.
    """

    done: tuple[Entry, ...] = ()
    refused: tuple[tuple[Entry, str], ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FoundCase:
    """A case as the store knows it.

    Attributes
    ----------
    key : str
    records : Records
    problem : str
        Why they cannot be read, "" where they can.
    """

    key: str
    records: Records = field(default_factory=dict)
    problem: str = ""


class StoreAccess:
    """A store that is opened when it is there and wanted, and made with the first edit.

    All but `put` and `waiting` belong to one lane, or to whoever comes when that has ended.

    Parameters
    ----------
    path : Path or None
        None for a store that is thrown away in the end.
    makes_folder : bool
        Make its folder where that is not there.
    """

    def __init__(self, path: Path | None, *, makes_folder: bool = False) -> None:
        self.path, self._makes_folder = path, makes_folder
        self._own_folder = ""
        self._store: AnnotationStore | None = None
        self._seen = 0
        self._is_stale = False
        self._registered: dict[str, CaseRecord] = {}
        self._queue: deque[Entry] = deque()

    # From any thread

    def put(self, entry: Entry) -> None:
        """Queue an edit, which `write` writes."""
        self._queue.append(entry)

    @property
    def waiting(self) -> tuple[Entry, ...]:
        """What is not written yet."""
        return tuple(self._queue)

    # Writing

    def write(self) -> Written:
        """Write what is queued by now, each edit by itself and in its order, as far as it can be."""
        done: list[Entry] = []
        refused: list[tuple[Entry, str]] = []
        try:
            store = self._to_write()
            nobody_else = store.version == self._seen
            for _ in range(len(self._queue)):  # what comes meanwhile is for the next time: these can be told of
                entry = self._queue[0]
                self._register(store, entry.records)
                try:
                    store.apply(entry.edit)
                except ConflictError as error:
                    refused.append((entry, str(error)))
                else:
                    done.append(entry)
                self._queue.popleft()
            if nobody_else:  # else what others wrote is still to be noticed
                self._seen = store.version
        except AnnotationError as error:
            self._let_go()  # opened anew it may be another file, or one that can be written again
            self._is_stale = True
            return Written(tuple(done), tuple(refused), str(error))
        return Written(tuple(done), tuple(refused))

    def _register(self, store: AnnotationStore, records: tuple[CaseRecord, ...]) -> None:
        for record in records:
            if self._registered.get(record.key) != record:
                store.register(record)
                self._registered[record.key] = record

    def copy_waiting(self, path: Path) -> None:
        """Write what is not written yet to another store, which can be merged later; raises AnnotationError."""
        from softcam_core.annotations.store import AnnotationStore

        waiting = self.waiting
        with AnnotationStore(path) as store:
            known: set[str] = set()
            for entry in waiting:
                for record in entry.records:
                    store.register(record)
                # What an edit begins with is in the store that cannot be written to.
                first = [
                    change.before
                    for change in entry.edit.changes
                    if change.before is not None and record_id(change.before) + change.before.case not in known
                ]
                changes = tuple(Change(before=None, after=record) for record in first)
                if changes:
                    store.apply(Edit(title=entry.edit.title, changes=changes))
                store.apply(entry.edit)
                records = (record for change in entry.edit.changes for record in (change.before, change.after))
                known |= {record_id(record) + record.case for record in records if record is not None}

    # Reading

    def find_case(self, path: Path, uid: str, key: str = "") -> FoundCase:
        """What an image file is known by, and what is said about it; raises ImageReadError."""
        from softcam_core.annotations.identity import case_key

        key = key or case_key(path, uid)
        try:
            store = self._to_read()
            if store is None:
                return FoundCase(key)
            return FoundCase(key, records_of(store.of_case(key), store.reviews_of(key)))
        except AnnotationError as error:
            return FoundCase(key, problem=str(error))

    def record_of(self, path: Path, uid: str) -> CaseRecord:
        """A file that is not in view, as the store is to know it; raises ImageReadError."""
        from softcam_core.annotations.identity import case_key
        from softcam_core.imaging.readers import read_image

        height, width = read_image(path, 0).size
        return CaseRecord(key=case_key(path, uid), height=height, width=width, sop_instance_uid=uid, path=str(path))

    def look(self) -> bool:
        """Whether anybody else has written since this was asked last."""
        store = self._to_read()
        if store is None:
            return False
        version, self._seen = self._seen, store.version
        was_stale, self._is_stale = self._is_stale, False
        return was_stale or version != self._seen

    def summaries(self) -> dict[str, CaseSummary]:
        """What is said about all cases, in short."""
        store = self._to_read()
        return {} if store is None else store.summaries()

    def count(self, query: Query) -> int:
        """How many annotations there are."""
        store = self._to_read()
        return 0 if store is None else store.count(query)

    def find(self, query: Query, limit: int, offset: int) -> tuple[tuple[Annotation, CaseRecord | None], ...]:
        """Annotations, newest first, and the images that they are on."""
        store = self._to_read()
        if store is None:
            return ()
        found = store.find(query, limit=limit, offset=offset)
        cases = {key: store.case(key) for key in {annotation.case for annotation in found}}
        return tuple((annotation, cases[annotation.case]) for annotation in found)

    # Opening

    def _to_read(self) -> AnnotationStore | None:
        if self._store is None and self.path is not None and self.path.exists():
            self._open(self.path)
        return self._store

    def _to_write(self) -> AnnotationStore:
        if self._store is None:
            if self.path is None:
                self._own_folder = tempfile.mkdtemp(prefix="softcam-")
                self.path = Path(self._own_folder) / NAME
            if self._makes_folder:
                self._make_folder(self.path.parent)
            return self._open(self.path)
        return self._store

    @staticmethod
    def _make_folder(folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AnnotationError(folder, f"cannot be made: {error.strerror}", "Check its permissions.") from error

    def _open(self, path: Path) -> AnnotationStore:
        from softcam_core.annotations.store import AnnotationStore

        self._store = store = AnnotationStore(path)
        self._seen = store.version
        self._registered.clear()
        return store

    def _let_go(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def close(self) -> None:
        """Let go of the store."""
        self._let_go()
        if self._own_folder:
            shutil.rmtree(self._own_folder, ignore_errors=True)
            self.path, self._own_folder = None, ""
