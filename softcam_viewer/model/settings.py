"""Settings: what people choose once and for all, in a file that they can read."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from PySide6.QtCore import QObject, Signal

from softcam_viewer.jobs.lanes import Lane
from softcam_viewer.model.kept import Kept, read_kept, write_kept
from softcam_viewer.model.layouts import LAYOUTS

ThemeChoice = Literal["system", "dark", "light"]


class Settings(Kept):
    """What people choose once and for all.

    Attributes
    ----------
    theme : {"system", "dark", "light"}
    reviewer : str
        Who reviews; goes into annotations and reports.
    annotation_store : str
        File that annotations are kept in; "" for the user's own.
    show_identity : bool
        Show patients' names and identifiers.
    autosave : bool
        Save the session at each change.
    layout : str
        That a window begins with, a name of LAYOUTS.
    windows : dict of str to str
        The window that images of a modality ("CR", "CT", "" where unknown) are first seen through: a title of
        `softcam_viewer.model.window_presets`.
    shortcuts : dict of str to tuple of str
        Keys of commands that are not the standard ones.
    folders : dict of str to str
        Where something of a kind ("images", "models", "sessions") was opened last. Names of folders are the user's own;
        nothing of a patient is ever written here.
    """

    theme: ThemeChoice = "system"
    reviewer: str = Field(default="", max_length=120)
    annotation_store: str = ""
    show_identity: bool = False
    autosave: bool = True
    layout: str = "1x1"
    windows: dict[str, str] = Field(default_factory=dict)
    shortcuts: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    folders: dict[str, str] = Field(default_factory=dict)

    @field_validator("layout")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in LAYOUTS:
            raise ValueError(f"there is no layout {name!r}")
        return name


class SettingsStore(QObject):
    """The settings in use, written whenever they change.

    Parameters
    ----------
    path : Path or None
        Their file; None to keep them in memory alone.
    lane : Lane
        That writes it.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, path: Path | None, lane: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path, self._lane = path, lane
        # The one file that is read on this thread, before there is a window: its colours depend on it.
        self.settings, self.problem = (Settings(), "") if path is None else read_kept(path, Settings)
        self._is_written = True

    def change(self, **changes: Any) -> None:  # noqa: ANN401 - fields of Settings
        """Change settings; raises pydantic.ValidationError for values that they cannot have."""
        settings = Settings.model_validate({**self.settings.model_dump(), **changes})
        if settings == self.settings:
            return
        self.settings = settings
        if self._path is not None:
            self._is_written = False
            write = partial(write_kept, self._path, settings)
            self._lane.submit(write, partial(self._on_written, settings), self.failed.emit)
        self.changed.emit()

    def close(self) -> None:
        """Write what the lane had no time for; the window is gone, and nobody waits."""
        if self._path is not None and not self._is_written:
            write_kept(self._path, self.settings)
            self._is_written = True

    def _on_written(self, settings: Settings, _nothing: None) -> None:
        self._is_written = self._is_written or settings is self.settings
