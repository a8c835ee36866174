"""What the File menu does: dialogs that ask for files, and what was open of late."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from softcam_core.errors import SettingsError
from softcam_core.resources import resource
from softcam_viewer.model.desk import Desk
from softcam_viewer.model.recent import RecentPath
from softcam_viewer.model.session_file import SUFFIX
from softcam_viewer.ui.start_page import KINDS, short_name

IMAGE_FILES = "Images (*.dcm *.dicom *.png *.jpg *.jpeg *.tif *.tiff *.csv);;All files (*)"
MODEL_FILES = "Models and weights (*.safetensors *.pth *.pt *.ckpt);;All files (*)"
SESSION_FILES = f"Sessions (*{SUFFIX});;All files (*)"
MODEL_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")


class Opening:
    """Opens files of all kinds.

    Parameters
    ----------
    desk : Desk
    window : QWidget
        Over which dialogs appear.
    """

    def __init__(self, desk: Desk, window: QWidget) -> None:
        self._desk, self._window = desk, window
        self.menu = QMenu("Open recent", window)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(desk.recent.refresh)
        desk.recent.changed.connect(self._fill_menu)
        self._fill_menu()

    # Dialogs

    def ask_files(self) -> None:
        """Ask for images."""
        names, _ = QFileDialog.getOpenFileNames(self._window, "Open images", self._folder("images"), IMAGE_FILES)
        if names:
            self._remember("images", Path(names[0]).parent)
            self._desk.open_images([Path(name) for name in names])

    def ask_folder(self) -> None:
        """Ask for a folder of images."""
        name = QFileDialog.getExistingDirectory(self._window, "Open a folder of images", self._folder("images"))
        if name:
            self._remember("images", Path(name))
            self._desk.open_images([Path(name)])

    def ask_model(self) -> None:
        """Ask for a model."""
        path = self._ask_one("models", "Open a model", MODEL_FILES)
        if path is not None:
            self._desk.open_model(path)

    def ask_model_to_compare(self) -> None:
        """Ask for a model beside the one that is open."""
        path = self._ask_one("models", "Add a model to compare", MODEL_FILES)
        if path is not None:
            self._desk.add_model(path)

    def ask_session(self) -> None:
        """Ask for a session."""
        path = self._ask_one("sessions", "Open a session", SESSION_FILES)
        if path is not None:
            self._desk.open_session(path)

    def save_session(self) -> None:
        """Save the session to its file, asked for where it has none."""
        if self._desk.keeping.path is None:
            self.ask_where_to_save()
        else:
            self._desk.keeping.save()

    def ask_where_to_save(self) -> None:
        """Ask where to save the session."""
        start = Path(self._folder("sessions")) / f"session{SUFFIX}"
        name, _ = QFileDialog.getSaveFileName(self._window, "Save the session", str(start), SESSION_FILES)
        if name:
            self._remember("sessions", Path(name).parent)
            self._desk.keeping.save_as(Path(name))

    def _ask_one(self, kind: str, title: str, files: str) -> Path | None:
        name, _ = QFileDialog.getOpenFileName(self._window, title, self._folder(kind), files)
        if not name:
            return None
        self._remember(kind, Path(name).parent)
        return Path(name)

    def _folder(self, kind: str) -> str:
        return self._desk.settings.settings.folders.get(kind, "")

    def _remember(self, kind: str, folder: Path) -> None:
        self._desk.settings.change(folders={**self._desk.settings.settings.folders, kind: str(folder)})

    # Without a dialog

    def open_demo(self) -> None:
        """Open the bundled cases with the bundled model."""
        try:
            model, cases = resource("demo/model.safetensors"), resource("demo/cases")
        except SettingsError as error:
            self._desk.failed.emit(str(error))
            return
        self._desk.restoring.give_up()
        self._desk.keeping.leave()
        self._desk.session.open_model(model)
        self._desk.session.open_paths([cases])

    def reopen(self) -> None:
        """Open the session that was open last."""
        if self._desk.recent.last_session is not None:
            self._desk.open_session(self._desk.recent.last_session)

    def open_all(self, paths: list[Path]) -> None:
        """Open files and folders by what they are; of sessions the first, and nothing beside it."""
        sessions = [path for path in paths if path.suffix.lower() == SUFFIX]
        if sessions:
            self._desk.open_session(sessions[0])
            return
        models = [path for path in paths if path.suffix.lower() in MODEL_SUFFIXES]
        if models:
            self._desk.open_model(models[0])
        images = [path for path in paths if path not in models]
        if images:
            self._desk.open_images(images)

    def open_recent(self, entry: RecentPath) -> None:
        """Open something that was open before."""
        if entry.kind == "session":
            self._desk.open_session(entry.path)
        elif entry.kind == "model":
            self._desk.open_model(entry.path)
        else:
            self._desk.open_images([entry.path])

    # Menu

    def _fill_menu(self) -> None:
        self.menu.clear()
        recent = self._desk.recent
        for entry in recent.recent.paths:
            is_gone = entry.path in recent.gone
            # An ampersand would underline the next letter.
            name = short_name(entry.path, 48).replace("&", "&&")
            action = self.menu.addAction(f"{KINDS[entry.kind]}: {name}{'   (gone)' if is_gone else ''}")
            action.setToolTip(str(entry.path))
            action.setEnabled(not is_gone)
            action.triggered.connect(partial(self._on_chosen, entry))
        self.menu.setEnabled(bool(recent.recent.paths))
        if recent.recent.paths:
            self.menu.addSeparator()
            self.menu.addAction("Forget all").triggered.connect(recent.forget_paths)

    def _on_chosen(self, entry: RecentPath, _checked: bool = False) -> None:
        self.open_recent(entry)
