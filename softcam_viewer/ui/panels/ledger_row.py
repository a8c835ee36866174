"""A line of the ledger: a tick, a name, and numbers over a bar."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QFocusEvent, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSizePolicy, QWidget

from softcam_viewer.model.ledger_lines import Line
from softcam_viewer.ui.theme import current_theme

ROW_HEIGHT, BAR_HEIGHT = 28, 3
LEFT = 24
COLUMNS = AREA, PEAK, SHARE, NUMBER = 64, 48, 50, 66
"""Widths; what they leave at the left is for the name."""
SQUARE_MM = " mm²"
"""Said once, above the column."""


class LedgerRow(QWidget):
    """A line of the ledger; those of regions and shapes have a tick box."""

    hovered = Signal(object)  # the line, or None
    clicked = Signal(object)
    ticked = Signal(object, bool)
    focused = Signal(object)  # the keyboard has come to it

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._line: Line | None = None
        self._number, self._largest, self._is_hovered = "", 1.0, False
        self._is_chosen = False
        self.box = QCheckBox(self)
        self.box.toggled.connect(self._on_ticked)
        self.box.installEventFilter(self)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box)
        row.addStretch()

    @property
    def line(self) -> Line | None:
        """What it shows."""
        return self._line

    @property
    def number(self) -> str:
        """The contribution as it is shown."""
        return self._number

    def show_line(self, line: Line, number: str, *, largest: float) -> None:
        """Show a line and its contribution; the bar of the largest one is as wide as there is room."""
        self._line, self._number, self._largest = line, number, max(largest, 1e-12)
        blocked = self.box.blockSignals(True)
        self.box.setChecked(line.is_counted)
        self.box.blockSignals(blocked)
        self.box.setVisible(line.can_be_left_out)
        facts = (line.area, line.peak and f"peak {line.peak}", line.share and f"{line.share} of the sum", number)
        text = f"{line.title}: {', '.join(filter(None, facts))}"
        self.box.setAccessibleName(f"Count {text}")
        self.setAccessibleName(text)
        self.setToolTip(line.note)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor if line.box else Qt.CursorShape.ArrowCursor)
        self.update()

    def set_chosen(self, chosen: bool) -> None:
        """Show whether it is the one that verdicts are about."""
        if chosen != self._is_chosen:
            self._is_chosen = chosen
            self.update()

    def _on_ticked(self, is_counted: bool) -> None:
        if self._line is not None:
            self.ticked.emit(self._line, is_counted)

    # Qt events

    def sizeHint(self) -> QSize:
        """Qt: one line."""
        return QSize(200, ROW_HEIGHT)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: the keyboard has come to its tick box."""
        by_keys = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        if isinstance(event, QFocusEvent) and event.gotFocus() and event.reason() in by_keys:
            self.focused.emit(self._line)
        return False

    def enterEvent(self, event: QEnterEvent) -> None:
        """Qt: the mouse is over it."""
        self._is_hovered = True
        self.hovered.emit(self._line)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Qt: the mouse has left."""
        self._is_hovered = False
        self.hovered.emit(None)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Qt: look at the place."""
        self.clicked.emit(self._line)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: Enter looks at the place."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.clicked.emit(self._line)
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        line = self._line
        if line is None:
            return
        painter, theme = QPainter(self), current_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if (self._is_hovered or self._is_chosen) and line.box:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.raised))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(-4, 0, 4, 0), 4, 4)
        if self._is_chosen:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.accent))
            painter.drawRoundedRect(QRectF(0, 6, 3, self.height() - 12), 1.5, 1.5)
        if line.kind == "sum":
            painter.setPen(QPen(QColor(theme.line), 1))
            painter.drawLine(0, 0, self.width(), 0)
        elif line.kind != "outcome":
            self._draw_bar(painter, line)
        strong, muted = QColor(theme.text if line.is_counted else theme.muted), QColor(theme.muted)
        if line.kind == "outcome":
            strong = QColor(theme.accent)
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold if line.kind in ("sum", "outcome") else QFont.Weight.Normal)
        struck = QFont(font)
        struck.setStrikeOut(not line.is_counted)
        texts = (line.area.removesuffix(SQUARE_MM), line.peak, line.share, self._number)
        left = self.width() - sum(COLUMNS)
        # A title that is longer than its column has those that are empty beside it.
        empty = next(index for index, text in enumerate(texts) if text)
        room = QRectF(LEFT, 0, left + sum(COLUMNS[:empty]) - LEFT, self.height())
        painter.setFont(struck)
        painter.setPen(strong)
        title = painter.fontMetrics().elidedText(line.title, Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, title)
        painter.setFont(font)
        painter.setPen(muted)
        for text, width in zip(texts, COLUMNS, strict=True):
            if text is self._number:
                painter.setFont(struck)
                painter.setPen(strong)
            place = QRectF(left, 0, width, self.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
            left += width

    def _draw_bar(self, painter: QPainter, line: Line) -> None:
        """Below the last number: to the right for what speaks for the class, to the left for what is against."""
        theme, room = current_theme(), NUMBER / 2
        centre = self.width() - room
        extent = room * min(abs(line.contribution) / self._largest, 1.0)
        bar = QRectF(centre, self.height() - BAR_HEIGHT - 1, extent, BAR_HEIGHT)
        if line.contribution < 0:
            bar.moveRight(centre)
        color = QColor(theme.evidence_for if line.contribution >= 0 else theme.evidence_against)
        color.setAlphaF(1.0 if line.is_counted else 0.3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawRoundedRect(bar, 1.5, 1.5)
