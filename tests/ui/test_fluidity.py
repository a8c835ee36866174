"""The window answers while a network explains the case in view and another pass goes through the worklist.

A turn of the UI thread's loop may take long because of us, or because the machine has other things to do. Of a turn
that took long, Linux tells how long a thread wanted a processor and had none. That much of it is not held against us;
whatever the UI thread computes itself always is.
"""

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
from PySide6.QtCore import QObject, Qt, QTimer

from softcam_core.data.phantoms import make_phantom
from softcam_core.resources import resource
from softcam_viewer.app import Viewer
from softcam_viewer.jobs.lanes import ThreadLane

LIMIT_S = 0.1
BLOCK_S = 0.2
TURN_MS = 5
FILMS = 30
METHODS = ("evidence", "layercam", "gradxinput", "occlusion")

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a thread waits for a processor")


@dataclass(frozen=True, slots=True)
class Turn:
    """One time around of the UI thread's loop, in seconds.

    Attributes
    ----------
    took : float
    computed : float
        Processor time of the UI thread.
    starved : float
        How long the UI thread wanted a processor and had none, and so did that of Python's other threads which had to
        wait longest: the UI thread may have waited for that one to give back Python's lock. All of the turn where
        nobody knows.
    """

    took: float
    computed: float
    starved: float

    @property
    def blocked(self) -> float:
        """For how long we kept the loop from coming round."""
        return max(self.took - self.starved, self.computed)


class Watchdog(QObject):
    """Goes round with the UI thread's loop and measures its turns."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[Turn] = []
        self._before = (0.0, 0.0, {0: 0.0})
        self._timer = QTimer(self, interval=TURN_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_turn)

    def start(self) -> None:
        self.turns.clear()
        self._before = self._now()
        self._timer.start()

    def stop(self) -> None:
        self._on_turn()
        self._timer.stop()

    @property
    def longest(self) -> Turn:
        """The turn in which we blocked the loop for longest."""
        return max(self.turns, key=lambda turn: turn.blocked)

    def _on_turn(self) -> None:
        was, before = self._before, self._now()
        took, computed = before[0] - was[0], before[1] - was[1]
        waits = {thread: wait - was[2].get(thread, 0.0) for thread, wait in before[2].items()}
        starved = waits.pop(threading.get_native_id(), took) + max(waits.values(), default=0.0)
        self.turns.append(Turn(took, computed, starved))
        self._before = before

    @staticmethod
    def _now() -> tuple[float, float, dict[int, float]]:
        """The time, the UI thread's processor time, and how long each thread had to wait for a processor so far."""
        waits = {}
        for thread in threading.enumerate():
            file = Path(f"/proc/self/task/{thread.native_id}/schedstat")
            if file.is_file():
                waits[thread.native_id] = int(file.read_text().split()[1]) / 1e9
        return time.perf_counter(), time.thread_time(), waits


@pytest.fixture
def watchdog(qapp) -> Iterator[Watchdog]:
    watchdog = Watchdog()
    yield watchdog
    watchdog.deleteLater()


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for number in range(FILMS):
        cv2.imwrite(str(folder / f"film_{number:02}.png"), make_phantom(number, 512).pixels)
    return folder


@pytest.fixture
def busy(viewer: Viewer, settle: Callable[[], None], films: Path, watchdog: Watchdog) -> Viewer:
    """Four panes, one of which waits for a method that takes long, while all cases are explained; watched."""
    session = viewer.session
    session.open_model(resource("demo/model.safetensors"))
    session.open_paths([films])
    settle()
    session.panes.set_layout("2x2")
    for pane, method in zip(session.panes.shown[:3], METHODS, strict=False):
        pane.set_method(method)
    settle()
    watchdog.start()
    session.panes.shown[3].set_method(METHODS[3])
    session.explain_all()
    assert session.panes.shown[3].progress is not None
    assert session.previews.is_scanning
    return viewer


def test_the_window_answers_while_a_case_and_the_worklist_are_explained(busy, qtbot, watchdog):
    session, turns = busy.session, iter(range(100_000))

    def is_done() -> bool:
        session.panes.active.set_overlay(threshold=0.1 + next(turns) % 50 / 100)  # as if somebody dragged it
        return session.panes.shown[3].explanation is not None and not session.previews.is_scanning

    qtbot.waitUntil(is_done, timeout=120_000)
    watchdog.stop()
    assert all(session.cases[row].is_explained for row in range(FILMS))
    assert watchdog.longest.blocked < LIMIT_S, watchdog.longest


def test_the_window_answers_while_somebody_goes_through_cases_that_are_being_explained(busy, qtbot, watchdog):
    session = busy.session
    for _ in range(12):
        session.step(1)
        qtbot.wait(120)
    assert session.row == 12
    watchdog.stop()
    session.previews.stop_scan()
    session.panes.set_layout("1x1")
    assert watchdog.longest.blocked < LIMIT_S, watchdog.longest


# What the watchdog would see


def compute() -> None:
    end = time.thread_time() + BLOCK_S
    while time.thread_time() < end:
        pass


def test_what_is_computed_on_the_ui_thread_is_seen(qtbot, watchdog):
    watchdog.start()
    QTimer.singleShot(0, compute)
    qtbot.wait(10)
    watchdog.stop()
    assert watchdog.longest.blocked >= BLOCK_S


@linux
def test_waiting_on_the_ui_thread_is_seen(qtbot, watchdog):
    watchdog.start()
    QTimer.singleShot(0, lambda: time.sleep(BLOCK_S))
    qtbot.wait(10)
    watchdog.stop()
    assert watchdog.longest.blocked > LIMIT_S


@linux
def test_a_lane_that_keeps_pythons_lock_is_seen(qtbot, watchdog):
    lane = ThreadLane("keeps the lock")
    watchdog.start()
    # Called in this way, a function of C keeps the lock for as long as it takes.
    lane.submit(lambda: ctypes.PyDLL(None).usleep(int(BLOCK_S * 1e6)), lambda _: None, pytest.fail)
    qtbot.waitUntil(lambda: lane.is_idle)
    watchdog.stop()
    lane.shut_down()
    assert watchdog.longest.blocked > LIMIT_S


@linux
def test_a_lane_that_computes_without_pythons_lock_is_none_of_its_business(qtbot, watchdog):
    lane = ThreadLane("lets the lock go")
    watchdog.start()
    lane.submit(lambda: time.sleep(BLOCK_S), lambda _: None, pytest.fail)
    qtbot.waitUntil(lambda: lane.is_idle)
    watchdog.stop()
    lane.shut_down()
    assert watchdog.longest.blocked < LIMIT_S
