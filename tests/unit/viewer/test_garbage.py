"""Garbage is collected on the UI thread, whichever thread makes it."""

import gc
import threading

from softcam_viewer.jobs.garbage import Garbage
from softcam_viewer.jobs.lanes import ThreadLane


class Cycle:
    """Garbage that tells where it is destroyed."""

    def __init__(self, found: list) -> None:
        self.itself, self.found = self, found

    def __del__(self) -> None:
        self.found.append(threading.get_ident())


def make_garbage(found: list) -> int:
    for _ in range(2 * gc.get_threshold()[0]):
        Cycle(found)
    return threading.get_ident()


def test_what_a_lane_leaves_is_destroyed_on_the_ui_thread(qtbot):
    garbage, lane, found, made = Garbage(), ThreadLane("test"), [], []
    try:
        lane.submit(lambda: make_garbage(found), made.append, made.append)
        qtbot.waitUntil(lambda: bool(made))
        assert made[0] != threading.get_ident()
        qtbot.waitUntil(lambda: bool(found), timeout=10_000)
        assert set(found) == {threading.get_ident()}
    finally:
        lane.shut_down()
        garbage.stop()


def test_python_collects_by_itself_again_when_it_is_stopped(qtbot):
    garbage = Garbage()
    assert not gc.isenabled()
    garbage.stop()
    assert gc.isenabled()
