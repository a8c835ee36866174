"""Pictures of what is seen: the panes at any scale, with the facts that belong to them and the notice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter
from PySide6.QtWidgets import QWidget

from softcam_core.notice import NOTICE
from softcam_viewer.model.pane import PaneState
from softcam_viewer.model.session import Session
from softcam_viewer.ui.panels.overlay_panel import threshold_text
from softcam_viewer.ui.theme import current_theme

MARGIN, LINE = 12, 20
SCALES = (1, 2, 3)


def caption_lines(session: Session) -> list[str]:
    """A line a pane: class, threshold, and the model with its hash; nothing that tells of whom the image is."""
    panes = session.panes
    found = [(number, pane) for number, pane in enumerate(panes.shown, 1) if pane in panes.visible]
    return [text for number, pane in found if (text := _caption(number if len(found) > 1 else 0, pane))]


def _caption(number: int, pane: PaneState) -> str:
    explanation, overlay, settings = pane.explanation, pane.overlay_map, pane.overlay
    if explanation is None or overlay is None:
        return ""
    target = explanation.target(settings.target, settings.against).title(explanation.class_names)
    card = explanation.card
    sha = f" (sha256 {card.sha256[:12]})" if card.sha256 else ""
    threshold = threshold_text(overlay, settings)
    unit = "" if overlay.is_relative else f" {overlay.unit}"
    parts = [explanation.about.title, target, f"threshold {threshold}{unit}", f"model {card.name}{sha}"]
    return (f"{number}  " if number else "") + "  ·  ".join(parts)


def picture_of(panes: QWidget, session: Session, scale: float = 1.0) -> QImage:
    """Draw the panes as they are on screen, larger where wanted, above their captions and the notice.

    Parameters
    ----------
    panes : QWidget
        The grid of panes.
    session : Session
    scale : float
        Pixels of the picture by pixels of the screen.
    """
    theme, lines = current_theme(), caption_lines(session)
    width, height = panes.width(), panes.height()
    foot = MARGIN * 2 + LINE * (len(lines) + 1)
    image = QImage(round(width * scale), round((height + foot) * scale), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(scale)
    image.fill(QColor(theme.background))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    panes.render(painter, QPoint(0, 0))
    font = QFont(panes.font())
    font.setPixelSize(12)
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    painter.setPen(QColor(theme.text))
    for row, line in enumerate(lines):
        place = QRectF(MARGIN, height + MARGIN + row * LINE, width - 2 * MARGIN, LINE)
        text = metrics.elidedText(line, Qt.TextElideMode.ElideMiddle, place.width())
        painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
    painter.setPen(QColor(theme.warning))
    place = QRectF(MARGIN, height + MARGIN + len(lines) * LINE, width - 2 * MARGIN, LINE)
    painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, NOTICE)
    painter.end()
    return image


def as_array(image: QImage) -> npt.NDArray[np.uint8]:
    """Pixels of a picture, (H, W, 3) uint8 RGB."""
    converted = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(converted.constBits(), np.uint8, converted.sizeInBytes())
    rows = rows.reshape(converted.height(), converted.bytesPerLine())
    return rows[:, : converted.width() * 3].reshape(converted.height(), converted.width(), 3).copy()
