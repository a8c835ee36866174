"""Flags as a person makes them in the viewer, by a program: its model of cases, panes and annotations, no window."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PySide6.QtCore import QCoreApplication

from softcam_core.annotations.shapes import Bitmap
from softcam_viewer.jobs.lanes import Lanes, ThreadLane
from softcam_viewer.model.session import Session

TIMEOUT_S = 120.0
OUTER = 8  # the border is the outer eighth of the image on each side


@contextmanager
def reviewing(images: Sequence[Path], model: Path, store: Path) -> Iterator[Session]:
    """A session with these cases and this model, whose annotations go to the store."""
    app = QCoreApplication.instance() or QCoreApplication([])
    lanes = Lanes(*(ThreadLane(name) for name in Lanes._fields))
    session = Session(lanes, "cpu")
    try:
        session.annotating.book.use_store(store)
        session.annotating.use_reviewer("study")
        session.open_paths(list(images))
        _wait(app, lambda: session.film.image is not None)
        session.open_model(model)
        _wait(app, lambda: session.panes.active.overlay_map is not None)
        yield session
        _wait(app, lambda: session.annotating.unsaved == 0)
    finally:
        session.stop()
        for lane in lanes:
            lane.shut_down()
        session.annotating.book.close()


def see(session: Session, row: int) -> None:
    """Bring a case into view, and wait for its evidence."""
    app = QCoreApplication.instance()
    assert app is not None
    session.select(row)
    path = session.cases[row].path
    _wait(
        app,
        lambda: (
            session.film.image is not None
            and session.film.image.source == path
            and session.panes.active.overlay_map is not None
            and session.annotating.case != ""
        ),
    )


def flag(session: Session, row: float, column: float, class_name: str, against: str) -> bool:
    """Point at evidence that is wrong; False where none is seen there."""
    annotating, pane = session.annotating, session.panes.active
    assert pane.model is not None
    names = pane.model.card.class_names
    pane.set_overlay(target=names.index(class_name), against=names.index(against))
    before = len(annotating.annotations)
    annotating.flag_at(row, column, "wrong")
    return len(annotating.annotations) > before


def flag_border(session: Session, class_name: str) -> None:
    """Paint over the outer eighth of the image: evidence there is wrong."""
    pane, image = session.panes.active, session.film.image
    assert pane.model is not None
    assert image is not None
    names = pane.model.card.class_names
    pane.set_overlay(target=names.index(class_name), against=None)
    shape = Bitmap.of(border_of(image.size), (0.0, 0.0, float(image.size[0]), float(image.size[1])))
    assert shape is not None
    session.annotating.draw(shape, "wrong")


def border_of(size: tuple[int, int]) -> np.ndarray:
    """The outer eighth of an image, (H, W) bool."""
    border = np.ones(size, dtype=bool)
    border[tuple(slice(side // OUTER, side - side // OUTER) for side in size)] = False
    return border


def _wait(app: QCoreApplication, is_done: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not is_done():
        if time.monotonic() > end:
            raise TimeoutError("the viewer's model does not come to rest")
        app.processEvents()
        time.sleep(0.002)
