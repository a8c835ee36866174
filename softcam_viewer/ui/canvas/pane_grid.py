"""PaneGrid: the panes in view side by side; or what to do where nothing is open."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QApplication,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from softcam_viewer.model.layouts import LAYOUTS, MOST_PANES
from softcam_viewer.model.pane import PaneState
from softcam_viewer.model.session import Session
from softcam_viewer.ui.canvas.color_bar import decimals_for
from softcam_viewer.ui.canvas.pane import Pane
from softcam_viewer.ui.canvas.view_link import ViewLink
from softcam_viewer.ui.elided_label import ElidedLabel

GAP = 2


class PaneGrid(QWidget):
    """All panes under one line about the case."""

    open_files_wanted = Signal()
    open_folder_wanted = Signal()
    demo_wanted = Signal()
    pane_made = Signal(object)  # a Pane

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._made: dict[PaneState, Pane] = {}
        self._link = ViewLink(self)
        self._case, self._work = ElidedLabel("muted"), QLabel()
        self._work.setObjectName("accent")
        line = QWidget()
        line.setObjectName("caseLine")
        line.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(line)
        row.setContentsMargins(12, 6, 12, 6)
        row.addWidget(self._case, 1)
        row.addWidget(self._work)
        films, grid = QWidget(), QWidget()
        self._cells = QGridLayout(grid)
        self._cells.setContentsMargins(0, 0, 0, 0)
        self._cells.setSpacing(GAP)
        column = QVBoxLayout(films)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(line)
        column.addWidget(grid, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._make_empty())
        self._stack.addWidget(films)

        session.film.image_changed.connect(self._on_image_changed)
        session.film.window_changed.connect(self._update_case)
        session.row_changed.connect(self._update_case)
        session.busy_changed.connect(self._work.setText)
        session.panes.layout_changed.connect(self._arrange)
        session.panes.active_changed.connect(self._on_active_changed)
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
                pane = self._made[state] = Pane(self._session, state)
                pane.touched.connect(partial(self._on_touched, state))
                self._link.add(pane.view)
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
        self._on_active_changed()

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

    def _on_image_changed(self) -> None:
        session = self._session
        page = 0 if session.film.image is None and not len(session.cases) else 1
        if self._stack.currentIndex() != page:
            self._stack.setCurrentIndex(page)
            self.active.view.setFocus()  # so that the keys of the image work at once
        self._update_case()

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

    def _make_empty(self) -> QWidget:
        empty = QWidget()
        title = QLabel("Open a radiograph to look inside a classifier")
        title.setObjectName("emptyTitle")
        hint = QLabel("DICOM, PNG, JPEG or TIFF, single files or whole folders.\nYou can also drop them here.")
        hint.setObjectName("muted")
        hint.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch()
        for text, name, signal in (
            ("Open files…", "primary", self.open_files_wanted),
            ("Open folder…", "", self.open_folder_wanted),
            ("Show the demo", "", self.demo_wanted),
        ):
            button = QPushButton(text)
            button.setObjectName(name)
            button.clicked.connect(signal)
            buttons.addWidget(button)
        buttons.addStretch()
        column = QVBoxLayout(empty)
        column.setSpacing(16)
        column.addStretch(2)
        column.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(hint, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addLayout(buttons)
        column.addStretch(3)
        return empty
