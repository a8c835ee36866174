"""PaneGrid: the panes in view side by side."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QApplication,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from softcam_viewer.model.layouts import LAYOUTS, MOST_PANES
from softcam_viewer.model.pane import PaneState
from softcam_viewer.model.session import Session
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.color_bar import decimals_for
from softcam_viewer.ui.canvas.pane import Pane
from softcam_viewer.ui.canvas.pane_link import PaneLink
from softcam_viewer.ui.canvas.tool_buttons import ToolButtons
from softcam_viewer.ui.canvas.view_link import ViewLink
from softcam_viewer.ui.elided_label import ElidedLabel

GAP = 2


class PaneGrid(QWidget):
    """All panes under one line about the case."""

    pane_made = Signal(object)  # a Pane

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._made: dict[PaneState, Pane] = {}
        self.tools = Tools(self)
        self._link, self._pane_link = ViewLink(self), PaneLink(self)
        self._pane_link.swapped.connect(self._swap)
        self._case, self._work = ElidedLabel("muted"), QLabel()
        self._work.setObjectName("accent")
        line = QWidget()
        line.setObjectName("caseLine")
        line.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(line)
        row.setContentsMargins(12, 3, 8, 3)
        row.addWidget(self._case, 1)
        row.addWidget(self._work)
        self._tool_buttons = ToolButtons(self.tools)
        row.addWidget(self._tool_buttons)
        self.films = QWidget()
        self._cells = QGridLayout(self.films)
        self._cells.setContentsMargins(0, 0, 0, 0)
        self._cells.setSpacing(GAP)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(line)
        column.addWidget(self.films, 1)

        session.film.image_changed.connect(self._update_case)
        session.film.window_changed.connect(self._update_case)
        session.row_changed.connect(self._update_case)
        session.busy_changed.connect(self._work.setText)
        session.panes.layout_changed.connect(self._arrange)
        session.panes.active_changed.connect(self._on_active_changed)
        session.panes.views_linked.connect(lambda on: self._link.link(self.active.view, on=on))
        self._arrange()

    @property
    def active(self) -> Pane:
        """The pane that keys act on."""
        return self._made[self._session.panes.active]

    @property
    def panes(self) -> list[Pane]:
        """All panes there have been, those in view first and row by row."""
        return [self._made[state] for state in self._session.panes.made if state in self._made]

    def _arrange(self) -> None:
        """Show as many panes as the layout has, made when they are needed first."""
        panes, layout = self._session.panes, LAYOUTS[self._session.panes.layout]
        for state in panes.shown:
            if state not in self._made:
                pane = self._made[state] = Pane(self._session, state, self.tools)
                pane.touched.connect(partial(self._on_touched, state))
                self._link.add(pane.view)
                self._pane_link.add(pane)
                self.pane_made.emit(pane)
        visible = panes.visible
        columns = layout.columns if len(visible) > 1 else 1
        for pane in self._made.values():
            self._cells.removeWidget(pane)
        for line in range(MOST_PANES):
            self._cells.setRowStretch(line, int(line * columns < len(visible)))
            self._cells.setColumnStretch(line, int(line < columns))
        for index, state in enumerate(visible):
            self._cells.addWidget(self._made[state], *divmod(index, columns))
        for state, pane in self._made.items():
            pane.setVisible(state in visible)
        # Later panes are made last, but the Tab key comes to them after those before them.
        stops = [*self._tool_buttons.buttons.values(), *(stop for pane in self.panes for stop in pane.stops)]
        for before, after in pairwise(stops):
            QWidget.setTabOrder(before, after)
        self._on_active_changed()

    def _swap(self, dragged: Pane, target: Pane) -> None:
        shown = self._session.panes.shown
        self._session.panes.swap(shown.index(dragged.state), shown.index(target.state))

    def _on_touched(self, state: PaneState) -> None:
        panes = self._session.panes
        if state in panes.visible and state is not panes.active:
            panes.activate(panes.shown.index(state))

    def _on_active_changed(self) -> None:
        panes = self._session.panes
        for state, pane in self._made.items():
            pane.set_framed(state is panes.active and len(panes.visible) > 1)
        focused = QApplication.focusWidget()
        if focused is not None and any(pane.isAncestorOf(focused) for pane in self.panes if pane is not self.active):
            self.active.view.setFocus()  # the keys go where the frame is

    def _update_case(self) -> None:
        session, image = self._session, self._session.film.image
        if image is None:
            self._case.setText(session.cases[session.row].path.name if 0 <= session.row < len(session.cases) else "")
            return
        parts = [image.source.name, f"{image.size[1]} × {image.size[0]} px"]
        if image.frame_count > 1:
            parts.append(f"frame {image.frame + 1} of {image.frame_count}")
        if session.film.window is not None and not image.is_color:
            lower, upper = session.film.window.limits
            decimals = decimals_for(upper - lower, 3)
            center, width = (lower + upper) / 2, upper - lower
            parts.append(f"window {center:.{decimals}f} / {width:.{decimals}f}".replace("-", "−"))
        self._case.setText("   ·   ".join(parts))
