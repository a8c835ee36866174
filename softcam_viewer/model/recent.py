"""What was opened and used of late."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from PySide6.QtCore import QObject, Signal

from softcam_viewer.jobs.lanes import Lane
from softcam_viewer.model.kept import Kept, read_kept, write_kept

MOST = 10
MOST_COMMANDS = 20

Kind = Literal["session", "folder", "file", "model"]


class RecentPath(BaseModel):
    """Something that was opened."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    path: Path


class Recent(Kept):
    """What was opened and used, the latest first.

    Attributes
    ----------
    paths : tuple of RecentPath
        At most MOST. The names of files and folders may tell of a patient: this is the user's own disk, as they are.
    commands : tuple of str
        Names of commands chosen by search, at most MOST_COMMANDS.
    export_folder : Path or None
        Where files were exported to last.
    """

    paths: tuple[RecentPath, ...] = Field(default=(), max_length=MOST)
    commands: tuple[str, ...] = Field(default=(), max_length=MOST_COMMANDS)
    export_folder: Path | None = None


class RecentStore(QObject):
    """What was opened and used of late, kept in a file.

    Attributes
    ----------
    gone : frozenset of Path
        Of those remembered.
    last_session : Path or None
        The session to go on with: the newest of those with a name and that without.

    Parameters
    ----------
    path : Path or None
        The file; None to keep it in memory alone.
    recovery : Path or None
        File of the last session that had no name.
    lane : Lane
        That reads, writes and looks which paths are gone.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, path: Path | None, recovery: Path | None, lane: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path, self._recovery, self._lane = path, recovery, lane
        self.recent = Recent()
        self.gone: frozenset[Path] = frozenset()
        self.last_session: Path | None = None
        self._is_written = True
        if path is not None:
            lane.submit(partial(read_kept, path, Recent), self._on_read, self.failed.emit)
        self.refresh()

    def note_images(self, paths: Sequence[Path]) -> None:
        """Images were opened: remember the file or folder, and of several files their folder."""
        self._lane.submit(partial(_kind_of, list(paths)), self._note, self.failed.emit)

    def note(self, kind: Kind, path: Path) -> None:
        """Something was opened."""
        self._note(RecentPath(kind=kind, path=path.absolute()))
        if kind == "session":
            self.refresh()

    def note_command(self, name: str) -> None:
        """A command was chosen by search."""
        others = tuple(other for other in self.recent.commands if other != name)
        self._change(commands=((name, *others)[:MOST_COMMANDS]))

    def note_export_folder(self, folder: Path) -> None:
        """Files were exported to a folder."""
        if folder != self.recent.export_folder:
            self._change(export_folder=folder)

    def forget_paths(self) -> None:
        """Forget what was opened."""
        self._change(paths=())

    def refresh(self) -> None:
        """Look which paths are gone, and which session is the last: on a network, that takes its time."""
        self._lane.submit(partial(_look, self.recent.paths, self._recovery), self._on_looked, self.failed.emit)

    def close(self) -> None:
        """Write what the lane had no time for; the window is gone, and nobody waits."""
        if self._path is not None and not self._is_written:
            write_kept(self._path, self.recent)
            self._is_written = True

    def _note(self, entry: RecentPath | None) -> None:
        if entry is not None:
            others = tuple(other for other in self.recent.paths if other != entry)
            self.gone -= {entry.path}
            self._change(paths=((entry, *others)[:MOST]))

    def _change(self, **changes: object) -> None:
        self.recent = self.recent.model_copy(update=changes)
        self._write()
        self.changed.emit()

    def _write(self) -> None:
        if self._path is not None:
            self._is_written = False
            recent = self.recent
            write = partial(write_kept, self._path, recent)
            self._lane.submit(write, partial(self._on_written, recent), self.failed.emit)

    def _on_written(self, recent: Recent, _nothing: None) -> None:
        self._is_written = self._is_written or recent is self.recent

    def _on_read(self, outcome: tuple[Recent, str]) -> None:
        read, problem = outcome
        was_noted = bool(self.recent.paths or self.recent.commands)
        # What was noted while it was read comes first.
        paths = tuple(dict.fromkeys((*self.recent.paths, *read.paths)))[:MOST]
        commands = tuple(dict.fromkeys((*self.recent.commands, *read.commands)))[:MOST_COMMANDS]
        self.recent = read.model_copy(update={"paths": paths, "commands": commands})
        if problem:
            self.failed.emit(problem)
        if was_noted:
            self._write()
        self.changed.emit()
        self.refresh()

    def _on_looked(self, outcome: tuple[frozenset[Path], Path | None]) -> None:
        self.gone, self.last_session = outcome
        self.changed.emit()


def _kind_of(paths: list[Path]) -> RecentPath | None:
    if len(paths) == 1:
        return RecentPath(kind="folder" if paths[0].is_dir() else "file", path=paths[0].absolute())
    folders = {path.absolute().parent for path in paths}
    return RecentPath(kind="folder", path=folders.pop()) if len(folders) == 1 else None


def _look(entries: Sequence[RecentPath], recovery: Path | None) -> tuple[frozenset[Path], Path | None]:
    """Which are gone; and the session that was written last."""
    ages = {entry.path: _written_at(entry.path) for entry in entries}
    gone = frozenset(path for path, age in ages.items() if age is None)
    sessions = [entry.path for entry in entries if entry.kind == "session"] + ([] if recovery is None else [recovery])
    written = {path: age for path in sessions if (age := _written_at(path)) is not None}
    return gone, max(written, key=lambda path: written[path], default=None)


def _written_at(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:  # gone, or nobody may look, which is as good as gone
        return None
