"""What the window does about annotations: bring them into view, find them, and let none be lost when it closes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QMessageBox

from softcam_core.annotations.annotation import Annotation, CaseRecord
from softcam_core.annotations.shapes import Bounds
from softcam_viewer.ui.find_annotations_dialog import FindAnnotationsDialog

if TYPE_CHECKING:
    from softcam_viewer.ui.main_window import MainWindow

AROUND = 0.5
"""Of a place, that is shown on each side of it."""
COPY_NAME = "annotations-not-saved.sqlite"
FILES = "Annotations (*.sqlite)"


class AnnotatingWindow(QObject):
    """The window's part in annotating.

    Parameters
    ----------
    window : MainWindow
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._annotating = window, window.session.annotating
        self._is_waiting = self._is_copied = False
        window.annotations.jump_wanted.connect(self._jump)
        window.annotations.copy_wanted.connect(lambda: self._save_copy())
        for signal in (self._annotating.changed, self._annotating.store_changed):
            signal.connect(self._refresh_commands)
        self._annotating.told.connect(window.status.say)
        self._annotating.saved_changed.connect(self._on_saved)

    def _refresh_commands(self) -> None:
        self._window.commands.refresh()

    def find(self) -> None:
        """Open the dialog that finds annotations, or bring it to the front."""
        known = self._window.findChild(FindAnnotationsDialog)
        dialog = (
            known
            if isinstance(known, FindAnnotationsDialog)
            else FindAnnotationsDialog(self._window.session, self._window)
        )
        if dialog is not known:
            dialog.wanted.connect(self._bring)
            dialog.finished.connect(dialog.deleteLater)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()
        dialog.text.setFocus()

    def _jump(self, place: Bounds) -> None:
        top, left, bottom, right = place
        down, across = AROUND * (bottom - top), AROUND * (right - left)
        self._window.grid.active.view.zoom_to(top - down, left - across, bottom + down, right + across)

    def _bring(self, annotation: Annotation, case: CaseRecord | None) -> None:
        """Show an annotation of any case: of one that is open, or of one whose file is where it was."""
        session = self._window.session
        rows = self._annotating.keys.rows_of(annotation.case)
        path = Path(case.path) if case is not None and case.path else None
        row = rows[0] if rows else None if path is None else session.cases.row_of(path)
        self._annotating.select_later(annotation)
        if row is not None:
            if (row, annotation.frame) == (session.row, self._annotating.frame):
                self._annotating.select(annotation.id)
            else:
                session.select(row, annotation.frame)
        elif path is None:
            session.failed.emit("Nobody knows where the image of this annotation is. Open its folder, and try again.")
        else:
            # Whether the file is still there is told by who reads it, which is not the window's thread.
            self._window.desk.open_images([path])

    # So that nothing is lost

    def may_close(self) -> bool:
        """Whether all edits are saved, or the user does without them; asks where they cannot be."""
        annotating = self._annotating
        if not annotating.unsaved or self._is_copied:
            return True
        if not annotating.problem:  # they are being written: it closes as soon as they are
            self._is_waiting = True
            self._window.status.say("The window closes as soon as all annotations are saved.")
            return False
        return self._ask()

    def _ask(self) -> bool:
        annotating, box = self._annotating, QMessageBox(self._window)
        count = annotating.unsaved
        box.setWindowTitle("SoftCAM viewer")
        box.setIcon(QMessageBox.Icon.Warning)
        box.setText(f"{count} {'edit' if count == 1 else 'edits'} of annotations cannot be saved.")
        box.setInformativeText(annotating.problem)
        copy = box.addButton("Save a copy elsewhere…", QMessageBox.ButtonRole.AcceptRole)
        retry = box.addButton("Try again", QMessageBox.ButtonRole.ActionRole)
        lose = box.addButton("Close without them", QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(copy)
        box.setEscapeButton(stay)
        box.exec()
        chosen = box.clickedButton()
        box.deleteLater()
        if chosen is retry:
            self._is_waiting = True
            annotating.retry()
        elif chosen is copy:
            self._save_copy(closes=True)
        return chosen is lose

    def _save_copy(self, *, closes: bool = False) -> None:
        text, _ = QFileDialog.getSaveFileName(self._window, "Save a copy", str(Path.home() / COPY_NAME), FILES)
        if text:
            done = partial(self._on_copied, Path(text), closes)
            self._annotating.book.save_copy(Path(text), done, self._window.session.failed.emit)

    def _on_copied(self, path: Path, closes: bool, _nothing: None) -> None:
        self._window.status.say(f"What is not saved is in {path.name}. “softcam annotations merge” takes it over.")
        if closes:
            self._is_copied = True
            self._window.close()

    def _on_saved(self) -> None:
        if self._is_waiting and (not self._annotating.unsaved or self._annotating.problem):
            self._is_waiting = False
            self._window.close()
