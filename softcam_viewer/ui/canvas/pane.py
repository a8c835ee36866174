"""A pane: header, image with overlay, colour bar; or what to do where nothing is open."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from softcam_core.imaging.image import Window
from softcam_viewer.model.overlay import OverlaySettings
from softcam_viewer.model.session import Session
from softcam_viewer.ui.canvas.color_bar import ColorBar, decimals_for
from softcam_viewer.ui.canvas.image_view import ImageView
from softcam_viewer.ui.elided_label import ElidedLabel

# A drag over this many pixels changes the window by its own width.
WINDOW_DRAG = 300.0


class Pane(QWidget):
    """Shows the session's case."""

    open_files_wanted = Signal()
    open_folder_wanted = Signal()
    demo_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._title, self._subtitle = ElidedLabel("paneTitle"), ElidedLabel("muted")
        self._work = QLabel()
        self._work.setObjectName("accent")
        self.view, self.color_bar = ImageView(), ColorBar()

        header = QWidget()
        header.setObjectName("paneHeader")
        titles = QVBoxLayout()
        titles.setSpacing(2)
        titles.addWidget(self._title)
        titles.addWidget(self._subtitle)
        row = QHBoxLayout(header)
        row.setContentsMargins(14, 10, 14, 10)
        row.addLayout(titles, 1)
        row.addWidget(self._work, 0, Qt.AlignmentFlag.AlignVCenter)

        film = QWidget()
        body = QHBoxLayout()
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(0)
        body.addWidget(self.view, 1)
        body.addWidget(self.color_bar)
        column = QVBoxLayout(film)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(header)
        column.addLayout(body, 1)

        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._make_empty())
        self._stack.addWidget(film)

        session.image_changed.connect(self._on_image_changed)
        session.window_changed.connect(self._on_window_changed)
        session.explanation_changed.connect(self._on_explanation_changed)
        session.overlay_changed.connect(self._on_overlay_changed)
        session.busy_changed.connect(self._work.setText)
        self.view.windowed.connect(self._on_windowed)
        self.view.stepped.connect(session.step_frame)
        self._shown_map: object = None

    def show_overlay_hidden(self, hidden: bool) -> None:
        """Hide the evidence for as long as wanted, without changing its settings."""
        self._session.set_overlay(visible=not hidden)

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

    def _on_image_changed(self) -> None:
        image = self._session.image
        page = 0 if image is None and not len(self._session.cases) else 1
        if self._stack.currentIndex() != page:
            self._stack.setCurrentIndex(page)
            self.view.setFocus()  # so that the keys of the image work at once
        self.view.show_image(image)
        self._on_window_changed()
        self._update_header()

    def _on_window_changed(self) -> None:
        image, window = self._session.image, self._session.window
        if image is not None and window is not None:
            self.view.show_window(window, inverted=image.inverted != self._session.inverted)
        self._update_header()

    def _on_explanation_changed(self) -> None:
        self._shown_map = None
        self._on_overlay_changed()

    def _on_overlay_changed(self) -> None:
        overlay, settings = self._session.overlay_map, self._session.overlay
        if overlay is not self._shown_map or overlay is None:
            self._shown_map = overlay
            self.view.show_overlay(overlay, settings)
            self._update_header()
        else:
            self.view.recolor(settings)
        self.color_bar.show_scale(overlay, settings)

    def _on_windowed(self, right: float, down: float) -> None:
        window = self._session.window
        if window is None:
            return
        lower, upper = window.limits
        width = (upper - lower) * max(0.2, 1 + right / WINDOW_DRAG)
        center = (lower + upper) / 2 + (upper - lower) * down / WINDOW_DRAG
        self._session.set_window(Window.from_limits(center - width / 2, center + width / 2))

    def _update_header(self) -> None:
        session, image = self._session, self._session.image
        if image is None:
            row = session.row
            self._title.setText(session.cases[row].path.name if 0 <= row < len(session.cases) else "")
            self._subtitle.setText("")
            return
        self._title.setText(headline(session))
        parts = [image.source.name, f"{image.size[1]} × {image.size[0]} px"]
        if image.frame_count > 1:
            parts.append(f"frame {image.frame + 1} of {image.frame_count}")
        if session.window is not None and not image.is_color:
            lower, upper = session.window.limits
            decimals = decimals_for(upper - lower, 3)
            center, width = (lower + upper) / 2, upper - lower
            parts.append(f"window {center:.{decimals}f} / {width:.{decimals}f}".replace("-", "−"))
        if session.explanation is not None:
            parts.append(f"{session.explanation.seconds:.2f} s")
        self._subtitle.setText("   ·   ".join(parts))


def headline(session: Session) -> str:
    """What the pane shows, in words."""
    explanation, settings = session.explanation, session.overlay
    if explanation is None:
        return "Image" if session.model is None else "SoftCAM evidence"
    return "SoftCAM evidence   ·   " + view_title(explanation.class_names, settings)


def view_title(class_names: tuple[str, ...], settings: OverlaySettings) -> str:
    """Class shown, or "A against B"."""
    title = class_names[settings.target]
    return title if settings.against is None else f"{title} against {class_names[settings.against]}"
