"""Where the user's settings and the program's memory lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

PROGRAM = "softcam-viewer"


@dataclass(frozen=True, slots=True)
class UserFolders:
    """Folders of one user; tests give their own.

    Attributes
    ----------
    config : Path
        For what people set.
    data : Path
        For what the program remembers.
    """

    config: Path
    data: Path

    @classmethod
    def of_user(cls) -> UserFolders:
        """Where the system wants a user's files."""
        return cls(
            platformdirs.user_config_path(PROGRAM, appauthor=False),
            platformdirs.user_data_path(PROGRAM, appauthor=False),
        )

    @property
    def settings(self) -> Path:
        """Of `softcam_viewer.model.settings.Settings`."""
        return self.config / "settings.json"

    @property
    def window(self) -> Path:
        """Size and place of the window, as Qt keeps them."""
        return self.config / "window.ini"

    @property
    def recent(self) -> Path:
        """Of `softcam_viewer.model.recent.Recent`."""
        return self.data / "recent.json"

    @property
    def annotations(self) -> Path:
        """The store of annotations of who has not chosen another."""
        return self.data / "annotations.sqlite"

    @property
    def jobs(self) -> Path:
        """Of `softcam_viewer.model.job_store.JobStore`."""
        return self.data / "jobs"

    @property
    def recovery(self) -> Path:
        """The session that has no file of its own."""
        return self.data / "recovery.softcam"
