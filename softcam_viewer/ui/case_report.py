"""A case as a PDF: what is seen, the prediction, the ledger, and the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QMarginsF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPageSize, QPainter, QPdfWriter, QPen

from softcam_core.notice import NOTICE
from softcam_viewer.model import backend
from softcam_viewer.model.ledger_lines import ledger_lines, rounded
from softcam_viewer.model.session import Session
from softcam_viewer.ui.canvas.color_bar import decimals_for, signed_number
from softcam_viewer.ui.panels.ledger import outcome_text
from softcam_viewer.ui.panels.prediction import percent

DPI = 150
MARGIN_MM = 15
TEXT, MUTED, RULE, ACCENT, WARNING = "#1b2330", "#586577", "#d3dae4", "#0b6fc2", "#8a5a00"

CARD = ("Model", "Input", "Evidence", "Conversion", "Metrics")
"""Sections of the model's card that are in the report; how it was trained is in its file."""

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseReport:
    """All that the report says, gathered before it is written.

    Attributes
    ----------
    title : str
        Of the case; empty to say nothing of it.
    picture : QImage
        What is seen.
    tables : sequence of (str, sequence of rows)
        Title and rows: a name at the left, figures, and what may need several lines at the right.
    remarks : sequence of str
        Sentences under the tables.
    """

    title: str
    picture: QImage
    tables: Sequence[tuple[str, Sequence[Row]]]
    remarks: Sequence[str]

    def write(self, path: Path) -> None:
        """Write the PDF; may run off the UI thread.

        Raises
        ------
        OSError
            When the file cannot be written.
        """
        path.write_bytes(b"")  # says what is wrong with the place, where Qt says nothing
        writer = QPdfWriter(str(path))
        writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
        writer.setPageMargins(QMarginsF(0, 0, 0, 0))
        writer.setResolution(DPI)
        writer.setTitle("SoftCAM case report")
        writer.setCreator("SoftCAM viewer")
        painter = QPainter()
        if not painter.begin(writer):
            raise OSError(None, "Qt cannot write there", str(path))
        _Page(writer, painter).draw(self)
        painter.end()


def report_of(session: Session, picture: QImage, title: str = "") -> CaseReport:
    """Gather what there is to say of the case in view."""
    pane, weighing = session.panes.active, session.weighing
    tables: list[tuple[str, Sequence[Row]]] = []
    explanation = session.panes.prediction_of(pane)
    if explanation is not None:
        rows = [
            (name, percent(float(p)), signed_number(float(z), 3))
            for name, p, z in zip(explanation.class_names, explanation.probabilities, explanation.logits, strict=True)
        ]
        tables.append(("Prediction: class, probability, logit", rows))
    lines = ledger_lines(weighing)
    if lines and weighing.overlay is not None:
        decimals = decimals_for(max(abs(line.contribution) for line in lines), 3)
        shown = rounded(lines, decimals)
        ledger_rows: list[Row] = [
            (
                line.title if line.is_counted else f"{line.title} (left out)",
                *(line.area, line.peak, line.share, signed_number(number, decimals)),
            )
            for line, number in zip(lines, shown, strict=True)
        ]
        tables.append((f"Evidence ledger: region, area, peak, share, {weighing.overlay.unit}", ledger_rows))
    if pane.model is not None:
        card = [line for title, lines in backend.describe(pane.model).items() if title in CARD for line in lines]
        tables.append(("Model", card))
    remarks = [text for text in (outcome_text(session),) if text]
    return CaseReport(title, picture, tables, remarks)


class _Page:
    """Draws from top to bottom, page after page."""

    def __init__(self, writer: QPdfWriter, painter: QPainter) -> None:
        self._writer, self._painter = writer, painter
        margin = MARGIN_MM * DPI / 25.4
        self._area = QRectF(0, 0, writer.width(), writer.height()).adjusted(margin, margin, -margin, -margin)
        self._y = self._area.top()
        self._notice()

    def draw(self, report: CaseReport) -> None:
        self._text("SoftCAM case report", 20, bold=True)
        if report.title:
            self._text(report.title, 12, color=MUTED)
        self._picture(report.picture)
        for title, rows in report.tables:
            self._table(title, rows)
            if title.startswith("Evidence ledger"):
                for remark in report.remarks:
                    self._text(remark, 12, color=ACCENT)

    def _notice(self) -> None:
        self._painter.setFont(_font(11, bold=True))
        self._painter.setPen(QColor(WARNING))
        foot = QRectF(self._area.left(), self._area.bottom() + 14, self._area.width(), 24)
        self._painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, NOTICE)

    def _need(self, height: float) -> None:
        if self._y + height > self._area.bottom():
            self._writer.newPage()
            self._y = self._area.top()
            self._notice()

    def _text(self, text: str, size: int, *, bold: bool = False, color: str = TEXT) -> None:
        font = _font(size, bold=bold)
        room = QRectF(0, 0, self._area.width(), 10_000)
        wrapped = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft
        height = QFontMetricsF(font, self._writer).boundingRect(room, int(wrapped), text).height()
        self._need(height + 6)
        self._painter.setFont(font)
        self._painter.setPen(QColor(color))
        self._painter.drawText(QRectF(self._area.left(), self._y, self._area.width(), height + 2), int(wrapped), text)
        self._y += height + 6

    def _picture(self, picture: QImage) -> None:
        factor = min(self._area.width() / picture.width(), self._area.height() * 0.62 / picture.height())
        width, height = picture.width() * factor, picture.height() * factor
        self._need(height + 16)
        self._painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self._painter.drawImage(QRectF(self._area.left(), self._y + 6, width, height), picture)
        self._y += height + 22

    def _table(self, title: str, rows: Sequence[Row]) -> None:
        font = _font(11)
        metrics = QFontMetricsF(font, self._writer)
        whole = (len(rows) + 3) * (metrics.height() + 8)
        self._need(whole if whole < self._area.height() / 2 else 70)  # short tables stay together
        self._y += 8
        self._text(title, 13, bold=True)
        left, width = self._area.left(), self._area.width()
        right_aligned = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignRight
        for name, *figures, value in rows:
            start = 0.84 if figures else 0.38
            room = QRectF(left + width * start, self._y + 4, width * (1 - start), 10_000)
            height = max(metrics.boundingRect(room, int(right_aligned), value).height(), metrics.height()) + 8
            self._need(height)
            top = self._y + 4
            self._painter.setPen(QPen(QColor(RULE), 1))
            self._painter.drawLine(int(left), int(self._y), int(left + width), int(self._y))
            self._painter.setFont(font)
            self._painter.setPen(QColor(TEXT))
            self._painter.drawText(QRectF(left, top, width * 0.4, height), int(Qt.AlignmentFlag.AlignLeft), name)
            for place, figure in enumerate(figures):
                column = width * 0.56 / len(figures)
                cell = QRectF(left + width * 0.28 + column * place, top, column, height)
                self._painter.drawText(cell, int(Qt.AlignmentFlag.AlignRight), figure)
            room.moveTop(top)
            self._painter.drawText(room, int(right_aligned), value)
            self._y += height
        self._y += 14


def _font(size: int, *, bold: bool = False) -> QFont:
    from softcam_viewer.ui.theme import FONT_FAMILIES

    font = QFont()
    font.setFamilies(FONT_FAMILIES)
    # Qt gives the shapes that a font has for signs beside numbers no text: "−0.52" would be copied as "0.52".
    font.setFeature(QFont.Tag("calt"), 0)
    font.setPixelSize(round(size * DPI / 96))
    font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return font
