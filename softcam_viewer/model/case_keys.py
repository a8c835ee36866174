"""What the open files are known by in annotations, found in the background."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from softcam_core.errors import ImageReadError

if TYPE_CHECKING:
    from softcam_viewer.jobs.lanes import Lane
    from softcam_viewer.model.backend import OpenedImage
    from softcam_viewer.model.cases import Case, CaseList

READ_AT_ONCE = 8
"""Files that are read to know them before somebody else has a turn; those that tell an identifier are not read."""


class CaseKeys(QObject):
    """Keys of the files that are open (`softcam_core.annotations.identity`).

    Parameters
    ----------
    cases : CaseList
    lane : Lane
        For what can wait.
    """

    found = Signal(object)  # keys that became known: a tuple of str

    def __init__(self, cases: CaseList, lane: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cases, self._lane = cases, lane
        self._keys: dict[Path, tuple[Hashable, str]] = {}
        self._rows: dict[str, list[int]] = {}
        self._scan: object | None = None
        cases.modelReset.connect(self._on_reset)

    def key_of(self, path: Path, stamp: Hashable = None) -> str:
        """Key of a file, "" where it is not known, or where it was not known of the file as it is now.

        Parameters
        ----------
        path : Path
        stamp : hashable, optional
            Another one once the file has changed.
        """
        known, key = self._keys.get(path, (None, ""))
        return key if stamp is None or stamp == known else ""

    def rows_of(self, key: str) -> tuple[int, ...]:
        """Rows of the worklist that show a case: none where it is not open, several where its file is there twice."""
        return tuple(self._rows.get(key, ()))

    def learn(self, path: Path, key: str, stamp: Hashable = None) -> None:
        """A key was found."""
        before = self._keys.get(path, (None, ""))[1]
        self._keys[path] = stamp, key
        row = self._cases.row_of(path)
        if row is None or before == key:
            return
        if row in self._rows.get(before, ()):
            self._rows[before].remove(row)
        self._rows.setdefault(key, []).append(row)
        self.found.emit((key,))

    def find_all(self) -> None:
        """Find the keys of all files whose headers are known, a few at a time, those first that need not be read."""
        if self._scan is not None:
            return
        open_cases = [case for case in self._cases.snapshot if case.header is not None and not self.key_of(case.path)]
        left = sorted(open_cases, key=lambda case: not uid_of(case))
        if left:
            self._scan = object()
            self._find_next(self._scan, left)

    def _find_next(self, scan: object, left: list[Case]) -> None:
        if scan is not self._scan or not left:
            self._scan = None if scan is self._scan else self._scan
            return
        count = next((n for n, case in enumerate(left) if not uid_of(case)), len(left)) or READ_AT_ONCE
        now = [(case.path, uid_of(case)) for case in left[:count]]
        found = partial(self._on_found, scan, left[count:])
        self._lane.submit(partial(find_keys, now), found, partial(self._on_failed, scan))

    def _on_found(self, scan: object, left: list[Case], keys: dict[Path, str]) -> None:
        if scan is not self._scan:  # other files have been opened meanwhile
            return
        for path, key in keys.items():
            row = self._cases.row_of(path)
            if row is not None and path not in self._keys:
                self._keys[path] = None, key
                self._rows.setdefault(key, []).append(row)
        self.found.emit(tuple(keys.values()))
        self._find_next(scan, left)

    def _on_failed(self, scan: object, _message: str) -> None:
        self._scan = None if scan is self._scan else self._scan

    def _on_reset(self) -> None:
        self._scan = None
        self._rows.clear()
        for path, (_, key) in self._keys.items():
            row = self._cases.row_of(path)
            if row is not None:
                self._rows.setdefault(key, []).append(row)
        if self._rows:  # files that were open before
            self.found.emit(tuple(self._rows))


def stamp_of(opened: OpenedImage) -> Hashable:
    """What tells a file from others, and from what it was before; the same for all its frames."""
    path, _frame, *rest = opened.key
    return path, *rest


def uid_of(case: Case) -> str:
    """SOP Instance UID of a DICOM file, "" for others and before its header was read."""
    return "" if case.header is None else case.header.identity.instance_uid


def find_keys(files: list[tuple[Path, str]]) -> dict[Path, str]:
    """Keys of files with their SOP Instance UIDs; those that cannot be read have none, and say why when opened."""
    from softcam_core.annotations.identity import case_key

    keys = {}
    for path, uid in files:
        try:
            keys[path] = case_key(path, uid)
        except ImageReadError:
            continue
    return keys
