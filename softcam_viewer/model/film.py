"""Film: an image in view, and the window it is seen through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from softcam_core.imaging.image import Window
from softcam_viewer.model.window_presets import WindowPreset, window_presets

if TYPE_CHECKING:
    from softcam_core.imaging.image import MedicalImage
    from softcam_viewer.model.backend import OpenedImage


class Film(QObject):
    """What panes draw maps over. All panes share the session's film, unless one holds a case of its own."""

    image_changed = Signal()  # another image, or none
    window_changed = Signal()  # its window or inversion
    preferred_changed = Signal()  # a preset was chosen, and is used from now on for images of its modality

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.opened: OpenedImage | None = None
        self.window: Window | None = None
        self.inverted = False
        self.preferred: dict[str, str] = {}  # modality -> title of the preset that is used for it

    @property
    def image(self) -> MedicalImage | None:
        """The image in view."""
        return self.opened.image if self.opened else None

    def show(self, opened: OpenedImage | None) -> None:
        """Show another image as its file wants it to be seen, or none."""
        self.opened = opened
        self.window = opened.image.window if opened else None
        self.inverted = False
        preferred = self.preset(self.preferred.get(opened.image.modality, "")) if opened else None
        if preferred is not None:
            self.window = preferred.make()
        self.image_changed.emit()

    def set_window(self, window: Window) -> None:
        """See the image through another window."""
        self.window = window
        self.window_changed.emit()

    @property
    def presets(self) -> tuple[WindowPreset, ...]:
        """Windows that are ready to use; none for colours, which are shown as they are."""
        return () if self.image is None or self.image.is_color else window_presets(self.image)

    def preset(self, title: str) -> WindowPreset | None:
        """The preset of a title, None where the image has none."""
        return next((preset for preset in self.presets if preset.title == title), None)

    def use_preset(self, title: str) -> None:
        """See the image, and others of its modality from now on, through a preset."""
        preset = self.preset(title)
        if preset is None or self.image is None:
            return
        if self.preferred.get(self.image.modality) != title:
            self.preferred[self.image.modality] = title
            self.preferred_changed.emit()
        self.set_window(preset.make())

    def toggle_inverted(self) -> None:
        """Swap black and white."""
        self.inverted = not self.inverted
        self.window_changed.emit()

    def copy(self, parent: QObject) -> Film:
        """A film of its own of the same image, seen through the same window."""
        film = Film(parent)
        film.opened, film.window, film.inverted = self.opened, self.window, self.inverted
        return film
