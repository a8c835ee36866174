"""A small curve without axes: the loss of a job, and how much evidence lies where it should not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from softcam_viewer.ui.theme import current_theme

Points = Sequence[tuple[float, float]]
LINES: tuple[tuple[str, str, str, Qt.PenStyle], ...] = (
    ("loss", "loss", "accent", Qt.PenStyle.SolidLine),
    ("evidence_wrong", "wrong evidence", "evidence_for", Qt.PenStyle.DashLine),
)
"""Curve, what people call it, colour of the theme and dashes."""
MARGIN = 3.0
MOST_POINTS = 60


class Sparkline(QWidget):
    """Two lines, each on a scale of its own from its lowest to its highest value."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._curves: dict[str, Points] = {}
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Curves of the job")

    def sizeHint(self) -> QSize:
        """Qt: beside one line of text."""
        return QSize(150, 34)

    def show_curves(self, curves: Mapping[str, Points]) -> None:
        """Show the curves that there are, points as (x, y)."""
        self._curves = {name: thinned(curves[name], MOST_POINTS) for name, *_ in LINES if len(curves.get(name, ())) > 1}
        told = {
            name: f"{title} from {self._curves[name][0][1]:.3g} to {self._curves[name][-1][1]:.3g}"
            for name, title, *_ in LINES
            if name in self._curves
        }
        samples = {name: "– – " if dashes == Qt.PenStyle.DashLine else "—— " for name, _, _, dashes in LINES}
        self.setAccessibleDescription("; ".join(told.values()))
        self.setToolTip("\n".join(f"{samples[name]} {text}" for name, text in told.items()))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        painter, theme = QPainter(self), current_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        painter.setPen(QPen(QColor(theme.line), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        for name, _, role, dashes in LINES:
            points = self._curves.get(name)
            if points is not None:
                pen = QPen(QColor(getattr(theme, role)), 1.6, dashes)
                pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
                painter.setPen(pen)
                painter.drawPolyline(QPolygonF(_placed(points, area)))


def thinned(points: Points, most: int) -> Points:
    """At most so many points; where there are more, means of equally many neighbours, and the last one."""
    if len(points) <= most:
        return points
    each = -(-len(points) // (most - 1))
    groups = [points[start : start + each] for start in range(0, len(points), each)]
    means = [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]
    return [*means, points[-1]]


def _placed(points: Points, area: QRectF) -> list[QPointF]:
    xs, ys = zip(*points, strict=True)
    wide, high = (max(xs) - min(xs)) or 1.0, (max(ys) - min(ys)) or 1.0
    return [
        QPointF(area.left() + (x - min(xs)) / wide * area.width(), area.bottom() - (y - min(ys)) / high * area.height())
        for x, y in points
    ]
