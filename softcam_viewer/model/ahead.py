"""Ahead: the cases that will be wanted next are read and explained before anybody asks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from softcam_viewer.model import backend
from softcam_viewer.model.answers import Question
from softcam_viewer.model.explaining import Asker, Explaining

if TYPE_CHECKING:
    from softcam_viewer.jobs.lanes import Lane
    from softcam_viewer.model.panes import Panes

IMAGES, IMAGE_BYTES = 6, 512 * 2**20
"""Kept at most: the case in view, those before and behind it, and as many frames. One mammogram has 160 MB."""
WAIT_MS = 40
"""After a change in view, and until looking again whether all that is waited for is there."""

Place = tuple[Path, int]
"""A file and a frame in it."""


class ImageCache:
    """Images of late and those to come, those not used for longest forgotten first."""

    def __init__(self, count: int = IMAGES, limit: int = IMAGE_BYTES) -> None:
        self._count, self._limit = count, limit
        self._images: OrderedDict[Place, backend.OpenedImage] = OrderedDict()

    def __len__(self) -> int:
        return len(self._images)

    @property
    def size(self) -> int:
        """Bytes kept."""
        return sum(map(_nbytes, self._images.values()))

    def get(self, place: Place) -> backend.OpenedImage | None:
        """Look up an image, which then is the one used last."""
        opened = self._images.get(place)
        if opened is not None:
            self._images.move_to_end(place)
        return opened

    def put(self, place: Place, opened: backend.OpenedImage) -> None:
        """Keep an image; the last one is kept whatever its size."""
        self._images.pop(place, None)
        self._images[place] = opened
        while len(self._images) > self._count or (len(self._images) > 1 and self.size > self._limit):
            self._images.popitem(last=False)

    def drop(self, place: Place) -> None:
        """Forget an image: its file is another one, or gone."""
        self._images.pop(place, None)

    def clear(self) -> None:
        """Forget all."""
        self._images.clear()


def _nbytes(opened: backend.OpenedImage) -> int:
    image = opened.image
    arrays = {id(array): array.nbytes for array in (image.pixels, image.values, image.presentation)}
    return sum(arrays.values())


class Ahead(QObject):
    """Reads and explains neighbours of the case in view, whenever nothing else is waited for.

    Parameters
    ----------
    images : ImageCache
        Where they are put.
    panes : Panes
    explaining : Explaining
        Whose answers of the panes' quick methods are made ready.
    lane : Lane
        For reading.
    is_settled : callable
        Whether nothing is waited for.
    """

    def __init__(
        self,
        images: ImageCache,
        panes: Panes,
        explaining: Explaining,
        lane: Lane,
        is_settled: Callable[[], bool],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._images, self._panes, self._explaining = images, panes, explaining
        self._lane, self._is_settled = lane, is_settled
        self._places: list[Place] = []
        self._reading: Place | None = None
        self._tried: set[Place] = set()  # once is enough: it may be unreadable, or too large to be kept
        self._asked: dict[Question, Asker] = {}
        self._timer = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._timer.timeout.connect(self._go_on)

    def want(self, places: list[Place]) -> None:
        """Get these ready for the panes, the first first; what was wanted before is not any more."""
        self._places = places
        self._tried.clear()
        self._timer.start()

    def stop(self) -> None:
        """Want nothing."""
        self._places = []
        self._timer.stop()
        for asker in self._asked.values():
            self._explaining.withdraw(asker)
        self._asked.clear()

    def _go_on(self) -> None:
        if not self._is_settled():
            self._withdraw_but(set())  # whoever asks the same now asks for it themselves
            self._timer.start()
            return
        for place in self._places:
            if self._images.get(place) is None and place not in self._tried:
                self._read(place)
                break
        known = [opened for place in self._places if (opened := self._images.get(place)) is not None]
        requests = [r for opened in known for r in self._panes.requests(opened) if r.is_quick]
        self._withdraw_but({request.question for request in requests})
        for request in requests:
            if request.question not in self._asked and self._explaining.cache.get(request.question) is None:
                asker = self._asked[request.question] = Asker(lambda answer: None)
                self._explaining.ask(asker, request)

    def _withdraw_but(self, wanted: set[Question]) -> None:
        for question in [question for question in self._asked if question not in wanted]:
            self._explaining.withdraw(self._asked.pop(question))

    def _read(self, place: Place) -> None:
        if self._reading is None:
            self._reading = place
            self._tried.add(place)
            self._lane.submit(
                partial(backend.read, *place), partial(self._on_read, place), partial(self._on_failed, place)
            )

    def _on_read(self, place: Place, opened: backend.OpenedImage) -> None:
        self._reading = None
        if place in self._places:
            self._images.put(place, opened)
        self._timer.start()

    def _on_failed(self, place: Place, message: str) -> None:
        self._reading = None  # why not is said when somebody wants to see it
        self._timer.start()
