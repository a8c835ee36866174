"""Palette: finds a command by any letters of its title, and runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QKeyEvent, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QLabel,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from softcam_viewer.commands import COMMANDS, Command
from softcam_viewer.model.fuzzy import match
from softcam_viewer.ui.actions import Actions, key_text
from softcam_viewer.ui.theme import current_theme

WIDTH, ROW_HEIGHT, ROWS, TOP = 620, 34, 11, 64
HIT_ROLE = Qt.ItemDataRole.UserRole + 1
MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
RECENT_WORTH = 3.0
"""That a command chosen just now is better than one never chosen, in the points of `match`."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A command that was found.

    Attributes
    ----------
    command : Command
    places : tuple of int
        Letters of the title that were searched for.
    keys : str
    why_not : str
        Why it cannot be used now, "" where it can.
    """

    command: Command
    places: tuple[int, ...]
    keys: str
    why_not: str


def find(query: str, recent: Sequence[str], actions: Actions) -> list[Hit]:
    """Find commands.

    Parameters
    ----------
    query : str
        Letters of the title, or of menu and title. Empty for all.
    recent : sequence of str
        Names of commands chosen before, the latest first.
    actions : Actions

    Returns
    -------
    list of Hit
        The best first, those that can be used before the others; without a query those chosen of late first.
    """
    found = []
    for number, command in enumerate(COMMANDS):
        if command.name == "show_palette":
            continue
        shown = f"{command.menu} {command.label}"
        in_title, in_all = match(query, command.label), match(query, shown)
        if in_all is None:
            continue
        # A match within the title is what people mean.
        skip = len(command.menu) + 1
        score, places = in_title or (in_all[0] - 2, tuple(i - skip for i in in_all[1] if i >= skip))
        if command.name in recent:
            score += RECENT_WORTH * (1 - recent.index(command.name) / len(recent))
        why_not = actions.why_not(command.name)
        hit = Hit(command, places, key_text(actions.keys[command.name]), why_not)
        found.append((bool(why_not), -score, number, hit))
    return [hit for *_, hit in sorted(found, key=lambda entry: entry[:3])]


class HitDelegate(QStyledItemDelegate):
    """Draws a hit: title with the letters found, menu, and keys or why not."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Qt: rows of one height."""
        return QSize(200, ROW_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Qt: draw a row."""
        theme, hit = current_theme(), index.data(HIT_ROLE)
        area = QRectF(option.rect).adjusted(6, 1, -6, -1)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.raised))
            painter.drawRoundedRect(area, 5, 5)
            painter.setBrush(QColor(theme.accent))
            painter.drawRoundedRect(QRectF(area.left(), area.top() + 7, 3, area.height() - 14), 1.5, 1.5)
        text = area.adjusted(14, 0, -10, 0)
        color = theme.muted if hit.why_not else theme.text
        x = self._draw_title(painter, text, hit, option.font, color)
        small = QFont(option.font)
        small.setPixelSize(12)
        painter.setFont(small)
        painter.setPen(QColor(theme.muted))
        right = hit.why_not or hit.keys
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, right)
        metrics = QFontMetricsF(small)
        rest = QRectF(x + 12, text.top(), text.right() - metrics.horizontalAdvance(right) - 12 - x - 12, text.height())
        menu = metrics.elidedText(hit.command.menu, Qt.TextElideMode.ElideRight, max(0.0, rest.width()))
        painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, menu)
        painter.restore()

    @staticmethod
    def _draw_title(painter: QPainter, area: QRectF, hit: Hit, font: QFont, color: str) -> float:
        """Draw the title letter by letter; returns where it ends."""
        strong = QFont(font)
        strong.setWeight(QFont.Weight.Bold)
        x = area.left()
        for number, letter in enumerate(hit.command.label):
            found = number in hit.places
            painter.setFont(strong if found else font)
            painter.setPen(QColor(current_theme().accent if found and not hit.why_not else color))
            width = QFontMetricsF(painter.font()).horizontalAdvance(letter)
            painter.drawText(QRectF(x, area.top(), width + 2, area.height()), Qt.AlignmentFlag.AlignVCenter, letter)
            x += width
        return x


class Palette(QDialog):
    """One line to type in, and the commands that it finds.

    Parameters
    ----------
    actions : Actions
    recent : sequence of str
        Names of commands chosen before, the latest first.
    parent : QWidget
        The window, at whose top it opens.
    """

    chosen = Signal(str)  # name of the command; it is run when the palette has closed

    def __init__(self, actions: Actions, recent: Sequence[str], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("palette")
        self.setWindowTitle("Search commands")
        self._actions, self._recent = actions, tuple(recent)
        self.line = QLineEdit()
        self.line.setPlaceholderText("Search commands")
        self.line.setAccessibleName("Search commands")
        self.line.installEventFilter(self)
        self._model = QStandardItemModel(self)
        self.list = QListView()
        self.list.setModel(self._model)
        self.list.setItemDelegate(HitDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName("Commands found")
        self._none = QLabel("No command has these letters in this order.")
        self._none.setObjectName("muted")
        self._none.setContentsMargins(20, 8, 8, 8)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        column.addWidget(self.line)
        column.addWidget(self._none)
        column.addWidget(self.list, 1)
        self.setFixedSize(WIDTH, ROW_HEIGHT * ROWS + 64)
        self.line.textChanged.connect(self._search)
        self.line.returnPressed.connect(self._choose)
        self.list.clicked.connect(self._choose)
        self._search("")
        self.move(parent.mapToGlobal(QPoint((parent.width() - WIDTH) // 2, TOP)))

    @property
    def hits(self) -> list[Hit]:
        """What was found, from above."""
        return [self._model.item(row).data(HIT_ROLE) for row in range(self._model.rowCount())]

    def _search(self, query: str) -> None:
        self._model.clear()
        for hit in find(query, self._recent, self._actions):
            item = QStandardItem(hit.command.label)
            item.setData(hit, HIT_ROLE)
            parts = (hit.command.menu, hit.command.label, hit.why_not or hit.keys)
            item.setData(", ".join(part for part in parts if part), Qt.ItemDataRole.AccessibleTextRole)
            self._model.appendRow(item)
        self._none.setVisible(self._model.rowCount() == 0)
        self.list.setCurrentIndex(self._model.index(0, 0))

    def _choose(self) -> None:
        hit = self.list.currentIndex().data(HIT_ROLE)
        if hit is not None and not hit.why_not:  # one that cannot be used says why, and the palette stays
            self.close()
            self.chosen.emit(hit.command.name)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: the arrow keys move in the list while the line has the focus."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in MOVES:
            index, last = self.list.currentIndex().row(), self._model.rowCount() - 1
            page = ROWS - 1 if event.key() in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown) else 1
            down = event.key() in (Qt.Key.Key_Down, Qt.Key.Key_PageDown)
            row = min(max(index + (page if down else -page), 0), last)
            self.list.setCurrentIndex(self._model.index(row, 0))
            return True
        return False
