"""Curves of a job: its loss and what that is made of, how well it classifies, and where its evidence lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from softcam_viewer.ui.sparkline import Points, thinned
from softcam_viewer.ui.theme import Theme, current_theme

MOST_POINTS = 120
"""Of a line as it is drawn: dashed lines of more would take longer than the window may stand still."""
INTERVAL_MS = 200
"""Between two drawings at least."""
SOLID, DASHED, DOTTED, DASH_DOT = (
    Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A curve: its name, what people call it, a colour of the theme and dashes that tell it without the colour."""

    name: str
    title: str
    role: str
    dashes: Qt.PenStyle
    width: float = 1.8


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot: title, what runs along it, its lines, and where its scale up to 1 begins; None for any scale."""

    title: str
    along: str
    lines: tuple[Line, ...]
    least: float | None = None


PLOTS: tuple[Plot, ...] = (
    Plot(
        "Loss",
        "step",
        (
            Line("loss", "All", "text", SOLID, 2.2),
            Line("classification", "Classification", "accent", DASHED),
            Line("wrong", "Wrong evidence", "evidence_for", DASH_DOT),
            Line("correct", "Correct evidence", "ok", DOTTED, 2.2),
            Line("missed", "Missed findings", "error", DASHED),
        ),
    ),
    Plot("Validation", "epoch", (Line("val_auc", "AUC", "accent", SOLID, 2.2),), least=0.5),
    Plot(
        "Evidence within the flags",
        "epoch",
        (
            Line("evidence_wrong", "Wrong evidence", "evidence_for", DASH_DOT, 2.2),
            Line("evidence_correct", "Correct evidence", "ok", DOTTED, 2.2),
            Line("evidence_missed", "Missed findings", "error", DASHED, 2.2),
        ),
        least=0.0,
    ),
)


def pen_of(line: Line, theme: Theme) -> QPen:
    """How a line is drawn."""
    pen = pg.mkPen(QColor(getattr(theme, line.role)), width=line.width, style=line.dashes)
    assert isinstance(pen, QPen)
    return pen


class LineSample(QWidget):
    """A piece of a line, for legends."""

    def __init__(self, line: Line, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._line = line
        self.setFixedSize(26, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(pen_of(self._line, current_theme()))
        painter.drawLine(QPointF(0, self.height() / 2), QPointF(self.width(), self.height() / 2))


class _WholeAxis(pg.AxisItem):
    """Steps and epochs are whole numbers."""

    def tickSpacing(self, least: float, most: float, size: float) -> list[tuple[float, float]]:
        return [level for level in super().tickSpacing(least, most, size) if level[0] >= 1] or [(1.0, 0.0)]


class CurvePlot(QWidget):
    """One plot with its legend above it; nothing in it can be dragged.

    Parameters
    ----------
    plot : Plot
    """

    def __init__(self, plot: Plot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = plot
        self._theme = ""
        self._empty, self._figure = QLabel("Nothing measured yet"), QLabel()
        self._empty.setObjectName("muted")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.view = pg.PlotWidget(axisItems={"bottom": _WholeAxis("bottom")})
        self.view.setAntialiasing(True)
        self.view.setMenuEnabled(False)
        self.view.setMouseEnabled(x=False, y=False)
        self.view.hideButtons()
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setAccessibleName(plot.title)
        self.view.setMinimumHeight(130)
        self._items = {line.name: self.view.plot([], []) for line in plot.lines}
        self._legend = {line.name: _legend_of(line) for line in plot.lines}
        title = QLabel(plot.title)
        title.setObjectName("strong")
        legend = QGridLayout()
        legend.setContentsMargins(0, 0, 0, 0)
        legend.setHorizontalSpacing(12)
        legend.setVerticalSpacing(2)
        for place, widget in enumerate(self._legend.values()):
            legend.addWidget(widget, place // 2, place % 2)
        legend.setColumnStretch(2, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(title)
        column.addLayout(legend)
        column.addStretch()
        column.addWidget(self.view)
        column.addWidget(self._empty)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    @property
    def shown(self) -> dict[str, Points]:
        """Curves in view, by their names."""
        return {name: list(zip(*map(list, item.getData()), strict=True)) for name, item in self._items.items()
                if item.getData()[0] is not None and len(item.getData()[0])}  # fmt: skip

    def show_curves(self, curves: Mapping[str, Points]) -> None:
        """Show those of its curves that there are."""
        self._use_theme()
        told, lowest = [], self._plot.least
        for line in self._plot.lines:
            points = curves.get(line.name, ())
            if line.name != "loss" and self._plot.least is None and not any(y for _, y in points):
                points = ()  # a term of the loss that there is none of
            xs, ys = zip(*thinned(points, MOST_POINTS), strict=True) if points else ((), ())
            self._items[line.name].setData(list(xs), list(ys))
            self._legend[line.name].setVisible(bool(points))
            if points:
                told.append(f"{line.title} from {ys[0]:.3g} to {ys[-1]:.3g}")
                lowest = None if lowest is None else min(lowest, *ys)
        if lowest is not None:
            self.view.setYRange(lowest, 1, padding=0.03)
        self.view.setAccessibleDescription("; ".join(told) or "Nothing measured yet")
        self.view.setVisible(bool(told))
        self._empty.setVisible(not told)

    def _use_theme(self) -> None:
        theme = current_theme()
        if theme.name == self._theme:
            return
        self._theme = theme.name
        self.view.setBackground(theme.panel)
        for line in self._plot.lines:
            self._items[line.name].setPen(pen_of(line, theme))
            if self._plot.along == "epoch":
                self._items[line.name].setSymbol("o")
                self._items[line.name].setSymbolSize(5)
                self._items[line.name].setSymbolBrush(QColor(getattr(theme, line.role)))
                self._items[line.name].setSymbolPen(None)
        for name in ("left", "bottom"):
            axis = self.view.getAxis(name)
            axis.setPen(QColor(theme.line))
            axis.setTextPen(QColor(theme.muted))
        self.view.setLabel("bottom", self._plot.along, color=theme.muted)
        self.view.showGrid(x=False, y=True, alpha=0.25)


class JobCurves(QWidget):
    """All plots of a job side by side, drawn five times a second at most."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plots = {plot.title: CurvePlot(plot) for plot in PLOTS}
        self._curves: Mapping[str, Points] = {}
        self._later = QTimer(self, singleShot=True, interval=INTERVAL_MS)
        self._later.timeout.connect(self._draw)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(18)
        for plot in self.plots.values():
            row.addWidget(plot, 1)

    def show_curves(self, curves: Mapping[str, Points]) -> None:
        """Show curves by their names; soon, where they were drawn just now."""
        self._curves = curves
        if not self._later.isActive():
            self._draw()
            self._later.start()

    def _draw(self) -> None:
        for plot in self.plots.values():
            plot.show_curves(self._curves)


def _legend_of(line: Line) -> QWidget:
    widget, label = QWidget(), QLabel(line.title)
    label.setObjectName("muted")
    row = QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(6)
    row.addWidget(LineSample(line))
    row.addWidget(label)
    row.addStretch()
    return widget
