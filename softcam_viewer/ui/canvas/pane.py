"""A pane: header, image with overlay, colour bar."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, QObject, QRectF, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from softcam_core.imaging.image import Window
from softcam_viewer.model.film import Film
from softcam_viewer.model.methods import name_of
from softcam_viewer.model.overlay import OverlaySettings
from softcam_viewer.model.pane import PaneState
from softcam_viewer.model.session import Session
from softcam_viewer.ui.canvas.color_bar import ColorBar
from softcam_viewer.ui.canvas.image_view import ImageView
from softcam_viewer.ui.canvas.pane_header import PaneHeader
from softcam_viewer.ui.canvas.pane_notice import PaneNotice
from softcam_viewer.ui.options_dialog import OptionsDialog
from softcam_viewer.ui.theme import current_theme

# A drag over this many pixels changes the window by its own width.
WINDOW_DRAG = 300.0
FRAME = 2
TOUCHES = (QEvent.Type.MouseButtonPress, QEvent.Type.FocusIn)


class Pane(QWidget):
    """Shows the session's case under one map.

    Parameters
    ----------
    session : Session
    state : PaneState
        What it shows.
    """

    touched = Signal()  # clicked, or reached by the keyboard

    def __init__(self, session: Session, state: PaneState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self._session = session
        self._is_framed = False
        self._shown_map: object = None
        self.header = PaneHeader(session, state)
        self.view, self.color_bar = ImageView(), ColorBar()
        self.view.setAccessibleName(f"Image, pane {session.panes.number_of(state)}")
        self.notice = PaneNotice(self.view)

        body = QHBoxLayout()
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(0)
        body.addWidget(self.view, 1)
        body.addWidget(self.color_bar)
        column = QVBoxLayout(self)
        column.setContentsMargins(FRAME, FRAME, FRAME, FRAME)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addLayout(body, 1)

        self._film: Film | None = None
        state.film_changed.connect(self._follow_film)
        session.panes.peeked.connect(self._recolor)
        state.explained.connect(self._on_explained)
        state.overlay_changed.connect(self._on_overlay_changed)
        self.view.windowed.connect(self._on_windowed)
        self.view.stepped.connect(session.step_frame)
        self.view.double_clicked.connect(self._on_double_clicked)
        self.header.options_wanted.connect(self.open_options)
        self.notice.retried.connect(lambda: session.panes.retry(state))
        for widget in (self, *self.findChildren(QWidget)):
            widget.installEventFilter(self)
        self._follow_film()
        self._on_explained()

    def set_framed(self, framed: bool) -> None:
        """Show that it is the active one of several."""
        self._is_framed = framed
        self.update()

    def open_options(self) -> None:
        """Ask for the method's options."""
        method = self._session.panes.methods.get(name_of(self.state.method))
        if method is not None and method.options:
            OptionsDialog(self.state, method, self).open()

    def _follow_film(self) -> None:
        before, film = self._film, self.state.film
        if before is not None:
            before.image_changed.disconnect(self._on_image_changed)
            before.window_changed.disconnect(self._on_window_changed)
        self._film = film
        film.image_changed.connect(self._on_image_changed)
        film.window_changed.connect(self._on_window_changed)
        self._on_image_changed()

    def _on_image_changed(self) -> None:
        self.view.show_image(self.state.film.image)
        self._on_window_changed()

    def _on_window_changed(self) -> None:
        film = self.state.film
        if film.image is not None and film.window is not None:
            self.view.show_window(film.window, inverted=film.image.inverted != film.inverted)

    def _on_explained(self) -> None:
        self._shown_map = None
        self._on_overlay_changed()
        state = self.state
        if state.is_stopped:
            self.notice.show_message("Stopped before it was done.", is_error=False)
        else:
            self.notice.show_message(state.error, is_error=True)

    def _on_overlay_changed(self) -> None:
        overlay = self.state.overlay_map
        if overlay is not self._shown_map or overlay is None:
            self._shown_map = overlay
            self.view.show_overlay(overlay, self._settings)
        else:
            self.view.recolor(self._settings)
        self.color_bar.show_scale(overlay, self.state.overlay)

    def _recolor(self) -> None:
        self.view.recolor(self._settings)

    @property
    def _settings(self) -> OverlaySettings:
        """The overlay's settings as they are for the moment."""
        settings = self.state.overlay
        return replace(settings, visible=False) if self._session.panes.is_peeking else settings

    def _on_double_clicked(self) -> None:
        panes = self._session.panes
        if len(panes.shown) > 1:
            panes.maximise(on=not panes.is_maximised)
        else:
            self.view.fit()

    def _on_windowed(self, right: float, down: float) -> None:
        window = self.state.film.window
        if window is None:
            return
        lower, upper = window.limits
        width = (upper - lower) * max(0.2, 1 + right / WINDOW_DRAG)
        center = (lower + upper) / 2 + (upper - lower) * down / WINDOW_DRAG
        self.state.film.set_window(Window.from_limits(center - width / 2, center + width / 2))

    # Qt events

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Qt: tell when any part of the pane is used."""
        if event.type() in TOUCHES:
            self.touched.emit()
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt: frame the active pane."""
        if self._is_framed:
            painter = QPainter(self)
            painter.setPen(QPen(QColor(current_theme().accent), FRAME))
            half = FRAME / 2
            painter.drawRect(QRectF(self.rect()).adjusted(half, half, -half, -half))
