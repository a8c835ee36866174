"""The window's last line: what the mouse does, what is under it, and the notice."""

from __future__ import annotations

import re
from dataclasses import replace

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from softcam_core.notice import NOTICE
from softcam_viewer.model.probe import Probe, probe
from softcam_viewer.model.session import Session
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.pane import Pane
from softcam_viewer.ui.elided_label import ElidedLabel

MARGIN, SPACING = 14, 20
DROP = "Images, folders, models and sessions can be dropped anywhere in the window."
REMARK_MS = 6000
"""That a remark stands where else the mouse's ways stand."""
DIGITS = re.compile(r"\d")


class StatusLine(QWidget):
    """Follows the cursor over the panes.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusLine")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self._pointed: tuple[Pane, float, float] | None = None
        self._tools: Tools | None = None
        self._found: Probe | None = None
        self._remark = QTimer(self, singleShot=True, interval=REMARK_MS)
        self._remark.timeout.connect(self._show_hint)
        self._hint, self._probe, self._notice = ElidedLabel("muted"), QLabel(), QLabel(NOTICE)
        self._notice.setObjectName("notice")
        row = QHBoxLayout(self)
        row.setContentsMargins(MARGIN, 7, MARGIN, 7)
        row.setSpacing(SPACING)
        row.addWidget(self._hint, 1)
        row.addWidget(self._probe)
        row.addWidget(self._notice)
        session.film.image_changed.connect(self._refresh)
        session.film.image_changed.connect(self._show_hint)
        session.cases.modelReset.connect(self._show_hint)

    @property
    def hint(self) -> str:
        """What the mouse does."""
        return self._hint.text()

    @property
    def text(self) -> str:
        """What is known of the point under the cursor; where there is no room for it, less is shown."""
        return self._found.text() if self._found is not None else ""

    @property
    def pointed(self) -> tuple[Pane, float, float] | None:
        """The pane under the cursor, and the place on its image: row and column in pixels."""
        return self._pointed

    def say(self, text: str) -> None:
        """Tell what was done, for a while."""
        self._hint.setText(text)
        self._remark.start()
        self._show_probe()

    def follow(self, pane: Pane) -> None:
        """Tell what is under the cursor in a pane: its own map, whichever pane is active."""
        if self._tools is None:
            self._tools = pane.tools
            pane.tools.tool_changed.connect(self._on_tool_changed)
            self._show_hint()
        pane.view.pointed.connect(lambda row, column: self._point(pane, row, column))
        pane.view.left.connect(self._leave)
        for signal in (pane.state.explained, pane.state.overlay_changed):
            signal.connect(self._refresh)

    def _on_tool_changed(self) -> None:
        self._remark.stop()
        self._show_hint()

    def _show_hint(self) -> None:
        if self._tools is None or self._remark.isActive():
            return
        tool, image = self._tools.active, self._session.film.image
        without_size = tool.name == "ruler" and image is not None and image.spacing is None
        if image is None and not len(self._session.cases):
            self._hint.setText(DROP)
            return
        remark = "The file does not say how large a pixel is: lengths are in pixels.    " if without_size else ""
        self._hint.setText(remark + tool.hint)
        self._show_probe()

    def _point(self, pane: Pane, row: float, column: float) -> None:
        self._pointed = pane, row, column
        self._refresh()

    def _leave(self) -> None:
        self._pointed = None
        self._refresh()

    def _refresh(self) -> None:
        self._found = None
        if self._pointed is not None:
            pane, row, column = self._pointed
            state, image = pane.state, pane.state.film.image
            if image is not None:
                field = state.model.field if state.model else None
                self._found = probe(image, row, column, state.explanation, state.overlay, field, state.overlay_map)
        self._show_probe()

    def _show_probe(self) -> None:
        """Tell of the point what there is room for beside what the mouse does, which must stay readable."""
        texts = _texts(self._found) if self._found is not None else [""]
        metrics = self._hint.fontMetrics()
        room = self.width() - 2 * MARGIN - 2 * SPACING - self._notice.sizeHint().width()
        room -= metrics.horizontalAdvance(self._hint.text())
        # Digits differ in width: as they change, the choice must not go to and fro.
        fitting = (text for text in texts if metrics.horizontalAdvance(DIGITS.sub("0", text)) <= room)
        self._probe.setText(next(fitting, texts[-1]))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Qt: there may be room for more, or less."""
        super().resizeEvent(event)
        self._show_probe()


def _texts(found: Probe) -> list[str]:
    """What is known of a point: all of it, without what the cell sees, and without the cell."""
    value = "   ·   ".join(filter(None, (found.value, found.reading)))
    return [
        found.text(),
        replace(found, footprint=None, sees=None).text(),
        replace(found, cell=None, value=value).text(),
    ]
