"""Memory stays where it is, however many cases are looked at."""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from softcam_core.data.phantoms import make_phantom
from softcam_viewer.app import Viewer
from softcam_viewer.model.ahead import IMAGE_BYTES, IMAGES
from softcam_viewer.model.answers import CACHE_BYTES

CASES, SOME, SIDE = 500, 150, 512
METHODS = ("evidence", "layercam", "evidence", "layercam")
MOST_MORE = 32 * 2**20
"""What may be added after the caches are full: the heap's fragments, and what is known of 350 more cases (7 MB)."""


def resident() -> int:
    """Bytes of the process in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Films that differ in a few pixels: what is in them is not looked at."""
    film = make_phantom(3, SIDE).pixels
    for number in range(CASES):
        film = np.roll(film, 1, axis=1)
        cv2.imwrite(str(tmp_path / f"film_{number:03}.png"), film)
    return tmp_path


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of the process as Linux tells it")
def test_five_hundred_cases_need_no_more_memory_than_some(viewer: Viewer, settle, many, signed_model_file, qtbot):
    session, sizes = viewer.session, {}
    session.open_model(signed_model_file)
    session.open_paths([many])
    settle()
    session.panes.set_layout("2x2")
    for pane, method in zip(session.panes.shown, METHODS, strict=True):
        pane.set_method(method)

    def is_shown() -> bool:
        is_in_view = session.film.image.source == session.cases[session.row].path
        return is_in_view and all(pane.overlay_map is not None for pane in session.panes.shown)

    for seen in range(1, CASES + 1):
        qtbot.waitUntil(is_shown, timeout=60_000)
        if seen in (SOME, CASES):
            settle()
            viewer.garbage.collect()
            sizes[seen] = resident()
        session.step(1)
    answers = session._explaining.cache
    assert session.row == CASES - 1
    assert len(answers) < SOME * len(set(METHODS))  # it was full by then
    assert answers.size <= CACHE_BYTES
    assert len(session._images) <= IMAGES
    assert session._images.size <= IMAGE_BYTES
    assert sizes[CASES] - sizes[SOME] < MOST_MORE, sizes
