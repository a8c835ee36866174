"""Finding: annotations of the whole store, page by page as they come into sight."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from softcam_core.annotations.annotation import Annotation, CaseRecord
from softcam_core.annotations.query import Query
from softcam_viewer.model.store_access import StoreAccess

if TYPE_CHECKING:
    from softcam_viewer.model.annotation_book import AnnotationBook

PAGE = 100
DELAY_MS = 150
"""After the last letter that is typed."""

Found = tuple[Annotation, CaseRecord | None]


class Finding(QObject):
    """What a store has that meets a question.

    Parameters
    ----------
    book : AnnotationBook
    """

    counted = Signal()  # another number of annotations is found: all rows are others
    arrived = Signal(int, int)  # rows from the one to before the other are known

    def __init__(self, book: AnnotationBook, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._book = book
        self.query = Query()
        self.count = 0
        self.is_searching = False
        self.problem = ""
        self._rows: dict[int, Found] = {}
        self._asked: set[int] = set()
        self._turn = object()
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self.search)
        book.written.connect(self._timer.start)

    def look_for(self, query: Query) -> None:
        """Ask something else, as soon as nothing more is typed."""
        if query != self.query:
            self.query = query
            self._timer.start()

    def search(self) -> None:
        """Ask again."""
        self._timer.stop()
        self._turn = turn = object()
        self.is_searching = True
        query = self.query
        self._book.run(
            lambda access: _first(access, query), partial(self._on_counted, turn), partial(self._on_failed, turn)
        )

    def stop(self) -> None:
        """Nobody looks any more."""
        self._timer.stop()
        self._turn = object()

    def row(self, number: int) -> Found | None:
        """What is in a row; None while it is on its way, for which asking is the reason."""
        found = self._rows.get(number)
        page = number // PAGE
        if found is None and page not in self._asked and 0 <= number < self.count:
            self._asked.add(page)
            work = partial(StoreAccess.find, query=self.query, limit=PAGE, offset=page * PAGE)
            self._book.run(work, partial(self._on_page, self._turn, page), partial(self._on_failed, self._turn))
        return found

    def _on_counted(self, turn: object, outcome: tuple[int, Sequence[Found]]) -> None:
        if turn is not self._turn:  # another question has been asked meanwhile
            return
        self.count, first = outcome
        self._rows = dict(enumerate(first))
        self._asked = {0}
        self.is_searching, self.problem = False, ""
        self.counted.emit()

    def _on_page(self, turn: object, page: int, found: Sequence[Found]) -> None:
        if turn is self._turn:
            begin = page * PAGE
            self._rows |= dict(enumerate(found, begin))
            self.arrived.emit(begin, begin + len(found))

    def _on_failed(self, turn: object, message: str) -> None:
        if turn is self._turn:
            self.is_searching, self.problem = False, message
            self.counted.emit()


def _first(access: StoreAccess, query: Query) -> tuple[int, Sequence[Found]]:
    return access.count(query), access.find(query, limit=PAGE, offset=0)
