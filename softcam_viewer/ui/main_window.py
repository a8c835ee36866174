"""The main window: menus, worklist, panes, panels, status line."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QIcon, QPaintEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QMainWindow, QScrollArea, QSplitter, QVBoxLayout, QWidget

from softcam_core.errors import SettingsError
from softcam_core.resources import resource
from softcam_viewer.commands import Handlers
from softcam_viewer.model.backend import Convertible
from softcam_viewer.model.layouts import LAYOUTS
from softcam_viewer.model.overlay import THRESHOLD_STEP
from softcam_viewer.model.session import Session
from softcam_viewer.ui.actions import Actions
from softcam_viewer.ui.canvas.image_view import ZOOM_STEP
from softcam_viewer.ui.canvas.pane import Pane
from softcam_viewer.ui.canvas.pane_grid import PaneGrid
from softcam_viewer.ui.card_dialog import CardDialog
from softcam_viewer.ui.conversion_dialog import ConversionDialog
from softcam_viewer.ui.help import AboutDialog, ShortcutSheet
from softcam_viewer.ui.message_bar import MessageBar
from softcam_viewer.ui.panels.overlay_panel import OverlayPanel
from softcam_viewer.ui.panels.prediction import LedgerPanel, PredictionPanel
from softcam_viewer.ui.panels.worklist import WorklistPanel
from softcam_viewer.ui.status_line import StatusLine
from softcam_viewer.ui.theme import DARK, LIGHT, apply_theme, current_theme
from softcam_viewer.ui.title_line import TitleLine

IMAGE_FILES = "Images (*.dcm *.dicom *.png *.jpg *.jpeg *.tif *.tiff);;All files (*)"
MODEL_FILES = "Models and weights (*.safetensors *.pth *.pt *.ckpt);;All files (*)"
MODEL_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")


class MainWindow(QMainWindow):
    """Window on a session."""

    painted = Signal()  # once, when the window has been on screen for the first time

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.setWindowTitle("SoftCAM viewer")
        self.setWindowIcon(QIcon(str(resource("icons/softcam.svg"))))
        self.setAcceptDrops(True)
        self.resize(1440, 900)
        self.grid = PaneGrid(session)
        self.messages = MessageBar()
        self.worklist = WorklistPanel(session)
        self.prediction, self.overlay, self.ledger = (
            PredictionPanel(session),
            OverlayPanel(session),
            LedgerPanel(session),
        )
        self.status = StatusLine(session)
        self.commands = Actions(session, self._handlers(), self)
        self._title = TitleLine(session, self.commands)
        self.setMenuWidget(self._title)
        self._was_painted = False
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
        self.grid.pane_made.connect(self._on_pane_made)
        for pane in self.grid.panes:
            self._on_pane_made(pane)
        self.grid.open_files_wanted.connect(self._open_files)
        self.grid.open_folder_wanted.connect(self._open_folder)
        self.grid.demo_wanted.connect(self.open_demo)
        self._on_state_changed()

    def open_demo(self) -> None:
        """Open the bundled cases with the bundled model."""
        try:
            model, cases = resource("demo/model.safetensors"), resource("demo/cases")
        except SettingsError as error:
            self.session.failed.emit(str(error))
            return
        self.session.open_model(model)
        self.session.open_paths([cases])

    # Layout

    def _build(self) -> None:
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.messages)
        column.addWidget(self.grid, 1)

        panels = QWidget()
        stack = QVBoxLayout(panels)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(0)
        for panel in (self.prediction, self.overlay, self.ledger):
            stack.addWidget(panel)
        stack.addStretch()
        side = QScrollArea()
        side.setObjectName("panel")
        side.setWidget(panels)
        side.setWidgetResizable(True)
        side.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        side.setFocusPolicy(Qt.FocusPolicy.NoFocus)

        splitter = QSplitter()
        splitter.setHandleWidth(1)
        splitter.setChildrenCollapsible(False)
        for widget, least, stretch in ((self.worklist, 190, 0), (middle, 360, 1), (side, 280, 0)):
            widget.setMinimumWidth(least)
            splitter.addWidget(widget)
            splitter.setStretchFactor(splitter.count() - 1, stretch)
        splitter.setSizes([230, 890, 320])

        central = QWidget()
        central.setObjectName("central")
        whole = QVBoxLayout(central)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(splitter, 1)
        whole.addWidget(self.status)
        self.setCentralWidget(central)

    def _handlers(self) -> Handlers:
        session, panes, grid = self.session, self.session.panes, self.grid
        handlers: Handlers = {
            "open_files": self._open_files,
            "open_folder": self._open_folder,
            "open_model": self._open_model,
            "add_model": self._add_model,
            "close_compared": session.close_compared,
            "show_card": self._show_card,
            "open_demo": self.open_demo,
            "save_screenshot": self._save_screenshot,
            "quit": self.close,
            "next_case": lambda: session.step(1),
            "previous_case": lambda: session.step(-1),
            "fit": lambda: grid.active.view.fit(),
            "zoom_in": lambda: grid.active.view.zoom(ZOOM_STEP),
            "zoom_out": lambda: grid.active.view.zoom(1 / ZOOM_STEP),
            "window_1": lambda: session.film.use_file_window(0),
            "window_2": lambda: session.film.use_percentiles(1, 99),
            "window_3": lambda: session.film.use_percentiles(0, 100),
            "window_4": lambda: session.film.use_file_window(1),
            "invert": session.film.toggle_inverted,
            "threshold_down": lambda: self._step_threshold(-THRESHOLD_STEP),
            "threshold_up": lambda: self._step_threshold(THRESHOLD_STEP),
            "next_class": lambda: panes.active.next_class(),
            "toggle_overlay": lambda: panes.active.set_overlay(visible=not panes.active.overlay.visible),
            "next_pane": lambda: panes.step(1),
            "previous_pane": lambda: panes.step(-1),
            "maximise": lambda: panes.maximise(on=not panes.is_maximised),
            "swap_panes": lambda: panes.swap(panes.active_index, (panes.active_index + 1) % len(panes.shown)),
            "blink": panes.toggle_blinking,
            "copy_overlay": panes.copy_overlay,
            "share_scale": lambda: panes.share_scale(on=not panes.shares_scale),
            "pin_case": lambda: panes.toggle_pinned(panes.active),
            "choose_method": lambda: grid.active.header.method.showPopup(),
            "choose_class": lambda: grid.active.header.target.showPopup(),
            "choose_model": lambda: grid.active.header.model.showPopup(),
            "method_options": lambda: grid.active.open_options(),
            "cancel": lambda: panes.cancel(panes.active),
            "toggle_theme": self._toggle_theme,
            "show_shortcuts": lambda: ShortcutSheet(self).exec(),
            "show_about": lambda: AboutDialog(self._title.device.text() or "no model open", self).exec(),
        }
        handlers |= {f"layout_{name}": partial(self._set_layout, name) for name in LAYOUTS}
        return handlers | {f"pane_{n}": partial(panes.activate, n - 1) for n in range(1, 5)}

    # What the commands do

    def _open_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Open images", "", IMAGE_FILES)
        if names:
            self.session.open_paths([Path(name) for name in names])

    def _open_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Open a folder of images")
        if name:
            self.session.open_paths([Path(name)])

    def _open_model(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a model", "", MODEL_FILES)
        if name:
            self.session.open_model(Path(name))

    def _add_model(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Add a model to compare", "", MODEL_FILES)
        if name:
            self.session.add_model(Path(name))

    def _show_card(self) -> None:
        model = self.session.panes.active.model or self.session.model
        if model is not None:
            CardDialog(model, self).exec()

    def _offer_conversion(self, file: Convertible) -> None:
        # Not exec(): the window stays alive behind it.
        ConversionDialog(self.session, file, self).open()

    def _on_conversion_failed(self, message: str) -> None:
        if self.findChild(ConversionDialog) is None:  # closed meanwhile, and cannot say it itself
            self.messages.show_message(message)

    def _save_screenshot(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save a picture of the window", "softcam.png", "PNG (*.png)")
        if name and not self.grab().save(name, "PNG"):
            self.messages.show_message(f"{name}: cannot be written. Choose another folder.")

    def _step_threshold(self, by: float) -> None:
        pane = self.session.panes.active
        pane.set_overlay(threshold=float(np.clip(pane.overlay.threshold + by, 0, 1)))

    def _set_layout(self, name: str) -> None:
        self.session.panes.set_layout(name)
        self._on_state_changed()  # what was checked already has been unchecked by the click

    def _toggle_theme(self) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply_theme(app, LIGHT if current_theme() is DARK else DARK)
            self._on_state_changed()

    # What the session says

    def _on_state_changed(self) -> None:
        self.commands.refresh()
        self._title.refresh()

    def _on_pane_made(self, pane: Pane) -> None:
        self.commands.add_to_image(pane.view)
        self.status.follow(pane)
        pane.view.held.connect(lambda held: self.session.panes.peek(on=held))
        pane.state.progressed.connect(self.commands.refresh)

    def _on_image_changed(self) -> None:
        image = self.session.film.image
        self.setWindowTitle("SoftCAM viewer" if image is None else f"{image.source.name} · SoftCAM viewer")
        if image is not None:
            self.messages.hide()

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
        """Qt: open what was dropped, models as models."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        for model in [path for path in paths if path.suffix in MODEL_SUFFIXES][:1]:
            self.session.open_model(model)
        images = [path for path in paths if path.suffix not in MODEL_SUFFIXES]
        if images:
            self.session.open_paths(images)
        event.acceptProposedAction()
