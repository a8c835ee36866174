"""Film: an image in view, and the window it is seen through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from softcam_core.imaging.image import Window

if TYPE_CHECKING:
    from softcam_core.imaging.image import MedicalImage
    from softcam_viewer.model.backend import OpenedImage


class Film(QObject):
    """What panes draw maps over. All panes share the session's film, unless one holds a case of its own."""

    image_changed = Signal()  # another image, or none
    window_changed = Signal()  # its window or inversion

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.opened: OpenedImage | None = None
        self.window: Window | None = None
        self.inverted = False

    @property
    def image(self) -> MedicalImage | None:
        """The image in view."""
        return self.opened.image if self.opened else None

    def show(self, opened: OpenedImage | None) -> None:
        """Show another image as its file wants it to be seen, or none."""
        self.opened = opened
        self.window = opened.image.window if opened else None
        self.inverted = False
        self.image_changed.emit()

    def set_window(self, window: Window) -> None:
        """See the image through another window."""
        self.window = window
        self.window_changed.emit()

    def use_file_window(self, index: int) -> None:
        """See it through one of the windows of its file, where there are so many."""
        if self.image is not None:
            windows = [window for _, window in self.image.window_presets] or [self.image.window]
            if index < len(windows):
                self.set_window(windows[index])

    def use_percentiles(self, low: float, high: float) -> None:
        """Spread the greys over the values between two percentiles."""
        if self.image is not None:
            # Every fourth pixel tells the same and does not make the window wait.
            self.set_window(Window.from_percentiles(self.image.presentation[::4, ::4], low, high))

    def toggle_inverted(self) -> None:
        """Swap black and white."""
        self.inverted = not self.inverted
        self.window_changed.emit()

    def copy(self, parent: QObject) -> Film:
        """A film of its own of the same image, seen through the same window."""
        film = Film(parent)
        film.opened, film.window, film.inverted = self.opened, self.window, self.inverted
        return film
