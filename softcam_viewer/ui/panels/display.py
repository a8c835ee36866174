"""How the film is shown: its histogram with the window over it, presets, inversion."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSizePolicy, QWidget

from softcam_core.imaging.image import Window
from softcam_viewer.model.film import Film
from softcam_viewer.model.histogram import Histogram, histogram
from softcam_viewer.model.session import Session
from softcam_viewer.ui.canvas.color_bar import decimals_for
from softcam_viewer.ui.panels.section import Section
from softcam_viewer.ui.theme import current_theme

HEIGHT, FOOT = 76, 16
GRIP = 7
"""Pixels from a limit within which it can be taken hold of."""
KEY_STEP = 0.02
"""Of the width of the window, that a key moves it by."""
OWN = "Set by hand"


class HistogramView(QWidget):
    """A histogram; its window's limits can be dragged, and between them the whole window."""

    moved = Signal(float, float)  # new values of black and white

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._histogram: Histogram | None = None
        self._limits = (0.0, 1.0)
        self._held = ""
        self._from = 0.0

    def show_histogram(self, found: Histogram | None) -> None:
        """Show another image's histogram, or none."""
        self._histogram = found
        self.update()

    def show_limits(self, lower: float, upper: float) -> None:
        """Show which values are black and white."""
        self._limits = (lower, upper)
        self.setAccessibleName(f"Histogram, window from {lower:.4g} to {upper:.4g}; arrow keys move it")
        self.update()

    def _range(self) -> tuple[float, float]:
        """What the width of the widget stands for: the values, and a window that is wider."""
        assert self._histogram is not None
        low, high = min(self._histogram.low, self._limits[0]), max(self._histogram.high, self._limits[1])
        margin = 0.04 * (high - low)
        return low - margin, high + margin

    def x_of(self, value: float) -> float:
        """Where a value is."""
        low, high = self._range()
        return (value - low) / (high - low) * self.width()

    def _value_at(self, x: float) -> float:
        low, high = self._range()
        return low + x / max(self.width(), 1) * (high - low)

    def _grip_at(self, x: float) -> str:
        lower, upper = (self.x_of(limit) for limit in self._limits)
        if min(abs(x - lower), abs(x - upper)) <= GRIP:
            return "lower" if abs(x - lower) < abs(x - upper) else "upper"
        return "both" if lower < x < upper else ""

    # Qt events

    def sizeHint(self) -> QSize:
        """Qt: low and as wide as there is room."""
        return QSize(200, HEIGHT)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: take hold."""
        if self._histogram is not None and event.button() == Qt.MouseButton.LeftButton:
            self._held = self._grip_at(event.position().x())
            self._from = self._value_at(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Qt: drag, or show what could be dragged."""
        if self._histogram is None:
            return
        x = event.position().x()
        if not self._held:
            shapes = {"": Qt.CursorShape.ArrowCursor, "both": Qt.CursorShape.SizeAllCursor}
            self.setCursor(shapes.get(self._grip_at(x), Qt.CursorShape.SplitHCursor))
            return
        here, (lower, upper) = self._value_at(x), self._limits
        by, self._from = here - self._from, here
        least = (self._histogram.high - self._histogram.low) / 1000
        if self._held == "lower":
            lower = min(lower + by, upper - least)
        elif self._held == "upper":
            upper = max(upper + by, lower + least)
        else:
            lower, upper = lower + by, upper + by
        self.moved.emit(lower, upper)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Qt: let go."""
        self._held = ""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: left and right move the window, up and down make it wider and narrower."""
        lower, upper = self._limits
        step = KEY_STEP * (upper - lower)
        moves = {
            Qt.Key.Key_Left: (-step, -step),
            Qt.Key.Key_Right: (step, step),
            Qt.Key.Key_Up: (-step, step),
            Qt.Key.Key_Down: (step, -step),
        }
        move = moves.get(Qt.Key(event.key()))
        if move is None or self._histogram is None:
            event.ignore()
            return
        self.moved.emit(lower + move[0], upper + move[1])

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        if self._histogram is None:
            return
        painter, theme = QPainter(self), current_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        height = self.height() - FOOT
        found = self._histogram
        # Backgrounds have most of the pixels; a root lets the rest be seen beside them.
        heights = np.sqrt(found.counts / max(int(found.counts.max()), 1)) * (height - 4)
        edges = np.linspace(self.x_of(found.low), self.x_of(found.high), len(heights) + 1)
        outline = QPainterPath(QPointF(edges[0], height))
        for left, right, bar in zip(edges[:-1].tolist(), edges[1:].tolist(), heights.tolist(), strict=True):
            outline.lineTo(left, height - bar)
            outline.lineTo(right, height - bar)
        outline.lineTo(edges[-1], height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.line))
        painter.drawPath(outline)
        lower, upper = (self.x_of(limit) for limit in self._limits)
        painter.setClipRect(QRectF(lower, 0, upper - lower, height))
        painter.setBrush(QColor(theme.muted))
        painter.drawPath(outline)
        painter.setClipping(False)
        painter.setPen(QPen(QColor(theme.accent if self.hasFocus() else theme.text), 1.5))
        # The ramp from black to white, as it is applied.
        painter.drawLine(QPointF(lower, height), QPointF(upper, 2))
        for x in (lower, upper):
            painter.drawLine(QPointF(x, 2), QPointF(x, height))
        painter.setPen(QColor(theme.muted))
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        decimals = decimals_for(self._limits[1] - self._limits[0], 3)
        texts = [f"{limit:.{decimals}f}".replace("-", "−") for limit in self._limits]
        foot = QRectF(0, height + 2, self.width(), FOOT - 2)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, f"black {texts[0]}")
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, f"white {texts[1]}")


class DisplayPanel(Section):
    """Histogram, window presets and inversion of the active pane's film."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Image", parent)
        self._session = session
        self._film: Film | None = None
        self._windows: list[Window] = []
        self.view, self.preset, self.inverted = HistogramView(), QComboBox(), QCheckBox("Invert")
        self.preset.setAccessibleName("Window preset")
        self.preset.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.preset.setMinimumContentsLength(8)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.preset, 1)
        row.addWidget(self.inverted)
        self.content.addWidget(self.view)
        self.content.addLayout(row)
        self.view.moved.connect(self._on_moved)
        self.preset.activated.connect(self._on_preset)
        self.inverted.toggled.connect(self._on_inverted)
        session.panes.active_changed.connect(self._follow_film)
        session.panes.explanation_changed.connect(self._follow_film)
        self._follow_film()

    def _follow_film(self) -> None:
        film = self._session.panes.active.film
        if film is self._film:
            return
        if self._film is not None:
            self._film.image_changed.disconnect(self._on_image_changed)
            self._film.window_changed.disconnect(self._on_window_changed)
        self._film = film
        film.image_changed.connect(self._on_image_changed)
        film.window_changed.connect(self._on_window_changed)
        self._on_image_changed()

    def _on_image_changed(self) -> None:
        assert self._film is not None
        image = self._film.image
        self.setVisible(image is not None)
        if image is None:
            return
        self.remark.setText("colour" if image.is_color else image.unit or image.modality)
        self.view.show_histogram(histogram(image))
        blocker = QSignalBlocker(self.preset)
        self.preset.clear()
        presets = self._film.presets
        self._windows = [preset.make() for preset in presets]
        self.preset.addItems([preset.title for preset in presets] + [OWN])
        self.preset.setEnabled(not image.is_color)
        del blocker
        self._on_window_changed()

    def _on_window_changed(self) -> None:
        film = self._film
        if film is None or film.image is None or film.window is None:
            return
        self.view.show_limits(*film.window.limits)
        blockers = [QSignalBlocker(widget) for widget in (self.preset, self.inverted)]
        self.inverted.setChecked(film.inverted)
        is_preset = film.window in self._windows
        self.preset.setCurrentIndex(self._windows.index(film.window) if is_preset else len(self._windows))
        del blockers

    def _on_moved(self, lower: float, upper: float) -> None:
        if self._film is not None:
            self._film.set_window(Window.from_limits(lower, upper))

    def _on_preset(self) -> None:
        if self._film is not None:
            self._film.use_preset(self.preset.currentText())
            self._on_window_changed()

    def _on_inverted(self, inverted: bool) -> None:
        if self._film is not None and inverted != self._film.inverted:
            self._film.toggle_inverted()
