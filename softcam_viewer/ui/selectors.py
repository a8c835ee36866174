"""Compact combo boxes of a pane's header: method, class, model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSignalBlocker, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QCursor,
    QFont,
    QFontMetrics,
    QPainter,
    QPaintEvent,
    QStandardItem,
    QStandardItemModel,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QComboBox,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionComboBox,
    QStyleOptionViewItem,
    QStylePainter,
    QWidget,
)

from softcam_viewer.model.answers import Against, Aim
from softcam_viewer.model.methods import FAMILIES, Method
from softcam_viewer.ui.theme import current_theme

REMARK, DIMMED = Qt.ItemDataRole.UserRole + 1, Qt.ItemDataRole.UserRole + 2
ROW, HEADING = 26, 30
POPUP_WIDTHS = 200, 520


class ChoiceDelegate(QStyledItemDelegate):
    """Draws a choice with a muted remark at its right, and headings in small capitals."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Qt: one line."""
        return QSize(120, ROW if index.flags() & Qt.ItemFlag.ItemIsSelectable else HEADING)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Qt: draw a line."""
        theme, area = current_theme(), option.rect.adjusted(8, 0, -8, 0)
        text, remark = index.data() or "", index.data(REMARK) or ""
        painter.save()
        font = QFont(option.font)
        middle = Qt.AlignmentFlag.AlignVCenter
        if not index.flags() & Qt.ItemFlag.ItemIsSelectable:
            font.setPixelSize(11)
            font.setWeight(QFont.Weight.DemiBold)
            painter.setFont(font)
            painter.setPen(QColor(theme.muted))
            painter.drawText(area, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, text.upper())
            painter.restore()
            return
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        if is_chosen:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.accent))
            painter.drawRoundedRect(option.rect, 4, 4)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        room = metrics.horizontalAdvance(remark) + 16 if remark else 0
        color = theme.on_accent if is_chosen else theme.muted if index.data(DIMMED) else theme.text
        painter.setPen(QColor(color))
        elided = metrics.elidedText(text, Qt.TextElideMode.ElideRight, area.width() - room)
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft | middle, elided)
        painter.setPen(QColor(theme.on_accent if is_chosen else theme.muted))
        painter.drawText(area, Qt.AlignmentFlag.AlignRight | middle, remark)
        painter.restore()


class Selector(QComboBox):
    """A combo box of any width: its text is elided, and told whole in a tool tip.

    Parameters
    ----------
    name : str
        What is chosen, for tool tips and screen readers.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("selector")
        self._name = name
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(40)
        self.setMaxVisibleItems(24)
        self._lines = QStandardItemModel(self)
        self.setModel(self._lines)
        self.setItemDelegate(ChoiceDelegate(self))
        self._filled: list[tuple[Any, ...]] = []

    def fill(self, lines: Iterable[tuple[str, Any, str, str, bool]], current: object) -> None:
        """Offer choices.

        Parameters
        ----------
        lines : iterable of (str, Any, str, str, bool)
            Text, value, remark, tool tip, and whether the line is dimmed; a value of None makes a heading.
        current : object
            Value that is chosen.
        """
        blocker, wanted = QSignalBlocker(self), list(lines)
        if wanted != self._filled:
            self._filled = wanted
            self._lines.clear()
            for text, value, remark, tip, is_dimmed in wanted:
                item = QStandardItem(text)
                item.setData(remark, REMARK)
                item.setData(is_dimmed, DIMMED)
                item.setToolTip(tip)
                if value is None:
                    item.setFlags(Qt.ItemFlag.NoItemFlags)
                self._lines.appendRow(item)
        row = next((row for row, line in enumerate(wanted) if line[1] is not None and line[1] == current), -1)
        self.setCurrentIndex(row)
        self.setEnabled(any(line[1] is not None for line in wanted))
        self.setToolTip(f"{self._name}: {self.currentText()}" if row >= 0 else self._name)
        self.setAccessibleDescription(self.currentText())
        del blocker

    @property
    def value(self) -> Any:  # noqa: ANN401 - whatever was given
        """Value of the choice, None for none."""
        row = self.currentIndex()
        return self._filled[row][1] if row >= 0 else None

    def showPopup(self) -> None:
        """Qt: a list as wide as its longest line."""
        metrics = QFontMetrics(self.font())
        widest = max((metrics.horizontalAdvance(f"{text}{remark}") for text, _, remark, *_ in self._filled), default=0)
        least, most = POPUP_WIDTHS
        self.view().setMinimumWidth(max(self.width(), min(max(widest + 70, least), most)))
        super().showPopup()
        # From the top, so that the heading above the first lines is seen, as far as the choice is in sight.
        view = self.view()
        view.scrollToTop()
        view.scrollTo(self.model().index(self.currentIndex(), 0))

    def hidePopup(self) -> None:
        """Qt: the mouse may have left meanwhile, of which Qt tells nobody."""
        super().hidePopup()
        if not self.rect().contains(self.mapFromGlobal(QCursor.pos())):
            self.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, on=False)
            self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Qt: the wheel chooses nothing: who scrolls past does not mean to start a method."""
        event.ignore()

    def sizeHint(self) -> QSize:
        """Qt: as wide as the text, where there is room."""
        return QSize(self.fontMetrics().horizontalAdvance(self.currentText()) + 44, super().sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: draw with elided text."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        area = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        theme = current_theme()
        is_chosen = bool(self.currentText())
        painter.setPen(QColor(theme.text if self.isEnabled() and is_chosen else theme.muted))
        # In the middle: names of models that are compared often differ at their ends.
        text = self.fontMetrics().elidedText(
            self.currentText() if is_chosen else self._name, Qt.TextElideMode.ElideMiddle, area.width()
        )
        painter.drawText(QRect(area), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


def method_lines(methods: Iterable[Method], refusals: dict[str, str]) -> list[tuple[str, str | None, str, str, bool]]:
    """Choices of methods by family, with what they take; those that cannot explain the model are dimmed."""
    lines: list[tuple[str, str | None, str, str, bool]] = []
    family = ""
    for method in methods:
        if method.family != family:
            family = method.family
            lines.append((FAMILIES.get(family, family), None, "", "", False))
        refusal = refusals.get(method.name, "")
        tip = (
            f"{method.title} cannot explain this model: {refusal}" if refusal else f"{method.valid} {method.reference}"
        )
        lines.append((method.title, method.name, method.cost_text, tip, bool(refusal)))
    return lines


def class_lines(names: tuple[str, ...], task: str, current: Aim | None) -> list[tuple[str, Aim | None, str, str, bool]]:
    """Choices of a class by itself and against others."""
    count = len(names)
    if count == 2 and task == "single_label":
        groups: list[tuple[str, list[Aim]]] = [("Log-odds", [(1, 0), (0, 1)]), ("Logit", [(0, None), (1, None)])]
    else:
        groups = [("Class", [(k, None) for k in range(count)])]
        if can_be_rest(names):
            groups.append(("Against the rest", [(k, "rest") for k in range(count)]))
        if current is not None and isinstance(current[1], int):
            groups.insert(0, ("Class against class", [current]))
    lines: list[tuple[str, Aim | None, str, str, bool]] = []
    for title, aims in groups:
        lines.append((title, None, "", "", False))
        lines += [(aim_title(names, *aim), aim, "", aim_title(names, *aim), False) for aim in aims]
    return lines


def can_be_rest(names: tuple[str, ...]) -> bool:
    """Whether a class can be weighed against all others together: there are others, and none is called that."""
    return len(names) > 2 and "rest" not in names


def aim_title(names: tuple[str, ...], of: int, against: Against) -> str:
    """In words: "A", "A against B" or "A against the rest"."""
    if against is None:
        return names[of]
    return f"{names[of]} against {'the rest' if against == 'rest' else names[against]}"
