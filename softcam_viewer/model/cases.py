"""The worklist: files that are open, and what is known about each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

AnyIndex = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A file in the worklist.

    Attributes
    ----------
    path : Path
    thumbnail : ndarray, (S, S) or (S, S, 3) uint8, or None
        Not read yet where None.
    prediction : (str, float) or None
        Class with the highest probability and that probability, from the model in use.
    frames : int
    error : str
        Why it cannot be read, "" where it can or has not been tried.
    """

    path: Path
    thumbnail: npt.NDArray[np.uint8] | None = None
    prediction: tuple[str, float] | None = None
    frames: int = 1
    error: str = field(default="")


class CaseList(QAbstractListModel):
    """The worklist as Qt's views read it."""

    CASE_ROLE = Qt.ItemDataRole.UserRole + 1

    # A row was shown whose preview is not known yet.
    preview_wanted = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cases: list[Case] = []
        self._asked: set[int] = set()

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, row: int) -> Case:
        return self._cases[row]

    def reset(self, paths: list[Path]) -> None:
        """Replace all cases."""
        self.beginResetModel()
        self._cases = [Case(path) for path in paths]
        self._asked.clear()
        self.endResetModel()

    def update_case(self, row: int, **changes: Any) -> None:  # noqa: ANN401 - fields of Case
        """Change what is known about a case."""
        self._cases[row] = replace(self._cases[row], **changes)
        index = self.index(row)
        self.dataChanged.emit(index, index)

    def forget_predictions(self) -> None:
        """Drop what an earlier model said; previews are asked for anew."""
        self._cases = [replace(case, prediction=None) for case in self._cases]
        self._asked.clear()
        if self._cases:
            self.dataChanged.emit(self.index(0), self.index(len(self._cases) - 1))

    def row_of(self, path: Path) -> int | None:
        """Row of a file, None where it is not in the list."""
        return next((row for row, case in enumerate(self._cases) if case.path == path), None)

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: number of cases."""
        return 0 if parent.isValid() else len(self._cases)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 - Qt's signature
        """Qt: name for display and filter, path as tool tip, the case itself as CASE_ROLE."""
        if not index.isValid():
            return None
        case = self._cases[index.row()]
        if role == self.CASE_ROLE:
            if index.row() not in self._asked:
                self._asked.add(index.row())
                self.preview_wanted.emit(index.row())
            return case
        if role == Qt.ItemDataRole.DisplayRole:
            return case.path.stem
        if role == Qt.ItemDataRole.ToolTipRole:
            return case.error or str(case.path)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            prediction = f", {case.prediction[0]} {case.prediction[1]:.0%}" if case.prediction else ""
            return case.path.stem + prediction + (", cannot be read" if case.error else "")
        return None
