"""The evidence ledger: regions and all the rest, which add up to the prediction; as a table or as a waterfall."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from softcam_viewer.model.facts import why_no_ledger
from softcam_viewer.model.ledger_lines import Line, ledger_lines, rounded
from softcam_viewer.model.session import Session
from softcam_viewer.ui.canvas.color_bar import decimals_for, signed_number
from softcam_viewer.ui.panels.section import Section
from softcam_viewer.ui.panels.waterfall import Waterfall
from softcam_viewer.ui.theme import Theme, current_theme

ROW_HEIGHT = 26
LEFT, NAME, AREA, NUMBER, BAR = 26, 56, 80, 62, 44
"""Widths of the columns."""


class LedgerRow(QWidget):
    """A line of the ledger; those of regions and shapes have a tick box.

    Parameters
    ----------
    line : Line
    """

    hovered = Signal(object)  # the line, or None
    clicked = Signal(object)
    ticked = Signal(object, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._line: Line | None = None
        self._number, self._largest, self._is_hovered = "", 1.0, False
        self.box = QCheckBox(self)
        self.box.toggled.connect(self._on_ticked)
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
        text = f"{line.title}: {line.area}, {number}".replace(": ,", ":")
        self.box.setAccessibleName(f"Count {text}")
        self.setAccessibleName(text)
        self.setToolTip(line.note)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor if line.box else Qt.CursorShape.ArrowCursor)
        self.update()

    def _on_ticked(self, is_counted: bool) -> None:
        if self._line is not None:
            self.ticked.emit(self._line, is_counted)

    # Qt events

    def sizeHint(self) -> QSize:
        """Qt: one line."""
        return QSize(200, ROW_HEIGHT)

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

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw."""
        line = self._line
        if line is None:
            return
        painter, theme = QPainter(self), current_theme()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width, height = self.width(), self.height()
        if self._is_hovered and line.box:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.raised))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(-4, 0, 4, 0), 4, 4)
        if line.kind == "sum":
            painter.setPen(QPen(QColor(theme.line), 1))
            painter.drawLine(0, 0, width, 0)
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold if line.kind == "sum" else QFont.Weight.Normal)
        font.setStrikeOut(not line.is_counted)
        painter.setFont(font)
        painter.setPen(QColor(theme.text if line.is_counted else theme.muted))
        middle = Qt.AlignmentFlag.AlignVCenter
        room = NAME if line.can_be_left_out else width - LEFT - NUMBER - BAR - 12
        painter.drawText(QRectF(LEFT, 0, room, height), Qt.AlignmentFlag.AlignLeft | middle, line.title)
        place = QRectF(width - NUMBER, 0, NUMBER, height)
        painter.drawText(place, Qt.AlignmentFlag.AlignRight | middle, self._number)
        font.setStrikeOut(False)
        painter.setFont(font)
        painter.setPen(QColor(theme.muted))
        if line.can_be_left_out:
            painter.drawText(QRectF(LEFT + NAME, 0, AREA, height), Qt.AlignmentFlag.AlignLeft | middle, line.area)
        if line.kind != "sum":
            self._draw_bar(painter, line, theme)

    def _draw_bar(self, painter: QPainter, line: Line, theme: Theme) -> None:
        """To the right for what speaks for the class, to the left for what speaks against it."""
        centre = self.width() - NUMBER - BAR / 2 - 8
        extent = BAR / 2 * min(abs(line.contribution) / self._largest, 1.0)
        bar = QRectF(centre, self.height() / 2 - 3, extent, 6)
        if line.contribution < 0:
            bar.moveRight(centre)
        color = QColor(theme.evidence_for if line.contribution >= 0 else theme.evidence_against)
        color.setAlphaF(1.0 if line.is_counted else 0.3)
        painter.setPen(QPen(QColor(theme.line), 1))
        painter.drawLine(int(centre), 5, int(centre), self.height() - 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawRoundedRect(bar, 2, 2)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: Enter looks at the place."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.clicked.emit(self._line)
        else:
            event.ignore()


class LedgerPanel(Section):
    """What the logit is made of, exactly; ticks leave parts of it out."""

    highlighted = Signal(object)  # box of a place on the image (top, left, bottom, right), or None
    zoom_wanted = Signal(object)  # the same, never None

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Evidence ledger", parent)
        self._session, self._weighing = session, session.weighing
        self._rows: list[LedgerRow] = []
        self._lines = QVBoxLayout()
        self._lines.setSpacing(0)
        self._waterfall = Waterfall()
        self._why, self._outcome = QLabel(), QLabel()
        self._why.setObjectName("muted")
        self._outcome.setObjectName("accent")
        for label in (self._why, self._outcome):
            label.setWordWrap(True)
        self.restore, self.as_waterfall = QToolButton(), QToolButton()
        self.restore.setText("Count all")
        self.as_waterfall.setText("Waterfall")
        self.as_waterfall.setCheckable(True)
        buttons = QHBoxLayout()
        for button in (self.as_waterfall, self.restore):
            button.setObjectName("small")
            buttons.addWidget(button)
        buttons.addStretch()
        self._head = QWidget()
        head = QHBoxLayout(self._head)
        head.setContentsMargins(LEFT, 0, 0, 0)
        head.setSpacing(0)
        self._unit = QLabel()
        for label, width in ((QLabel("Region"), NAME), (QLabel("Area"), AREA), (self._unit, 0)):
            label.setObjectName("muted")
            if width:
                label.setFixedWidth(width)
                head.addWidget(label)
        head.addWidget(self._unit, 1, Qt.AlignmentFlag.AlignRight)
        self.content.addWidget(self._head)
        self.content.addLayout(self._lines)
        self.content.addWidget(self._waterfall)
        self.content.addWidget(self._why)
        self.content.addWidget(self._outcome)
        self.content.addLayout(buttons)

        self.restore.clicked.connect(self._weighing.count_all)
        self.as_waterfall.toggled.connect(self.refresh)
        self._waterfall.hovered.connect(self._on_hovered)
        self._waterfall.clicked.connect(self._on_clicked)
        self._weighing.changed.connect(self.refresh)
        self.refresh()

    @property
    def rows(self) -> dict[str, LedgerRow]:
        """Rows of the table by their titles."""
        return {row.line.title: row for row in self._rows if row.line is not None}

    def refresh(self) -> None:
        """Show the ledger of the active pane's evidence, or why there is none."""
        weighing, explanation = self._weighing, self._weighing.pane.explanation
        ledger, overlay = weighing.ledger, weighing.overlay
        self.setVisible(explanation is not None)
        has_ledger = ledger is not None and overlay is not None
        for widget in (self.as_waterfall, self.restore):
            widget.setVisible(has_ledger)
        self._why.setVisible(explanation is not None and not has_ledger)
        if ledger is None or overlay is None:
            self.remark.setText("")
            self._why.setText(why_no_ledger(explanation) if explanation is not None else "")
            self._show_rows([])
            for part in (self._waterfall, self._outcome, self._head):
                part.hide()
            return
        self.remark.setText(f"adds up to the {overlay.unit}")
        lines = ledger_lines(weighing)
        is_waterfall = self.as_waterfall.isChecked()
        self._show_rows([] if is_waterfall else lines)
        self._head.setVisible(not is_waterfall)
        self._unit.setText(overlay.unit.capitalize())
        self._waterfall.setVisible(is_waterfall)
        self._waterfall.show_lines([line for line in lines if line.kind != "shape"] if is_waterfall else [])
        self.restore.setEnabled(bool(weighing.names_left_out))
        self._outcome.setVisible(weighing.outcome is not None)
        self._outcome.setText(outcome_text(self._session))

    def _show_rows(self, lines: list[Line]) -> None:
        while len(self._rows) > len(lines):
            row = self._rows.pop()
            self._lines.removeWidget(row)
            row.hide()
            row.deleteLater()
        while len(self._rows) < len(lines):
            row = LedgerRow()
            row.hovered.connect(self._on_hovered)
            row.clicked.connect(self._on_clicked)
            row.ticked.connect(self._on_ticked)
            self._rows.append(row)
            self._lines.addWidget(row)
        # One number of decimals for the column, or nobody could add it up.
        decimals = decimals_for(max((abs(line.contribution) for line in lines), default=1.0), 3)
        largest = max((abs(line.contribution) for line in lines if line.kind != "sum"), default=1.0)
        for row, line, shown in zip(self._rows, lines, rounded(lines, decimals), strict=True):
            row.show_line(line, signed_number(shown, decimals), largest=largest)

    def _on_hovered(self, line: Line | None) -> None:
        self.highlighted.emit(line.box if line else None)

    def _on_clicked(self, line: Line | None) -> None:
        if line is not None and line.box is not None:
            self.zoom_wanted.emit(line.box)

    def _on_ticked(self, line: Line, is_counted: bool) -> None:
        if line.kind == "shape":
            self._weighing.remove_shape(line.title)
        elif line.number is not None:
            self._weighing.set_counted(line.number, counted=is_counted)


def outcome_text(session: Session) -> str:
    """What the prediction is without what is left out, a sentence; empty where all of it counts."""
    weighing, explanation = session.weighing, session.weighing.pane.explanation
    outcome, overlay = weighing.outcome, weighing.overlay
    if outcome is None or explanation is None or overlay is None:
        return ""
    from softcam_viewer.ui.panels.prediction import percent

    target = weighing.pane.overlay.target
    names = weighing.names_left_out
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    before, after = float(explanation.probabilities[target]), float(outcome.probabilities[target])
    name = explanation.class_names[target]
    return f"Without {listed}: {name} {percent(after)}, not {percent(before)} (exact, network not run)."
