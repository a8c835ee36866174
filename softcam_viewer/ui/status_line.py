"""The window's last line: what the mouse does, what is under it, and the notice."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from softcam_core.notice import NOTICE
from softcam_viewer.model.probe import probe
from softcam_viewer.model.session import Session
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.pane import Pane
from softcam_viewer.ui.elided_label import ElidedLabel


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
        self._hint, self._probe, notice = ElidedLabel("muted"), QLabel(), QLabel(NOTICE)
        notice.setObjectName("notice")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 7, 14, 7)
        row.setSpacing(28)
        row.addWidget(self._hint, 1)
        row.addWidget(self._probe)
        row.addWidget(notice)
        session.film.image_changed.connect(self._refresh)
        session.film.image_changed.connect(self._show_hint)

    @property
    def hint(self) -> str:
        """What the mouse does."""
        return self._hint.text()

    @property
    def text(self) -> str:
        """What is said of the point under the cursor."""
        return self._probe.text()

    def follow(self, pane: Pane) -> None:
        """Tell what is under the cursor in a pane: its own map, whichever pane is active."""
        if self._tools is None:
            self._tools = pane.tools
            pane.tools.tool_changed.connect(self._show_hint)
            self._show_hint()
        pane.view.pointed.connect(lambda row, column: self._point(pane, row, column))
        pane.view.left.connect(self._leave)
        for signal in (pane.state.explained, pane.state.overlay_changed):
            signal.connect(self._refresh)

    def _show_hint(self) -> None:
        if self._tools is None:
            return
        tool, image = self._tools.active, self._session.film.image
        without_size = tool.name == "ruler" and image is not None and image.spacing is None
        remark = "The file does not say how large a pixel is: lengths are in pixels.    " if without_size else ""
        self._hint.setText(remark + tool.hint)

    def _point(self, pane: Pane, row: float, column: float) -> None:
        self._pointed = pane, row, column
        self._refresh()

    def _leave(self) -> None:
        self._pointed = None
        self._refresh()

    def _refresh(self) -> None:
        found = None
        if self._pointed is not None:
            pane, row, column = self._pointed
            state = pane.state
            if state.film.image is not None:
                field = state.model.field if state.model else None
                found = probe(state.film.image, row, column, state.explanation, state.overlay, field, state.overlay_map)
        self._probe.setText(found.text() if found else "")
