"""A pane: header, image with overlay, colour bar."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QRectF, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from softcam_core.imaging.image import Window
from softcam_viewer.model.film import Film
from softcam_viewer.model.methods import name_of
from softcam_viewer.model.overlay import OverlaySettings
from softcam_viewer.model.pane import PaneState
from softcam_viewer.model.probe import cell_boxes, value_at
from softcam_viewer.model.session import Session
from softcam_viewer.model.tools import Tools
from softcam_viewer.ui.canvas.color_bar import ColorBar
from softcam_viewer.ui.canvas.image_view import ImageView
from softcam_viewer.ui.canvas.pane_header import PaneHeader
from softcam_viewer.ui.canvas.pane_notice import PaneNotice
from softcam_viewer.ui.options_dialog import OptionsDialog
from softcam_viewer.ui.theme import current_theme

# A drag over this many pixels changes the window by its own width.
WINDOW_DRAG = 300.0
FRAME = 2
HALF = 0.5
"""A pixel of the map is shown as left out where more of it is left out than not."""
KEPT = "This pane keeps another case. Annotate the case in view in another pane."
TOUCHES = (QEvent.Type.MouseButtonPress, QEvent.Type.FocusIn)


class Pane(QWidget):
    """Shows the session's case under one map.

    Parameters
    ----------
    session : Session
    state : PaneState
        What it shows.
    tools : Tools
        What the left button does.
    """

    touched = Signal()  # clicked, or reached by the keyboard

    def __init__(self, session: Session, state: PaneState, tools: Tools, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state, self.tools = state, tools
        self._session = session
        self._is_framed = False
        self._shown_map: object = None
        self._pointed: tuple[float, float] | None = None
        self.header = PaneHeader(session, state)
        self.view, self.color_bar = ImageView(tools), ColorBar()
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
        self.view.outlined.connect(session.weighing.add_shape)
        self.view.shape_removed.connect(session.weighing.remove_shape)
        annotating = session.annotating
        self.view.drawn.connect(annotating.draw)
        self.view.reshaped.connect(lambda mark, shape: annotating.change(mark, shape=shape))
        self.view.picked.connect(annotating.select)
        self.view.flagged.connect(annotating.flag_at)
        self.view.mark_removed.connect(annotating.remove)
        annotating.changed.connect(self._show_marks)
        session.annotated.changed.connect(self._show_annotation)
        session.weighing.changed.connect(self._show_weighed)
        session.panes.active_changed.connect(self._show_weighed)
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

    @property
    def stops(self) -> tuple[QWidget, ...]:
        """Where the Tab key comes to, in this order."""
        header = self.header
        return header.method, header.target, header.model, header.options, self.view

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
        self._pointed = None
        self._on_window_changed()
        self._show_weighed()
        self._show_annotation()
        self._show_marks()

    def _show_annotation(self, source: Path | None = None) -> None:
        """Show what is known of the image, or of any whose file is given."""
        image = self.state.film.image
        if image is not None and source in (None, image.source):
            self.view.show_annotations(*self._session.annotated.of(image))

    def _show_marks(self) -> None:
        """Show what people said about the image; a pane that keeps another case shows nothing of it."""
        annotating = self._session.annotating
        is_annotated = self.state.film is annotating.film
        self.view.why_not_marked = "" if is_annotated else KEPT
        if is_annotated:
            self.view.show_marks(annotating.annotations, annotating.selected, annotating.verdict, annotating.reviewer)
        else:
            self.view.show_marks(())

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
            self._show_weighed()
            self._show_pointer()
        else:
            self.view.recolor(self._settings)
        self.color_bar.show_scale(overlay, self.state.overlay)

    def point_at(self, share: tuple[float, float] | None) -> None:
        """Show where the cursor is, here or in another pane, with this pane's own value.

        Parameters
        ----------
        share : (float, float) or None
            Shares of the image's height and width.
        """
        self._pointed = share
        self._show_pointer()

    def _show_pointer(self) -> None:
        state, image = self.state, self.state.film.image
        if self._pointed is None or image is None or not all(0 <= share < 1 for share in self._pointed):
            self.view.show_pointer(None)
            return
        row, column = (share * pixels for share, pixels in zip(self._pointed, image.size, strict=True))
        text = value_at(state.explanation, state.overlay_map, row, column)
        boxes = None
        if self.tools.shows_cells and state.explanation is not None:
            boxes = cell_boxes(state.explanation, row, column, state.model.field if state.model else None)
        self.view.show_pointer((row, column), text, boxes)

    def _show_weighed(self) -> None:
        """Show what is left out of the ledger: shapes in all panes of the case, the rest on the map that it is of."""
        weighing, overlay = self._session.weighing, self.state.overlay_map
        is_same_film = self.state.film is weighing.pane.film
        self.view.show_shapes(weighing.shapes if is_same_film else ())
        mask = weighing.mask if overlay is not None and weighing.overlay is overlay is self._shown_map else None
        is_of_map = mask is not None and overlay is not None and mask.shape == overlay.values.shape
        self.view.show_removed(mask >= HALF if mask is not None and is_of_map else None)

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
