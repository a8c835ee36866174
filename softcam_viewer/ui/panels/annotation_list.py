"""The annotations of the image in view, line by line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import QListView, QSizePolicy, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from softcam_core.annotations.annotation import REST, VERDICTS, Annotation
from softcam_viewer.model.annotation_facts import AnnotationFacts
from softcam_viewer.model.cases import AnyIndex
from softcam_viewer.ui.canvas.color_bar import signed_number
from softcam_viewer.ui.theme import current_theme
from softcam_viewer.ui.verdict_marks import draw_verdict, verdict_color

ROW_HEIGHT, LINE, LEFT = 44, 18, 20
DECIMALS, LEAST = 3, 0.0005
MOST_ROWS = 6
"""In sight at once; the list scrolls to the others."""

FactsOf = Callable[[Annotation], AnnotationFacts]


class AnnotationListModel(QAbstractListModel):
    """Annotations as Qt's views read them.

    Parameters
    ----------
    facts_of : callable
        What the map in view tells of one.
    """

    ANNOTATION_ROLE = Qt.ItemDataRole.UserRole + 1
    FACTS_ROLE = Qt.ItemDataRole.UserRole + 2

    def __init__(self, facts_of: FactsOf, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._facts_of = facts_of
        self.annotations: tuple[Annotation, ...] = ()

    def show_annotations(self, annotations: Sequence[Annotation]) -> None:
        """Show other annotations, or others of their fields."""
        before = [annotation.id for annotation in self.annotations]
        if before == [annotation.id for annotation in annotations]:
            self.annotations = tuple(annotations)
            self.refresh()
            return
        self.beginResetModel()
        self.annotations = tuple(annotations)
        self.endResetModel()

    def refresh(self) -> None:
        """What the map tells of them may be something else."""
        if self.annotations:
            self.dataChanged.emit(self.index(0), self.index(len(self.annotations) - 1))

    def row_of(self, id: str) -> int | None:
        """Row of an annotation."""
        return next((row for row, annotation in enumerate(self.annotations) if annotation.id == id), None)

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Qt: how many there are."""
        return 0 if parent.isValid() else len(self.annotations)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: ANN401 - Qt's signature
        """Qt: words, and the annotation itself."""
        if not index.isValid():
            return None
        annotation = self.annotations[index.row()]
        if role == self.ANNOTATION_ROLE:
            return annotation
        if role == self.FACTS_ROLE:
            return self._facts_of(annotation)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return ", ".join(filter(None, (*words_of(annotation, self._facts_of(annotation)), said_by(annotation))))
        return tip_of(annotation) if role == Qt.ItemDataRole.ToolTipRole else None


class AnnotationView(QListView):
    """As high as its lines, up to a few; Enter goes to the place, Delete takes the annotation away."""

    jump_wanted = Signal(str)
    removal_wanted = Signal(str)

    def __init__(self, model: AnnotationListModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setItemDelegate(AnnotationDelegate(self))
        self.setAccessibleName("Annotations of the image")
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        model.modelReset.connect(self.updateGeometry)
        self.doubleClicked.connect(lambda index: self._tell(self.jump_wanted, index))

    def sizeHint(self) -> QSize:
        """Qt: all lines, or as many as are in sight at once."""
        return QSize(240, ROW_HEIGHT * min(self.model().rowCount(), MOST_ROWS))

    def minimumSizeHint(self) -> QSize:
        """Qt: the same."""
        return QSize(160, self.sizeHint().height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt: see the class."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._tell(self.jump_wanted, self.currentIndex())
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._tell(self.removal_wanted, self.currentIndex())
        else:
            super().keyPressEvent(event)

    @staticmethod
    def _tell(signal: Any, index: QModelIndex) -> None:  # noqa: ANN401 - a bound signal, for which Qt has no type
        annotation = index.data(AnnotationListModel.ANNOTATION_ROLE)
        if annotation is not None:
            signal.emit(annotation.id)


class AnnotationDelegate(QStyledItemDelegate):
    """Draws verdict, region and class, who said it and when, and what the place gives."""

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        """Qt: two lines."""
        return QSize(200, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        """Qt: draw."""
        annotation: Annotation = index.data(AnnotationListModel.ANNOTATION_ROLE)
        facts: AnnotationFacts = index.data(AnnotationListModel.FACTS_ROLE)
        theme, area = current_theme(), QRectF(option.rect).adjusted(0, 1, 0, -1)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.setPen(Qt.PenStyle.NoPen)
        if is_chosen or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(QColor(theme.raised))
            painter.drawRoundedRect(area, 5, 5)
        if is_chosen:
            painter.setBrush(QColor(theme.accent))
            painter.drawRoundedRect(QRectF(area.left(), area.top() + 7, 3, area.height() - 14), 1.5, 1.5)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(theme.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
        color = verdict_color(annotation.verdict, theme)
        line = QRectF(area.left() + 8, area.top() + 3, area.width() - 16, LINE)
        draw_verdict(painter, QPointF(line.left() + 5, line.center().y()), annotation.verdict, color)
        number = contribution_text(facts)
        strong = _font(option.font, 13, is_strong=is_chosen)
        painter.setFont(strong)
        room = painter.fontMetrics().horizontalAdvance(number)
        _draw(painter, line, number, theme.text, Qt.AlignmentFlag.AlignRight)
        title = line.adjusted(LEFT, 0, -room - 8 * bool(number), 0)
        _draw_words(painter, title, words_of(annotation, facts), color)
        line.translate(0, LINE)
        painter.setFont(_font(option.font, 12))
        share = facts.share if number else ""
        room = painter.fontMetrics().horizontalAdvance(share)
        _draw(painter, line, share, theme.muted, Qt.AlignmentFlag.AlignRight)
        _draw(painter, line.adjusted(LEFT, 0, -room - 8 * bool(share), 0), said_by(annotation), theme.muted)
        painter.restore()


def words_of(annotation: Annotation, facts: AnnotationFacts) -> tuple[str, ...]:
    """Verdict, region and class."""
    return VERDICTS[annotation.verdict], facts.region, annotation.class_name or "no class"


def said_by(annotation: Annotation) -> str:
    """Who said it and when, and the remark."""
    made = datetime.fromtimestamp(annotation.created).astimezone()
    today = made.date() == datetime.now().astimezone().date()
    time = f"{made:%H:%M}" if today else f"{made:%Y-%m-%d}"
    comment = " ".join(annotation.comment.split())
    return " · ".join(filter(None, (annotation.reviewer or "no name", time, f"“{comment}”" if comment else "")))


def contribution_text(facts: AnnotationFacts) -> str:
    """What the place gives, "" where that is not known."""
    value = facts.contribution or 0.0
    if abs(value) < LEAST:
        return ""
    # Two digits: the ledger's third is rounded so that its column adds up.
    decimals = min(max(1 - math.floor(math.log10(abs(value))), 0), DECIMALS)
    return signed_number(value, decimals)


def tip_of(annotation: Annotation) -> str:
    """All of it."""
    made = datetime.fromtimestamp(annotation.created).astimezone()
    model = f"{annotation.model_name} ({annotation.model_sha256[:8]})" if annotation.model_sha256 else ""
    shown = f"above {annotation.threshold:.3g} {annotation.unit}" if annotation.threshold is not None else ""
    against = annotation.against
    versus = "" if not against else " against the rest" if against == REST else f" against {against}"
    lines = (
        ", ".join(words_of(annotation, AnnotationFacts())) + versus,
        annotation.comment,
        f"{annotation.reviewer or 'no name'}, {made:%Y-%m-%d %H:%M}",
        " · ".join(filter(None, (annotation.method, model or annotation.model_name, shown))),
    )
    return "\n".join(filter(None, lines))


def _font(base: QFont, size: int, *, is_strong: bool = False) -> QFont:
    font = QFont(base)
    font.setPixelSize(size)
    font.setWeight(QFont.Weight.DemiBold if is_strong else QFont.Weight.Normal)
    return font


def _draw(
    painter: QPainter,
    line: QRectF,
    text: str,
    color: str,
    side: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
) -> None:
    painter.setPen(QColor(color))
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(line.width()))
    painter.drawText(line, side | Qt.AlignmentFlag.AlignVCenter, shown)


def _draw_words(painter: QPainter, line: QRectF, words: tuple[str, ...], color: str) -> None:
    """The verdict whole; of what follows as much as there is room for."""
    verdict, *rest = words
    _draw(painter, line, verdict, color)
    used = painter.fontMetrics().horizontalAdvance(verdict)
    _draw(painter, line.adjusted(used, 0, 0, 0), "".join(f" · {word}" for word in rest if word), current_theme().text)
