"""The colour bar: what the colours mean, and where the threshold is."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from softcam_viewer.model.overlay import OverlayMap, OverlaySettings, color_table
from softcam_viewer.ui.theme import current_theme

BAR_WIDTH = 12
# Scales that end below have powers of ten at their ticks, or nobody could count the zeros.
LEAST_PLAIN = 0.001
TICKS_SIGNED = (1.0, 0.5, 0.0, -0.5, -1.0)
TICKS_UNSIGNED = (1.0, 0.75, 0.5, 0.25, 0.0)


def decimals_for(value: float, digits: int = 2) -> int:
    """Decimals that show a number of this size with so many digits, at most 6."""
    if value == 0 or abs(value) >= 10**digits:
        return 0
    return min(max(0, digits - 1 - int(np.floor(np.log10(abs(value))))), 6)


def signed_number(value: float, decimals: int) -> str:
    """Number with its sign and a real minus ("+0.31", "−12.4"); "0" where it rounds to nothing."""
    text = f"{value:+.{decimals}f}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def scale_text(overlay: OverlayMap) -> str:
    """Whose the scale is."""
    return "shared scale" if overlay.is_shared else "own scale"


class ColorBar(QWidget):
    """Scale of a map with its unit, ends and threshold; grey where there is no map."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedWidth(86)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self._map: OverlayMap | None = None
        self._settings = OverlaySettings()

    def show_scale(self, overlay: OverlayMap | None, settings: OverlaySettings) -> None:
        """Show the scale of a map."""
        self._map, self._settings = overlay, settings
        if overlay is not None:
            limit = overlay.scale * overlay.factor
            self.setAccessibleDescription(
                f"{overlay.unit} from {-limit if overlay.signed else 0:.3g} to {limit:.3g}, "
                f"threshold {settings.threshold * limit:.3g}"
            )
        self.update()

    def bar_area(self) -> QRectF:
        """Where the colours are."""
        height = min(max(self.height() - 104, 60), 420)
        return QRectF(14, (self.height() - height) / 2 - 14, BAR_WIDTH, height)

    def position_of(self, share: float) -> float:
        """Y of a value given as share of the limit."""
        bar = self.bar_area()
        signed = self._map is None or self._map.signed
        return bar.center().y() - share * bar.height() / 2 if signed else bar.bottom() - share * bar.height()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, bar = current_theme(), self.bar_area()
        font = QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        if self._map is None:
            return
        table = np.ascontiguousarray(color_table(self._settings, signed=self._map.signed)[::-1, None, :])
        colors = QImage(table.data, 1, 256, 3, QImage.Format.Format_RGB888)
        painter.drawImage(bar, colors)
        painter.setPen(QPen(QColor(theme.line), 1))
        painter.drawRect(bar)

        painter.setPen(QColor(theme.text))
        limit = self._map.scale * self._map.factor
        decimals = decimals_for(limit / 2)
        for share in TICKS_SIGNED if self._map.signed else TICKS_UNSIGNED:
            y = self.position_of(share)
            label = QRectF(bar.right() + 12, y - 9, self.width() - bar.right() - 12, 18)
            painter.drawText(label, Qt.AlignmentFlag.AlignVCenter, self._number(share * limit, decimals))

        for share in self._marks():
            y = self.position_of(share)
            line = (QPointF(bar.left() - 5, y), QPointF(bar.right() + 5, y))
            painter.setPen(QPen(QColor("#000000"), 4))
            painter.drawLine(*line)
            painter.setPen(QPen(QColor("#ffffff"), 2))
            painter.drawLine(*line)

        painter.setPen(QColor(theme.muted))
        caption = QRectF(0, bar.bottom() + 12, self.width(), 48)
        centred = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        painter.drawText(caption, centred, f"{self._map.unit}\n{scale_text(self._map)}")

    def _number(self, value: float, decimals: int) -> str:
        if self._map is not None and self._map.scale * self._map.factor < LEAST_PLAIN:
            return f"{value:+.0e}".replace("-", "−") if value else "0"
        if self._map is not None and not self._map.signed:
            return f"{value:.{decimals}f}"
        return signed_number(value, decimals)

    def _marks(self) -> list[float]:
        threshold, sign = self._settings.threshold, self._settings.sign
        if self._map is None or not self._map.signed:
            return [threshold]
        return [threshold] * (sign != "negative") + [-threshold] * (sign != "positive")
