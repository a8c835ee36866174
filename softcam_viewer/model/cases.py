"""The cases that are open, and what is known about each."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from softcam_core.data.labelling import class_index

if TYPE_CHECKING:
    from softcam_core.data.samples import Box, Task
    from softcam_core.imaging.image import ImageHeader

AnyIndex = QModelIndex | QPersistentModelIndex
Status = Literal["error", "reviewed", "wrong", "open"]

THUMBNAILS = 2000
"""Kept at most: 18 MB of grey ones, 55 MB in colour. Others are made again when they are shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A file in the worklist.

    Attributes
    ----------
    path : Path
    name : str
        Short, but another one for each case; by default the file's without its suffix.
    thumbnail : ndarray, (S, S) or (S, S, 3) uint8, or None
        Not read yet, or dropped, where None.
    prediction : (str, float) or None
        Class with the highest probability and that probability, from the model in use.
    probabilities : tuple of float
        Of all its classes, in order; empty where it has not been asked.
    entropy : float or None
        How uncertain it is, 0 to 1; see `softcam_viewer.model.certainty.uncertainty`.
    border : float or None
        Share of positive evidence in the outer eighth of the image, 0 to 1; None where not measured, or where no
        evidence is positive.
    frames : int
    error : str
        Why it cannot be read, "" where it can or has not been tried.
    refusal : str
        Why the model in use cannot explain it, "" where it can or has not been asked.
    label : str
        What is known to be right, as its table has it; several findings are separated by "|". "" where not known.
    boxes : tuple of Box
        What was annotated: x, y, width, height in pixels of the image.
    box_labels : tuple of str
        What each box is around.
    mask : Path or None
        Image file that is not 0 where something was annotated.
    reviewed : bool
        Somebody has looked at it, and said so.
    flags : int
        Annotations of it, of all frames and reviewers.
    verdicts, reviewers : frozenset of str
        Theirs.
    is_wrong : bool or None
        Whether prediction and label differ; None where that cannot be said.
    header : ImageHeader or None
        Not read yet where None.
    """

    path: Path
    name: str = ""
    thumbnail: npt.NDArray[np.uint8] | None = None
    prediction: tuple[str, float] | None = None
    probabilities: tuple[float, ...] = ()
    entropy: float | None = None
    border: float | None = None
    frames: int = 1
    error: str = ""
    refusal: str = ""
    label: str = ""
    boxes: tuple[Box, ...] = ()
    box_labels: tuple[str, ...] = ()
    mask: Path | None = None
    reviewed: bool = False
    flags: int = 0
    verdicts: frozenset[str] = frozenset()
    reviewers: frozenset[str] = frozenset()
    is_wrong: bool | None = None
    header: ImageHeader | None = None

    def __post_init__(self) -> None:
        """Give it a name."""
        if not self.name:
            object.__setattr__(self, "name", _stem(self.path))

    @property
    def status(self) -> Status:
        """What people should know of it first."""
        if self.error or self.refusal:
            return "error"
        return "reviewed" if self.reviewed else "wrong" if self.is_wrong else "open"

    @property
    def is_explained(self) -> bool:
        """True where a scan has nothing more to learn of it."""
        return self.entropy is not None or bool(self.error or self.refusal)


class CaseList(QAbstractListModel):
    """All cases in the order in which they were opened, which does not change: a row is a case."""

    CASE_ROLE = Qt.ItemDataRole.UserRole + 1

    # A row was shown whose preview is not known yet.
    preview_wanted = Signal(int)
    case_changed = Signal(int, object)  # a row, and the names of the fields that are new
    facts_changed = Signal()  # labels, headers or predictions of many

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._cases: list[Case] = []
        self._rows: dict[Path, int] = {}
        self._asked: set[int] = set()
        self._drawn: OrderedDict[int, None] = OrderedDict()  # rows with a thumbnail, those shown last at the end
        self._class_names: tuple[str, ...] = ()
        self._task: Task = "single_label"

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, row: int) -> Case:
        return self._cases[row]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes of the model in use."""
        return self._class_names

    def reset(self, paths: Sequence[Path]) -> None:
        """Replace all cases."""
        self.beginResetModel()
        self._cases = [Case(path, name) for path, name in zip(paths, distinct_names(paths), strict=True)]
        self._rows = {path: row for row, path in enumerate(paths)}
        self._asked.clear()
        self._drawn.clear()
        self.endResetModel()

    def update_case(self, row: int, **changes: Any) -> None:  # noqa: ANN401 - fields of Case
        """Change what is known about a case."""
        before = self._cases[row]
        # Thumbnails are not compared but taken for new.
        new = frozenset(n for n, value in changes.items() if n == "thumbnail" or getattr(before, n) != value)
        self._cases[row] = self._judged(replace(before, **changes))
        if changes.get("thumbnail") is not None:
            self._keep_thumbnail(row)
        index = self.index(row)
        self.dataChanged.emit(index, index)
        self.case_changed.emit(row, new)

    def update_many(self, changes: Mapping[int, Mapping[str, Any]]) -> None:
        """Change what is known about many cases, row by row, and say so once."""
        for row, fields in changes.items():
            self._cases[row] = self._judged(replace(self._cases[row], **fields))
        self._tell_all()

    def set_headers(self, headers: Mapping[Path, ImageHeader]) -> None:
        """Keep the headers of files; only of a number of frames anybody is told."""
        for path, header in headers.items():
            row = self._rows.get(path)
            if row is None:
                continue
            if header.frame_count != self._cases[row].frames:
                self.update_case(row, frames=header.frame_count)
            self._cases[row] = replace(self._cases[row], header=header)

    @property
    def snapshot(self) -> tuple[Case, ...]:
        """All cases as they are now, for another thread."""
        return tuple(self._cases)

    def use_classes(self, names: tuple[str, ...], task: Task) -> None:
        """Another model is in use, of these classes: drop what an earlier one said, and ask for previews anew."""
        self._class_names, self._task = names, task
        self._cases = [
            replace(case, prediction=None, probabilities=(), entropy=None, border=None, refusal="", is_wrong=None)
            for case in self._cases
        ]
        self._asked.clear()
        self._tell_all()

    def want_again(self, row: int) -> None:
        """Ask for the preview of a row once more when it is shown: it was asked for and not made."""
        self._asked.discard(row)

    # Review

    @property
    def reviewed_paths(self) -> tuple[Path, ...]:
        """Files of the cases that are reviewed."""
        return tuple(case.path for case in self._cases if case.reviewed)

    def set_reviewed(self, paths: Iterable[Path], *, on: bool = True) -> None:
        """Say of cases that they are reviewed, or not; files that are not open are passed over."""
        rows = [row for row in map(self._rows.get, paths) if row is not None and self._cases[row].reviewed != on]
        if len(rows) == 1:
            self.update_case(rows[0], reviewed=on)
        elif rows:
            self.update_many({row: {"reviewed": on} for row in rows})

    def row_of(self, path: Path) -> int | None:
        """Row of a file, None where it is not in the list."""
        return self._rows.get(path)

    # Qt

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: number of cases."""
        return 0 if parent.isValid() else len(self._cases)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 - Qt's signature
        """Qt: name for display, all that is known as tool tip, the case itself as CASE_ROLE."""
        return self.data_of(index.row(), role) if index.isValid() else None

    def data_of(self, row: int, role: int) -> Any:  # noqa: ANN401 - Qt's signature
        """Qt's data of a row; to ask for CASE_ROLE is to show the case."""
        case = self._cases[row]
        if role == self.CASE_ROLE:
            if case.thumbnail is not None:
                self._drawn.move_to_end(row)
            if row not in self._asked and (case.thumbnail is None or case.entropy is None):
                self._asked.add(row)
                self.preview_wanted.emit(row)
            return case
        if role == Qt.ItemDataRole.DisplayRole:
            return case.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join((str(case.path), *describe(case)))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join((case.name, *describe(case)))
        return None

    @property
    def has_room_for_thumbnails(self) -> bool:
        """Whether one more can be kept without dropping another."""
        return len(self._drawn) < THUMBNAILS

    def _keep_thumbnail(self, row: int) -> None:
        self._drawn[row] = None
        self._drawn.move_to_end(row)
        while len(self._drawn) > THUMBNAILS:
            oldest, _ = self._drawn.popitem(last=False)
            self._cases[oldest] = replace(self._cases[oldest], thumbnail=None)
            self._asked.discard(oldest)

    def _judged(self, case: Case) -> Case:
        is_wrong = _is_wrong(case, self._class_names, self._task)
        return case if case.is_wrong == is_wrong else replace(case, is_wrong=is_wrong)

    def _tell_all(self) -> None:
        if self._cases:
            self.dataChanged.emit(self.index(0), self.index(len(self._cases) - 1))
        self.facts_changed.emit()


def describe(case: Case) -> list[str]:
    """All that is known of a case, in words."""
    if case.error:
        return [case.error]
    lines = [case.refusal] if case.refusal else []
    if case.prediction is not None:
        name, probability = case.prediction
        lines.append(f"{name} {probability:.0%}")
    if case.label:
        lines.append(f"label {case.label}" + (", which the prediction is not" if case.is_wrong else ""))
    if case.border is not None:
        lines.append(f"{case.border:.0%} of the positive evidence in the outer eighth of the image")
    if case.frames > 1:
        lines.append(f"{case.frames} frames")
    if case.flags:
        lines.append(flags_text(case.flags))
    lines.append("reviewed" if case.reviewed else "not reviewed")
    return lines


def flags_text(count: int) -> str:
    """How many annotations there are, for people."""
    return f"{count} flag" if count == 1 else f"{count:,} flags"


def classes_in(label: str, names: Sequence[str]) -> frozenset[int] | None:
    """Classes that a label names or numbers, whatever its case; None where it knows none of them."""
    folded = [name.casefold() for name in names]
    parts = [part.strip().casefold() for part in label.split("|")]
    found = {class_index(part, folded, {}) for part in parts if part} - {None}
    return frozenset(index for index in found if index is not None) or None


def _is_wrong(case: Case, names: Sequence[str], task: Task) -> bool | None:
    if not case.label or case.prediction is None or case.prediction[0] not in names:
        return None
    truth = classes_in(case.label, names)
    if truth is None:
        return None
    if task == "multi_label" and case.probabilities:
        return {k for k, p in enumerate(case.probabilities) if p > 0.5} != truth
    return names.index(case.prediction[0]) not in truth


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Shortest names that tell files apart: without suffix, with it, or with as many of their folders as it takes."""
    return tell_apart(paths, [_stem(path) for path in paths])


def tell_apart(paths: Sequence[Path], names: Sequence[str]) -> list[str]:
    """Names for paths; where several have the same, as many parts of their path as it takes."""
    told = list(names)
    depth, same = 0, _shared(told, range(len(told)))
    while same:
        depth += 1
        for row in same:
            told[row] = "/".join(paths[row].parts[-depth:])
        same = [row for row in _shared(told, same) if len(paths[row].parts) > depth]
    return told


def _shared(names: Sequence[str], rows: Collection[int]) -> list[int]:
    count = Counter(names[row] for row in rows)
    return [row for row in rows if count[names[row]] > 1]


def _stem(path: Path) -> str:
    # Scanners name files by unique identifiers, whose last number looks like a suffix.
    return path.name if path.suffix[1:].isdigit() else path.stem
