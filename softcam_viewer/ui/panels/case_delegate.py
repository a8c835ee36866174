"""Lines of the worklist as they are drawn: cases and headings."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from softcam_viewer.model.cases import AnyIndex, Case, CaseList, Status, flags_text
from softcam_viewer.model.grouping import Heading
from softcam_viewer.model.worklist import Worklist
from softcam_viewer.ui.canvas.film import to_image
from softcam_viewer.ui.panels.prediction import percent
from softcam_viewer.ui.theme import Theme, current_theme
from softcam_viewer.ui.verdict_marks import draw_verdict

THUMBNAIL = 50
LINE = 17
CASE_HEIGHT, TALL_CASE_HEIGHT, HEADING_HEIGHT = 70, 82, 30

STATUS_TEXTS: dict[Status, str] = {
    "error": "Cannot be read",
    "wrong": "Prediction ≠ label",
    "reviewed": "Reviewed",
    "open": "Not reviewed",
}
"""What stands beside the mark of a status."""
SHORT_WRONG = "≠ label"
"""The same where flags stand beside it."""


class CaseDelegate(QStyledItemDelegate):
    """Draws a case: thumbnail, name, prediction, status, label; and a heading with its arrow."""

    def __init__(self, parent: QStyledItemDelegate | None = None) -> None:
        super().__init__(parent)
        self.is_tall = False  # some cases have a fourth line: a label, or a number of frames

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        """Qt: cases of one height, headings of another."""
        if index.data(Worklist.HEADING_ROLE) is not None:
            return QSize(160, HEADING_HEIGHT)
        return QSize(160, TALL_CASE_HEIGHT if self.is_tall else CASE_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Qt: draw a line."""
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        heading = index.data(Worklist.HEADING_ROLE)
        area = QRectF(option.rect).adjusted(8, 2, -8, -2)
        self._draw_frame(painter, area, option.state)
        if heading is not None:
            self._draw_heading(painter, area, option, heading, str(index.data(Qt.ItemDataRole.DisplayRole)))
        else:
            self._draw_case(painter, area, option, index.data(CaseList.CASE_ROLE))
        painter.restore()

    @staticmethod
    def _draw_frame(painter: QPainter, area: QRectF, state: QStyle.StateFlag) -> None:
        theme, is_chosen = current_theme(), bool(state & QStyle.StateFlag.State_Selected)
        painter.setPen(Qt.PenStyle.NoPen)
        if is_chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(QColor(theme.raised))
            painter.drawRoundedRect(area, 5, 5)
        if is_chosen:
            painter.setBrush(QColor(theme.accent))
            painter.drawRoundedRect(QRectF(area.left(), area.top() + 8, 3, area.height() - 16), 1.5, 1.5)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(theme.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)

    @staticmethod
    def _draw_heading(
        painter: QPainter, area: QRectF, option: QStyleOptionViewItem, heading: Heading, title: str
    ) -> None:
        theme = current_theme()
        left = area.left() + 8 + 10 * heading.level
        middle = QPointF(left + 4, area.center().y())
        arrow = [(-3, -4), (3, 0), (-3, 4)] if heading.is_folded else [(-4, -3), (4, -3), (0, 3)]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.muted))
        painter.drawPolygon(QPolygonF([middle + QPointF(x, y) for x, y in arrow]))
        line = QRectF(left + 14, area.top(), area.right() - left - 20, area.height())
        _draw_text(
            painter,
            option.font,
            line,
            title,
            theme.text if heading.level == 0 else theme.muted,
            is_strong=not heading.level,
        )

    @staticmethod
    def _draw_status(painter: QPainter, font: QFont, line: QRectF, case: Case, text: str, color: str) -> None:
        """The mark of the status, and of flags: they stand in the place of "not reviewed", and beside all else."""
        theme, flags = current_theme(), _flags(case) if case.flags else ""
        if not flags or case.status != "open":
            if flags and case.status == "wrong":
                text = SHORT_WRONG
            draw_mark(painter, QPointF(line.left() + 4, line.center().y()), case.status, color)
            _draw_text(painter, font, line.adjusted(14, 0, 0, 0), text, color)
            painter.setFont(_font(font, 12))
            line = line.adjusted(14 + painter.fontMetrics().horizontalAdvance(text) + 10, 0, 0, 0)
        if flags:
            draw_verdict(painter, QPointF(line.left() + 4, line.center().y()), "wrong", theme.warning)
            _draw_text(painter, font, line.adjusted(14, 0, 0, 0), flags, theme.warning)

    def _draw_case(self, painter: QPainter, area: QRectF, option: QStyleOptionViewItem, case: Case) -> None:
        theme, is_chosen = current_theme(), bool(option.state & QStyle.StateFlag.State_Selected)
        picture = QRectF(area.left() + 10, area.center().y() - THUMBNAIL / 2, THUMBNAIL, THUMBNAIL)
        _draw_thumbnail(painter, picture, case)
        facts = (
            f"label: {case.label.replace('|', ', ')}" if case.label else "",
            f"{case.frames} frames" * (case.frames > 1),
        )
        left, count = picture.right() + 12, 2 + (case.status != "error") + any(facts)
        line = QRectF(left, area.center().y() - LINE * count / 2, area.right() - left - 6, LINE)
        _draw_text(painter, option.font, line, case.name, theme.text, is_strong=is_chosen, size=13)
        line.translate(0, LINE)
        if case.prediction is not None and case.status != "error":
            name, probability = case.prediction
            # The number is what must not be cut off.
            number = percent(probability)
            painter.setFont(_font(option.font, 12))
            room = line.width() - painter.fontMetrics().horizontalAdvance(f" {number}")
            short = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, int(room))
            _draw_text(painter, option.font, line, f"{short} {number}", theme.muted)
        elif case.status != "error":  # a line of its own also before: nothing moves when the prediction comes
            _draw_text(painter, option.font, line, "No prediction yet", theme.muted)
        if case.status != "error":
            line.translate(0, LINE)
        status = case.status
        text, color = STATUS_TEXTS[status], status_color(status, theme)
        if status == "error" and not case.error:
            text = "Cannot be explained"
        self._draw_status(painter, option.font, line, case, text, color)
        line.translate(0, LINE)
        _draw_text(painter, option.font, line, " · ".join(filter(None, facts)), theme.muted)


def _flags(case: Case) -> str:
    """What stands beside the mark of a case that something was said of, as long as its status has room for it."""
    return flags_text(case.flags) if case.status in ("open", "reviewed", "wrong") else str(case.flags)


def status_color(status: Status, theme: Theme) -> str:
    """Colour of a status's mark."""
    return {"error": theme.error, "wrong": theme.error, "reviewed": theme.ok, "open": theme.muted}[status]


def draw_mark(painter: QPainter, middle: QPointF, status: Status, color: str) -> None:
    """Draw the mark of a status, each of its own shape: disc, square, ring or triangle."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(color))
    if status == "reviewed":
        painter.drawEllipse(middle, 4, 4)
    elif status == "wrong":
        painter.drawRect(QRectF(middle.x() - 3.5, middle.y() - 3.5, 7, 7))
    elif status == "error":
        painter.drawPolygon(QPolygonF([middle + QPointF(*corner) for corner in ((-4.5, 4), (4.5, 4), (0, -4.5))]))
    else:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(color), 1.6))
        painter.drawEllipse(middle, 3.2, 3.2)


def _draw_thumbnail(painter: QPainter, area: QRectF, case: Case) -> None:
    clip = QPainterPath()
    clip.addRoundedRect(area, 4, 4)
    painter.save()
    painter.setClipPath(clip)
    if case.thumbnail is None:
        painter.fillRect(area, QColor(current_theme().line))
    else:
        painter.drawImage(area, to_image(case.thumbnail))
    painter.restore()


def _font(base: QFont, size: int, *, is_strong: bool = False) -> QFont:
    font = QFont(base)
    font.setPixelSize(size)
    font.setWeight(QFont.Weight.DemiBold if is_strong else QFont.Weight.Normal)
    return font


def _draw_text(
    painter: QPainter, base: QFont, line: QRectF, text: str, color: str, *, is_strong: bool = False, size: int = 12
) -> None:
    painter.setFont(_font(base, size, is_strong=is_strong))
    painter.setPen(QColor(color))
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, int(line.width()))
    painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, shown)
