"""The case in view, and what it is known by."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from softcam_core.annotations.annotation import CaseRecord
from softcam_viewer.model.annotation_book import AnnotationBook
from softcam_viewer.model.case_keys import CaseKeys, stamp_of

if TYPE_CHECKING:
    from softcam_viewer.model.backend import OpenedImage
    from softcam_viewer.model.film import Film


class CaseInView(QObject):
    """Follows a film, and has what is said about its image read.

    Parameters
    ----------
    film : Film
    book : AnnotationBook
    keys : CaseKeys
    """

    changed = Signal()  # another image is in view, or another frame
    failed = Signal(str)

    def __init__(self, film: Film, book: AnnotationBook, keys: CaseKeys, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._film, self._book, self._keys = film, book, keys
        self.opened: OpenedImage | None = None
        self.key = ""  # "" where it is not known yet, or none is in view
        self._waiting: list[tuple[Hashable, Callable[[str], None]]] = []
        film.image_changed.connect(self._on_image_changed)
        book.outdated.connect(self.read)

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of its image in pixels, None where there is none."""
        return None if self.opened is None else self.opened.image.size

    @property
    def frame(self) -> int:
        """From 0."""
        return 0 if self.opened is None else self.opened.image.frame

    def when_known(self, then: Callable[[str], None]) -> None:
        """Do something with the key of the case, at once or as soon as it is known, whatever is in view by then."""
        if self.key:
            then(self.key)
        elif self.opened is not None:
            self._waiting.append((stamp_of(self.opened), then))

    def read(self) -> None:
        """Read what is said about it."""
        opened = self.opened
        if opened is not None:
            uid, path = opened.image.identity.instance_uid, opened.image.source
            self._book.read(path, uid, self.key, partial(self._on_read, opened), partial(self._on_unreadable, opened))

    def _on_image_changed(self) -> None:
        before, self.opened = self.opened, self._film.opened
        if self.opened is None:
            self.key = ""
        elif before is None or stamp_of(before) != stamp_of(self.opened):
            self.key = self._keys.key_of(self.opened.image.source, stamp_of(self.opened))
            if not (self.key and self._book.has(self.key)):
                self.read()
        self.changed.emit()

    def _on_read(self, opened: OpenedImage, key: str) -> None:
        image, stamp = opened.image, stamp_of(opened)
        (height, width), uid = image.size, image.identity.instance_uid
        self._book.note(
            CaseRecord(key=key, height=height, width=width, sop_instance_uid=uid, path=str(image.source.absolute()))
        )
        self._keys.learn(image.source, key, stamp)
        if self.opened is not None and stamp_of(self.opened) == stamp:
            self.key = key
        for then in self._take_waiting(stamp):
            then(key)

    def _on_unreadable(self, opened: OpenedImage, message: str) -> None:
        self._take_waiting(stamp_of(opened))
        self.failed.emit(f"What is said about this case cannot be kept or read. {message}")

    def _take_waiting(self, stamp: Hashable) -> list[Callable[[str], None]]:
        taken = [then for wanted, then in self._waiting if wanted == stamp]
        self._waiting = [(wanted, then) for wanted, then in self._waiting if wanted != stamp]
        return taken
