"""The main window: menus, worklist, panes, panels, status line."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QIcon, QPaintEvent
from PySide6.QtWidgets import (
    QMainWindow,
    QMessageBox,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from softcam_core.errors import BorderError
from softcam_core.resources import resource
from softcam_viewer.model.backend import Convertible
from softcam_viewer.model.desk import Desk
from softcam_viewer.model.look import Look, shown_by
from softcam_viewer.model.session import Session
from softcam_viewer.model.session_file import ViewEntry
from softcam_viewer.ui.actions import Actions
from softcam_viewer.ui.annotating_window import AnnotatingWindow
from softcam_viewer.ui.appearance import Appearance
from softcam_viewer.ui.canvas.pane import Pane
from softcam_viewer.ui.canvas.pane_grid import PaneGrid
from softcam_viewer.ui.conversion_dialog import ConversionDialog
from softcam_viewer.ui.handlers import CommandHandlers
from softcam_viewer.ui.message_bar import MessageBar
from softcam_viewer.ui.opening import Opening
from softcam_viewer.ui.panels.agreement import AgreementPanel
from softcam_viewer.ui.panels.annotations import AnnotationsPanel
from softcam_viewer.ui.panels.display import DisplayPanel
from softcam_viewer.ui.panels.figures import FiguresPanel
from softcam_viewer.ui.panels.ledger import LedgerPanel
from softcam_viewer.ui.panels.overlay_panel import OverlayPanel
from softcam_viewer.ui.panels.prediction import PredictionPanel
from softcam_viewer.ui.panels.worklist import WorklistPanel
from softcam_viewer.ui.start_page import StartPage
from softcam_viewer.ui.status_line import StatusLine
from softcam_viewer.ui.title_line import TitleLine
from softcam_viewer.ui.training import Training
from softcam_viewer.ui.window_state import restore_window, save_window


class MainWindow(QMainWindow):
    """Window on a session.

    Parameters
    ----------
    session : Session
    desk : Desk
        What lies around it.
    appearance : Appearance
    """

    painted = Signal()  # once, when the window has been on screen for the first time

    def __init__(self, session: Session, desk: Desk, appearance: Appearance) -> None:
        super().__init__()
        self.session = session
        self.desk, self.appearance = desk, appearance
        self.setWindowTitle("SoftCAM viewer")
        self.setWindowIcon(QIcon(str(resource("icons/softcam.svg"))))
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        self.grid = PaneGrid(session)
        self.messages = MessageBar()
        self.worklist = WorklistPanel(session)
        self.prediction, self.overlay = PredictionPanel(session), OverlayPanel(session)
        self.ledger, self.display = LedgerPanel(session), DisplayPanel(session)
        self.figures = FiguresPanel(session.figures)
        self.annotations, self.agreement = AnnotationsPanel(session), AgreementPanel(session)
        self.status = StatusLine(session)
        self.start = StartPage(desk.recent)
        self.opening = Opening(desk, self)
        self.annotating = AnnotatingWindow(self)
        self.training = Training(desk, self)
        self.commands = Actions(session, self.grid.tools, CommandHandlers(self).all(), self)
        self.commands.set_keys(desk.settings.settings.shortcuts)
        self.title = TitleLine(session, self.commands)
        self.setMenuWidget(self.title)
        self.commands.menus["File"].insertMenu(self.commands["reopen_session"], self.opening.menu)
        self._was_painted = False
        self._pages, self._splitter = QStackedWidget(), QSplitter()
        self._build()
        panes = session.panes
        for signal in (
            *(session.film.image_changed, session.model_changed, session.compared_changed, session.cases.modelReset),
            *(panes.layout_changed, panes.active_changed, panes.explanation_changed, panes.methods_changed),
        ):
            signal.connect(self._on_state_changed)
        session.failed.connect(self.messages.show_message)
        session.conversion_wanted.connect(self._offer_conversion)
        session.conversion_failed.connect(self._on_conversion_failed)
        session.film.image_changed.connect(self._on_image_changed)
        for signal in (
            *(session.film.window_changed, session.weighing.changed, session.figures.changed, panes.overlay_changed),
            *(self.grid.tools.tool_changed, self.grid.tools.shown_changed, session.previews.scan_changed),
            *(session.worklist.order_changed, panes.views_linked),
        ):
            signal.connect(self.commands.refresh)
        self.ledger.highlighted.connect(lambda box: self.grid.active.view.highlight(box))
        self.ledger.zoom_wanted.connect(lambda box: self.grid.active.view.zoom_to(*box))
        session.cases.modelReset.connect(self._turn_page)
        session.cases.case_changed.connect(self._on_case_changed)
        self.grid.pane_made.connect(self._on_pane_made)
        for pane in self.grid.panes:
            self._on_pane_made(pane)
        self.start.open_files_wanted.connect(self.opening.ask_files)
        self.start.open_folder_wanted.connect(self.opening.ask_folder)
        self.start.demo_wanted.connect(self.open_demo)
        self.start.reopen_wanted.connect(self.opening.reopen)
        self.start.recent_wanted.connect(self.opening.open_recent)
        self._connect_desk()
        self._on_state_changed()

    def _connect_desk(self) -> None:
        desk = self.desk
        desk.failed.connect(self.messages.show_message)
        desk.settings.changed.connect(self._on_settings_changed)
        for signal in (desk.recent.changed, desk.jobs.jobs_changed, desk.comparing.changed):
            signal.connect(self._on_state_changed)
        desk.comparing.changed.connect(self._on_comparing)
        desk.keeping.changed.connect(self._on_file_changed)
        desk.keeping.look = self._look
        desk.restoring.look_wanted.connect(self._show_look)
        tools = self.grid.tools
        for signal in (
            *(tools.tool_changed, tools.shown_changed, tools.measures_changed),
            *(self.ledger.as_waterfall.toggled, self.session.figures.changed),
        ):
            signal.connect(desk.keeping.touch)
        self.appearance.changed.connect(self._on_state_changed)
        if desk.settings.problem:
            self.messages.show_message(desk.settings.problem)
        if desk.folders is not None:
            restore_window(QSettings(str(desk.folders.window), QSettings.Format.IniFormat), self, self._splitter)

    def open_demo(self) -> None:
        """Open the bundled cases with the bundled model."""
        self.opening.open_demo()

    # Layout

    def _build(self) -> None:
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.messages)
        self._pages.addWidget(self.start)
        self._pages.addWidget(self.grid)
        column.addWidget(self._pages, 1)
        column.addWidget(self.training.comparison)

        panels = QWidget()
        stack = QVBoxLayout(panels)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(0)
        panels_shown = (
            self.prediction,
            self.overlay,
            self.ledger,
            self.annotations,
            self.agreement,
            self.figures,
            self.display,
        )
        for panel in panels_shown:
            stack.addWidget(panel)
        stack.addStretch()
        side = QScrollArea()
        side.setObjectName("panel")
        side.setWidget(panels)
        side.setWidgetResizable(True)
        side.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        side.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for notice in (self.annotations.banner, self.annotations.question):
            # When it has its place; below the edge nobody would know of it.
            notice.appeared.connect(partial(QTimer.singleShot, 0, notice, partial(side.ensureWidgetVisible, notice, 0)))

        splitter = self._splitter
        splitter.setHandleWidth(1)
        splitter.setChildrenCollapsible(False)
        for widget, least, stretch in ((self.worklist, 190, 0), (middle, 360, 1), (side, 336, 0)):
            widget.setMinimumWidth(least)
            splitter.addWidget(widget)
            splitter.setStretchFactor(splitter.count() - 1, stretch)
        splitter.setSizes([230, 868, 342])

        central = QWidget()
        central.setObjectName("central")
        whole = QVBoxLayout(central)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(splitter, 1)
        whole.addWidget(self.training.strip)
        whole.addWidget(self.status)
        self.setCentralWidget(central)

    # What the session asks for

    def _offer_conversion(self, file: Convertible) -> None:
        # Not exec(): the window stays alive behind it.
        ConversionDialog(self.session, file, self).open()

    def _on_conversion_failed(self, message: str) -> None:
        if self.findChild(ConversionDialog) is None:  # closed meanwhile, and cannot say it itself
            self.messages.show_message(message)

    # How the session is shown

    def _look(self) -> Look:
        view, tools = self.grid.active.view.view, self.grid.tools
        entry = None
        if not view.is_fitted:
            entry = ViewEntry(x=view.x, y=view.y, scale=view.scale, height=view.size[0], width=view.size[1])
        waterfall, curves = self.ledger.as_waterfall.isChecked(), self.session.figures.automatic
        return Look(entry, shown_by(tools, waterfall=waterfall, curves=curves), tools.measured)

    def _show_look(self, look: Look) -> None:
        look.put_back_tools(self.grid.tools)
        self.ledger.as_waterfall.setChecked(look.shown.waterfall)
        self.session.figures.set_automatic(on=look.shown.curves)
        self._show_view(look.view)

    def _show_view(self, entry: ViewEntry | None) -> None:
        if entry is None:
            self.grid.active.view.fit()
            return
        size = (entry.height, entry.width)
        for pane in self.grid.panes:
            view = pane.view.view._replace(x=entry.x, y=entry.y, scale=entry.scale, is_fitted=False, size=size)
            pane.view.show_view(view)

    # What the session says

    def _on_state_changed(self) -> None:
        self.commands.has_last_session = self.desk.recent.last_session is not None
        self.commands.has_finished_job = self.desk.comparing.latest is not None
        self.commands.is_comparing = self.desk.comparing.is_active
        self.commands.refresh()
        self.title.refresh()

    def _on_settings_changed(self) -> None:
        self.commands.set_keys(self.desk.settings.settings.shortcuts)
        self._on_state_changed()

    def _on_comparing(self) -> None:
        if not self.desk.comparing.is_active and self.isActiveWindow():
            self.grid.active.view.setFocus()  # or Qt gives the keys of the button that is gone to its neighbour

    def _on_file_changed(self) -> None:
        self._tell_title()
        self._on_state_changed()

    def _on_pane_made(self, pane: Pane) -> None:
        self.commands.add_to_image(pane.view)
        self.status.follow(pane)
        pane.view.held.connect(lambda held: self.session.panes.peek(on=held))
        pane.view.viewed.connect(self.desk.keeping.touch)
        pane.state.progressed.connect(self.commands.refresh)

    def _on_image_changed(self) -> None:
        self._turn_page()
        self._tell_title()
        if self.session.film.image is not None and not self.desk.restoring.is_active:
            self.messages.hide()

    def _on_case_changed(self, row: int, fields: frozenset[str]) -> None:
        if row == self.session.row and "reviewed" in fields:
            self.commands.refresh()

    def _turn_page(self) -> None:
        page = self.grid if self.session.film.image is not None or len(self.session.cases) else self.start
        if self._pages.currentWidget() is not page:
            self._pages.setCurrentWidget(page)
            if page is self.grid:
                self.grid.active.view.setFocus()  # so that the keys of the image work at once

    def _tell_title(self) -> None:
        image, keeping = self.session.film.image, self.desk.keeping
        parts = [] if image is None else [image.source.name]
        if keeping.path is not None:
            parts.append(keeping.path.stem + ("*" if keeping.is_dirty and not keeping.is_automatic else ""))
        self.setWindowTitle(" · ".join([*parts, "SoftCAM viewer"]))

    # Qt events

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: tell once that the window is on screen."""
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Qt: take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Qt: open what was dropped by what it is."""
        self.opening.open_all([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])
        event.acceptProposedAction()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Qt: ask where the session would be lost, and remember the window."""
        # What is still being saved closes the window again by itself, and must not be asked about twice.
        may_close = self.annotating.may_close() and self.training.may_close()
        if not may_close or (self.desk.keeping.has_unsaved and not self._may_close()):
            event.ignore()
            return
        if self.desk.folders is not None:
            save_window(QSettings(str(self.desk.folders.window), QSettings.Format.IniFormat), self, self._splitter)
        event.accept()

    def _may_close(self) -> bool:
        keys = QMessageBox.StandardButton
        path = self.desk.keeping.path
        assert path is not None
        text = f"Save the changes of the session {path.stem}?"
        answer = QMessageBox.question(self, "SoftCAM viewer", text, keys.Save | keys.Discard | keys.Cancel, keys.Save)
        if answer == keys.Save:
            try:
                self.desk.keeping.close(save=True)
            except BorderError as error:
                self.messages.show_message(str(error))
                return False
        return answer != keys.Cancel
