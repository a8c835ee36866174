"""The viewer as it is, which also tells what is on its screen.

Each line on standard input is answered with a line of JSON on standard output: the widgets that can be seen, with what
they say and where. Nothing here acts on the window; that is for the mouse and the keyboard.
"""

import json
import os
import sys

from PySide6.QtCore import QPoint, QRect, QSocketNotifier
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QMenuBar,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QTableView,
    QWidget,
)

from softcam_viewer.app import main


def said_by(widget: QWidget) -> str:
    if isinstance(widget, (QAbstractButton, QLabel, QLineEdit)):
        return widget.text()
    return widget.currentText() if isinstance(widget, QComboBox) else ""


def area_of(widget: QWidget, part: QRect) -> tuple[int, int, int, int]:
    corner = widget.mapToGlobal(QPoint(0, 0))
    area = part.translated(corner)
    return area.x(), area.y(), area.width(), area.height()


def parts_of(widget: QWidget) -> list[tuple[str, QRect]]:
    """Rows of a list, cells of a table, lines of a menu, handle of a slider: what has a place and is no widget."""
    if isinstance(widget, QAbstractItemView) and (model := widget.model()) is not None:
        root = widget.rootIndex()
        columns = model.columnCount(root) if isinstance(widget, QTableView) else 1
        indices = [
            model.index(row, column, root) for row in range(min(model.rowCount(root), 99)) for column in range(columns)
        ]
        return [(str(index.data() or ""), widget.visualRect(index)) for index in indices]
    if isinstance(widget, (QMenu, QMenuBar)):
        return [(action.text(), widget.actionGeometry(action)) for action in widget.actions()]
    if isinstance(widget, QSlider):
        option = QStyleOptionSlider()
        widget.initStyleOption(option)
        handle = QStyle.SubControl.SC_SliderHandle
        return [("handle", widget.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, handle, widget))]
    return []


def seen() -> list[dict[str, object]]:
    """All that can be seen, each widget before what it contains."""
    found: list[dict[str, object]] = []
    for window in QApplication.topLevelWidgets():
        if not window.isVisible():
            continue
        for widget in (window, *window.findChildren(QWidget)):
            region = widget.visibleRegion() if widget.isVisible() and widget.window() is window else None
            if region is None or region.isEmpty():
                continue
            place = {"window": window.windowTitle(), "kind": type(widget).__name__}
            button = widget if isinstance(widget, QAbstractButton) else None
            found.append(
                {
                    **place,
                    "name": widget.accessibleName(),
                    "text": said_by(widget),
                    "area": area_of(widget, region.boundingRect()),
                    "is_whole": region.boundingRect() == widget.rect(),
                    "is_enabled": widget.isEnabled(),
                    "is_checked": button is not None and button.isChecked(),
                    "has_focus": widget.hasFocus(),
                }
            )
            viewport = widget.viewport() if isinstance(widget, QAbstractItemView) else widget
            for text, rect in parts_of(widget):
                shown = rect.intersected(viewport.rect())
                if not shown.isEmpty():
                    found.append(
                        {
                            **place,
                            "kind": f"{type(widget).__name__} part",
                            "name": widget.accessibleName(),
                            "text": text,
                            "area": area_of(viewport, shown),
                            "is_whole": shown == rect,
                            "is_enabled": widget.isEnabled(),
                        }
                    )
    return found


def answer() -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asked.setEnabled(False)  # nobody asks any more
        return
    sys.stdout.write(json.dumps(seen()) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    app = QApplication(sys.argv[:1])
    asked = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)
    asked.activated.connect(answer)
    sys.exit(main())
