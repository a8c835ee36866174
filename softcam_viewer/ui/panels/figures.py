"""Figures of the maps in the panes, beside each other: what one image can tell of how good they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, QTransposeProxyModel
from PySide6.QtGui import QAction, QGuiApplication, QHideEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from softcam_core.notice import NOTICE
from softcam_viewer.model.figure_columns import COLUMNS
from softcam_viewer.model.figure_rows import FigureRow
from softcam_viewer.model.figures import Figures
from softcam_viewer.ui.elided_label import ElidedLabel
from softcam_viewer.ui.panels.curves_plot import CurvesPlot, LineSample
from softcam_viewer.ui.panels.figures_table import FiguresModel, FiguresView
from softcam_viewer.ui.panels.section import Section

NAME_WIDTH, WIDE_NAME_WIDTH = 94, 210
SMALL_PIXELS = 11  # so that four numbers stand beside a name in 250 pixels
PANES = 4
EMPTY = "Open an image and a model: the figures of the maps in the panes then stand here, side by side."


class CurveControls(QWidget):
    """Starts and stops what takes many passes, and shows how far it is; always of the same size.

    Parameters
    ----------
    figures : Figures
    """

    def __init__(self, figures: Figures, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._figures = figures
        self.button, self.automatic = QPushButton("Compute curves"), QCheckBox("Always")
        self.button.setMinimumWidth(self.button.sizeHint().width())  # "Cancel" is shorter
        self.automatic.setToolTip("Compute the curves of every map that is shown: some dozens of passes each")
        self.automatic.setAccessibleName("Always compute curves")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(4)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName("Progress of the curves")
        policy = self.progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress.setSizePolicy(policy)
        line = QHBoxLayout()
        line.addWidget(self.button)
        line.addWidget(self.automatic)
        line.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.progress)
        column.addLayout(line)
        self.button.clicked.connect(self._on_clicked)
        self.automatic.toggled.connect(lambda on: figures.set_automatic(on=on))
        figures.changed.connect(self.refresh)
        figures.progressed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what can be done, and how far it is."""
        figures = self._figures
        self.button.setText("Cancel" if figures.is_computing else "Compute curves")
        self.button.setEnabled(figures.is_computing or figures.can_compute)
        self.button.setToolTip(
            "Stop computing curves"
            if figures.is_computing
            else "Deletion and insertion of all maps shown: some dozens of passes of the network each"
        )
        self.progress.setVisible(figures.is_computing)
        self.progress.setValue(round(1000 * figures.progress))
        with QSignalBlocker(self.automatic):
            self.automatic.setChecked(figures.automatic)

    def _on_clicked(self) -> None:
        if self._figures.is_computing:
            self._figures.cancel()
        else:
            self._figures.compute()


class Legend(QWidget):
    """Which line is which pane: number, method, and the class where the panes show several.

    It has a line for each of as many panes as a layout can have, so that nothing below moves but with the layout.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._lines: list[tuple[QWidget, ElidedLabel]] = []
        for number in range(1, PANES + 1):
            line, label = QWidget(), ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
            row = QHBoxLayout(line)
            row.setContentsMargins(0, 0, 0, 0)
            row.addWidget(LineSample(number))
            row.addWidget(label, 1)
            column.addWidget(line)
            self._lines.append((line, label))

    def show_rows(self, rows: tuple[FigureRow, ...]) -> None:
        """Name the panes."""
        has_classes = len({row.target for row in rows if row.target}) > 1
        has_models = len({row.model for row in rows}) > 1
        for line, _ in self._lines[len(rows) :]:
            line.hide()
        for row, (line, label) in zip(rows, self._lines, strict=False):
            more = (row.target if has_classes else "", row.model if has_models else "")
            label.setText("  ·  ".join(filter(None, (f"{row.number}  {row.title}", *more))))
            label.setToolTip("\n".join(filter(None, (row.title, row.target, row.model))))
            line.show()


class _CurvePlots(QWidget):
    """Deletion and insertion beside each other."""

    def __init__(self, height: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plots = {column.name: CurvesPlot(column.title) for column in COLUMNS[:2]}
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        for plot in self.plots.values():
            plot.setFixedHeight(height)
            line.addWidget(plot, 1)

    def show_rows(self, rows: tuple[FigureRow, ...], *, is_computing: bool) -> None:
        """Show the curves that are known."""
        empty = "Computing…" if is_computing else "Not computed"
        for name, plot in self.plots.items():
            plot.show_curves({row.number: row.curves[name].values for row in rows if name in row.curves}, empty)


class FiguresPanel(Section):
    """Figures of the maps shown, one column a pane, with their curves beneath.

    Parameters
    ----------
    figures : Figures
    """

    def __init__(self, figures: Figures, parent: QWidget | None = None) -> None:
        super().__init__("Figures", parent)
        self._figures = figures
        self._empty = QLabel(EMPTY)
        self._empty.setObjectName("muted")
        self._empty.setWordWrap(True)
        self._legend, self._plots = Legend(), _CurvePlots(112)
        self._model, transposed = FiguresModel(wide=False, parent=self), QTransposeProxyModel(self)
        transposed.setSourceModel(self._model)
        self.table, self.controls = FiguresView(transposed, NAME_WIDTH, SMALL_PIXELS), CurveControls(figures)
        self.open_table, self.copy_button = _small("Open as table…"), _small("Copy")
        self.open_table.setToolTip("All figures with their curves in a window of their own")
        self.copy_button.setToolTip("Copy the table as text (Ctrl+C within it)")
        below = QHBoxLayout()
        below.addWidget(self.open_table)
        below.addWidget(self.copy_button)
        below.addStretch()
        self.content.addWidget(self._empty)
        for widget in (self._legend, self.table, self._plots, self.controls):
            self.content.addWidget(widget)
        self.content.addLayout(below)
        self.open_table.clicked.connect(self.open_dialog)
        self.copy_button.clicked.connect(lambda: _copy(figures))
        _add_copy(self.table, figures)
        figures.changed.connect(self.refresh)
        self.refresh()

    def open_dialog(self) -> FiguresDialog:
        """Open the table in a window of its own, or bring it to the front."""
        known = self.findChild(FiguresDialog)
        dialog = known if isinstance(known, FiguresDialog) else FiguresDialog(self._figures, self)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()
        return dialog

    def refresh(self) -> None:
        """Show what is known."""
        rows = self._figures.rows
        has_maps = any(row.model for row in rows)
        self._empty.setVisible(not has_maps)
        for widget in (self._legend, self.table, self._plots, self.controls, self.open_table, self.copy_button):
            widget.setVisible(has_maps)
        self.remark.setText(_shared(row.target for row in rows))
        self._model.show_rows(rows)
        self._legend.show_rows(rows)
        self._plots.show_rows(rows, is_computing=self._figures.is_computing)

    def showEvent(self, event: QShowEvent) -> None:
        """Qt: figures are computed while somebody sees them."""
        super().showEvent(event)
        self._figures.attend(self, on=True)

    def hideEvent(self, event: QHideEvent) -> None:
        """Qt: and not otherwise."""
        super().hideEvent(event)
        self._figures.attend(self, on=False)


class FiguresDialog(QDialog):
    """The table with one row a pane, its curves larger, and ways to take both along.

    Parameters
    ----------
    figures : Figures
    """

    def __init__(self, figures: Figures, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Figures of the maps shown")
        self.resize(1080, 520)
        self._figures = figures
        self._model = FiguresModel(wide=True, parent=self)
        self.table, self._plots = FiguresView(self._model, WIDE_NAME_WIDTH), _CurvePlots(220)
        self._legend, self.controls = Legend(), CurveControls(figures)
        notice = QLabel(f"Figures of one image say little of a method; evaluate it on many. {NOTICE}")
        notice.setObjectName("notice")
        notice.setWordWrap(True)
        self.copy_button, self.save_button, self.close_button = map(QPushButton, ("Copy", "Save CSV…", "Close"))
        self.copy_button.setToolTip("Copy the table as text, separated by tabs")
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(12)
        self._heading = ElidedLabel("emptyTitle")
        for widget in (self._heading, self.table, self._plots, self._legend, notice):
            column.addWidget(widget)
        column.addStretch()
        line = QHBoxLayout()
        line.addWidget(self.controls, 1)
        for button in (self.copy_button, self.save_button, self.close_button):
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignBottom)
        column.addLayout(line)
        self.copy_button.clicked.connect(lambda: _copy(figures))
        self.save_button.clicked.connect(self._save)
        self.close_button.clicked.connect(self.close)
        _add_copy(self, figures)
        figures.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is known."""
        rows = self._figures.rows
        self._heading.setText(_shared(row.target for row in rows) or "Maps of several classes")
        self._model.show_rows(rows)
        self._legend.show_rows(rows)
        self._plots.show_rows(rows, is_computing=self._figures.is_computing)

    def _save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the figures", "figures.csv", "CSV (*.csv)")
        if name:
            self._figures.save_csv(Path(name))

    def showEvent(self, event: QShowEvent) -> None:
        """Qt: figures are computed while somebody sees them."""
        super().showEvent(event)
        self._figures.attend(self, on=True)

    def hideEvent(self, event: QHideEvent) -> None:
        """Qt: and not otherwise."""
        super().hideEvent(event)
        self._figures.attend(self, on=False)


def _shared(texts: Iterable[str]) -> str:
    """What all that say something say; nothing where they differ."""
    distinct = {text for text in texts if text}
    return distinct.pop() if len(distinct) == 1 else ""


def _small(text: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName("small")
    button.setText(text)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button


def _copy(figures: Figures) -> None:
    QGuiApplication.clipboard().setText(figures.text())


def _add_copy(widget: QWidget, figures: Figures) -> None:
    """Let the key that copies copy the whole table while a widget has the keyboard."""
    action = QAction("Copy the table", widget)
    action.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
    action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    action.triggered.connect(lambda: _copy(figures))
    widget.addAction(action)
