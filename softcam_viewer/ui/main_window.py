"""The main window: menus, worklist, pane, panels, status line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QIcon, QKeySequence, QPaintEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenuBar,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from softcam_core.errors import SettingsError
from softcam_core.imaging.image import Window
from softcam_core.notice import NOTICE
from softcam_core.resources import resource
from softcam_viewer.commands import COMMANDS, MENUS, MOUSE_HINT, Command
from softcam_viewer.model.backend import Convertible
from softcam_viewer.model.overlay import THRESHOLD_STEP
from softcam_viewer.model.probe import probe
from softcam_viewer.model.session import Session
from softcam_viewer.ui.canvas.image_view import ZOOM_STEP
from softcam_viewer.ui.canvas.pane import Pane
from softcam_viewer.ui.card_dialog import CardDialog
from softcam_viewer.ui.conversion_dialog import ConversionDialog
from softcam_viewer.ui.elided_label import ElidedLabel
from softcam_viewer.ui.help import AboutDialog, ShortcutSheet
from softcam_viewer.ui.message_bar import MessageBar
from softcam_viewer.ui.panels.overlay_panel import OverlayPanel
from softcam_viewer.ui.panels.prediction import LedgerPanel, PredictionPanel
from softcam_viewer.ui.panels.worklist import WorklistPanel
from softcam_viewer.ui.theme import DARK, LIGHT, apply_theme, current_theme

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
        self.pane = Pane(session)
        self.messages = MessageBar()
        self.worklist = WorklistPanel(session)
        self.prediction, self.overlay, self.ledger = (
            PredictionPanel(session),
            OverlayPanel(session),
            LedgerPanel(session),
        )
        self._model, self._device = ElidedLabel(), QLabel()
        self._probe = QLabel()
        self._actions: dict[str, tuple[Command, QAction]] = {}
        self._pointed: tuple[float, float] | None = None
        self._was_painted = False
        self._build()
        self._build_menus()
        for signal in (session.image_changed, session.model_changed, session.explanation_changed):
            signal.connect(self._on_state_changed)
        session.cases.modelReset.connect(self._on_state_changed)
        session.failed.connect(self.messages.show_message)
        session.conversion_wanted.connect(self._offer_conversion)
        session.conversion_failed.connect(self._on_conversion_failed)
        session.image_changed.connect(self._on_image_changed)
        self.pane.view.pointed.connect(self._on_pointed)
        self.pane.view.left.connect(self._on_left)
        for signal in (session.image_changed, session.explanation_changed, session.overlay_changed):
            signal.connect(self._update_probe)
        self.pane.view.held.connect(lambda held: session.set_overlay(visible=not held))
        self.pane.open_files_wanted.connect(self._open_files)
        self.pane.open_folder_wanted.connect(self._open_folder)
        self.pane.demo_wanted.connect(self.open_demo)
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
        column.addWidget(self.pane, 1)

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
        whole.addWidget(self._make_status_line())
        self.setCentralWidget(central)

    def _make_status_line(self) -> QWidget:
        line = QWidget()
        line.setObjectName("statusLine")
        line.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        hint, notice = ElidedLabel("muted"), QLabel(NOTICE)
        hint.setText(MOUSE_HINT)
        notice.setObjectName("notice")
        row = QHBoxLayout(line)
        row.setContentsMargins(14, 7, 14, 7)
        row.setSpacing(28)
        row.addWidget(hint, 1)
        row.addWidget(self._probe)
        row.addWidget(notice)
        return line

    def _build_menus(self) -> None:
        bar = QMenuBar()
        bar.setNativeMenuBar(False)
        menus = {name: bar.addMenu(name) for name in MENUS}
        handlers = self._handlers()
        for command in COMMANDS:
            if command.separated:
                menus[command.menu].addSeparator()
            action = QAction(command.title, self)
            action.setShortcuts([QKeySequence(key) for key in command.keys])
            action.triggered.connect(lambda _checked=False, run=handlers[command.name]: run())
            if "Tab" in command.keys:
                # Only on the image: elsewhere Tab goes from control to control.
                action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
                self.pane.view.addAction(action)
            menus[command.menu].addAction(action)
            self._actions[command.name] = (command, action)
        header = QWidget()
        header.setObjectName("header")
        header.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(header)
        row.setContentsMargins(6, 4, 14, 4)
        row.setSpacing(16)
        row.addWidget(bar)
        row.addWidget(self._model, 1)
        row.addWidget(self._device)
        self._model.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setMenuWidget(header)

    def _handlers(self) -> dict[str, Callable[[], object]]:
        session, view = self.session, self.pane.view
        return {
            "open_files": self._open_files,
            "open_folder": self._open_folder,
            "open_model": self._open_model,
            "show_card": self._show_card,
            "open_demo": self.open_demo,
            "save_screenshot": self._save_screenshot,
            "quit": self.close,
            "next_case": lambda: session.step(1),
            "previous_case": lambda: session.step(-1),
            "fit": view.fit,
            "zoom_in": lambda: view.zoom(ZOOM_STEP),
            "zoom_out": lambda: view.zoom(1 / ZOOM_STEP),
            "window_1": lambda: self._use_file_window(0),
            "window_2": lambda: self._use_percentiles(1, 99),
            "window_3": lambda: self._use_percentiles(0, 100),
            "window_4": lambda: self._use_file_window(1),
            "invert": session.toggle_inverted,
            "threshold_down": lambda: self._step_threshold(-THRESHOLD_STEP),
            "threshold_up": lambda: self._step_threshold(THRESHOLD_STEP),
            "next_class": session.next_class,
            "toggle_overlay": lambda: session.set_overlay(visible=not session.overlay.visible),
            "toggle_theme": self._toggle_theme,
            "show_shortcuts": lambda: ShortcutSheet(self).exec(),
            "show_about": lambda: AboutDialog(self._device.text() or "no model open", self).exec(),
        }

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

    def _show_card(self) -> None:
        if self.session.model is not None:
            CardDialog(self.session.model, self).exec()

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

    def _use_file_window(self, index: int) -> None:
        image = self.session.image
        if image is None:
            return
        windows = [window for _, window in image.window_presets] or [image.window]
        if index < len(windows):
            self.session.set_window(windows[index])

    def _use_percentiles(self, low: float, high: float) -> None:
        image = self.session.image
        if image is None:
            return
        # Every fourth pixel tells the same and does not make the window wait.
        self.session.set_window(Window.from_percentiles(image.presentation[::4, ::4], low, high))

    def _step_threshold(self, by: float) -> None:
        self.session.set_overlay(threshold=float(np.clip(self.session.overlay.threshold + by, 0, 1)))

    def _toggle_theme(self) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply_theme(app, LIGHT if current_theme() is DARK else DARK)
            self._on_state_changed()

    # What the session says

    def _on_state_changed(self) -> None:
        session = self.session
        there = {
            "nothing": True,
            "cases": len(session.cases) > 1,
            "image": session.image is not None,
            "model": session.model is not None,
            "explanation": session.explanation is not None,
        }
        for command, action in self._actions.values():
            action.setEnabled(there[command.needs])
        presets = session.image.window_presets if session.image else ()
        self._actions["window_4"][1].setEnabled(len(presets) > 1)
        if session.model is None:
            self._model.setText("No model")
            self._device.setText("")
        else:
            card = session.model.network.card
            self._model.setText(card.name)
            self._model.setToolTip(f"{card.name}\n{card.architecture}\n{session.model.path}")
            self._device.setText(session.model.device)
        self._device.setStyleSheet(f"color: {current_theme().ok}; font-weight: 600;")

    def _on_image_changed(self) -> None:
        image = self.session.image
        self.setWindowTitle("SoftCAM viewer" if image is None else f"{image.source.name} · SoftCAM viewer")
        if image is not None:
            self.messages.hide()

    def _on_pointed(self, row: float, column: float) -> None:
        self._pointed = row, column
        self._update_probe()

    def _on_left(self) -> None:
        self._pointed = None
        self._update_probe()

    def _update_probe(self) -> None:
        session, found = self.session, None
        field = session.model.field if session.model else None
        if session.image is not None and self._pointed is not None:
            found = probe(session.image, *self._pointed, session.explanation, session.overlay, field)
        self._probe.setText(found.text() if found else "")

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
