"""Dialog that finds annotations in the whole store."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from softcam_core.annotations.annotation import VERDICTS, Annotation, CaseRecord
from softcam_core.annotations.query import Query
from softcam_viewer.model.cases import AnyIndex
from softcam_viewer.model.finding import Finding, Found
from softcam_viewer.model.session import Session
from softcam_viewer.ui.row_table import read_by_rows
from softcam_viewer.ui.theme import current_theme
from softcam_viewer.ui.verdict_marks import verdict_color, verdict_icon

COLUMNS = ("Verdict", "Class", "Remark", "Reviewer", "Made", "Model", "Image")
WIDTHS = (160, 140, 220, 120, 150, 140, 170)
WAITING = "…"


class FoundModel(QAbstractTableModel):
    """What is found, as Qt's views read it; rows are fetched as they come into sight.

    Parameters
    ----------
    finding : Finding
    """

    FOUND_ROLE = Qt.ItemDataRole.UserRole + 1

    def __init__(self, finding: Finding, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._finding, self._count = finding, finding.count
        finding.counted.connect(self._on_counted)
        finding.arrived.connect(self._on_arrived)

    def _on_counted(self) -> None:
        self.beginResetModel()
        self._count = self._finding.count
        self.endResetModel()

    def _on_arrived(self, begin: int, end: int) -> None:
        self.dataChanged.emit(self.index(begin, 0), self.index(end - 1, len(COLUMNS) - 1))

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: how many there are."""
        return 0 if parent.isValid() else self._count

    def columnCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: what is told of each."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 - Qt's signature
        """Qt: words, the verdict's mark and colour, and the annotation with its case."""
        if not index.isValid():
            return None
        found = self._finding.row(index.row())
        if role == self.FOUND_ROLE:
            return found
        if found is None:
            return WAITING if role == Qt.ItemDataRole.DisplayRole else None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return texts_of(found)[index.column()]
        if index.column() == 0 and role == Qt.ItemDataRole.DecorationRole:
            return verdict_icon(found[0].verdict)
        if index.column() == 0 and role == Qt.ItemDataRole.ForegroundRole:
            return QColor(verdict_color(found[0].verdict, current_theme()))
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 - Qt's signature
        """Qt: what is told of each."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None


class FindAnnotationsDialog(QDialog):
    """A table of what meets the question; a double click or Enter opens the case.

    Parameters
    ----------
    session : Session
    """

    wanted = Signal(object, object)  # to bring an Annotation into view, of a CaseRecord or None

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Find annotations")
        self.resize(1120, 560)
        self._session = session
        self.finding = Finding(session.annotating.book, self)
        self.text, self.verdict, self.reviewer, self.class_name = QLineEdit(), QComboBox(), QComboBox(), QComboBox()
        self.of_model = QCheckBox("Of the model in use")
        self._build_choices()
        self.table, self._said = QTableView(), QLabel()
        self._said.setObjectName("muted")
        self._build_table()
        self.open_button = QPushButton("Open")
        self.open_button.setObjectName("primary")
        self.open_button.setToolTip("Open the case, and go to the place")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.open_button, QDialogButtonBox.ButtonRole.ActionRole)
        choices, foot, column = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        choices.addWidget(self.text, 2)
        for box in (self.verdict, self.class_name, self.reviewer):
            choices.addWidget(box, 1)
        choices.addWidget(self.of_model)
        foot.addWidget(self._said, 1)
        foot.addWidget(buttons)
        column.setContentsMargins(16, 16, 16, 12)
        column.setSpacing(10)
        column.addLayout(choices)
        column.addWidget(self.table, 1)
        column.addLayout(foot)
        buttons.rejected.connect(self.reject)
        self.open_button.clicked.connect(self._open)
        self.finding.counted.connect(self._on_counted)
        self.finding.search()
        self._on_counted()

    def _build_choices(self) -> None:
        self.text.setPlaceholderText("Words of the remark, class, reviewer or model")
        self.text.setClearButtonEnabled(True)
        model = self._session.model
        names = model.card.class_names if model is not None else ()
        self.of_model.setEnabled(model is not None and bool(model.card.sha256))
        self.verdict.addItem("All verdicts", None)
        for verdict, title in VERDICTS.items():
            self.verdict.addItem(verdict_icon(verdict), title, verdict)
        self.class_name.addItem("All classes", None)
        for name in names:
            self.class_name.addItem(name, name)
        self.reviewer.addItem("All reviewers", None)
        for name in self._session.annotating.book.reviewers:
            self.reviewer.addItem(name or "No name", name)
        for box, title in ((self.verdict, "Verdict"), (self.class_name, "Class"), (self.reviewer, "Reviewer")):
            box.setAccessibleName(title)
            box.setMinimumContentsLength(10)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.currentIndexChanged.connect(self._ask)
        self.text.setAccessibleName("Words to look for")
        self.text.textChanged.connect(self._ask)
        self.of_model.toggled.connect(self._ask)

    def _build_table(self) -> None:
        table = self.table
        table.setModel(FoundModel(self.finding, self))
        read_by_rows(table, "Annotations that were found")
        table.setWordWrap(False)
        across, down = table.horizontalHeader(), table.verticalHeader()
        for column, width in enumerate(WIDTHS):
            table.setColumnWidth(column, width)
        across.setSectionResizeMode(COLUMNS.index("Remark"), QHeaderView.ResizeMode.Stretch)
        down.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # of 100,000 rows none is measured
        down.setDefaultSectionSize(30)
        table.activated.connect(lambda _index: self._open())

    def _ask(self, _value: object = None) -> None:
        verdict, name, reviewer = (box.currentData() for box in (self.verdict, self.class_name, self.reviewer))
        model = self._session.model
        self.finding.look_for(
            Query(
                text=self.text.text(),
                verdicts=() if verdict is None else (verdict,),
                class_names=() if name is None else (name,),
                reviewers=() if reviewer is None else (reviewer,),
                model_sha256=model.card.sha256 if model is not None and self.of_model.isChecked() else "",
            )
        )

    def _on_counted(self) -> None:
        finding = self.finding
        count = finding.count
        said = f"{count:,} annotation{'' if count == 1 else 's'}" if count else "Nothing is found."
        self._said.setText(finding.problem or ("Searching…" if finding.is_searching else said))
        self.open_button.setEnabled(count > 0)
        if count and not self.table.currentIndex().isValid():
            self.table.selectRow(0)

    def _open(self) -> None:
        found = self.table.currentIndex().data(FoundModel.FOUND_ROLE)
        if found is not None:
            self.wanted.emit(*found)

    def done(self, result: int) -> None:
        """Qt: it is closed."""
        self.finding.stop()
        super().done(result)


def texts_of(found: Found) -> tuple[str, ...]:
    """What stands in a line, in the order of COLUMNS."""
    annotation, case = found
    made = datetime.fromtimestamp(annotation.created).astimezone()
    return (
        VERDICTS[annotation.verdict],
        annotation.class_name or "no class",
        " ".join(annotation.comment.split()),
        annotation.reviewer or "no name",
        f"{made:%Y-%m-%d %H:%M}",
        annotation.model_name,
        image_name(annotation, case),
    )


def image_name(annotation: Annotation, case: CaseRecord | None) -> str:
    """Where the image was seen last, or what it is known by."""
    name = Path(case.path).name if case is not None and case.path else annotation.case
    return f"{name}, frame {annotation.frame + 1}" if annotation.frame else name
