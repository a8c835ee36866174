import os
import sys
import threading

import pytest

from softcam_viewer.jobs.lanes import NICENESS, ThreadLane


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")
def test_lanes_and_what_they_start_stand_back_behind_the_window(qtbot):
    lane, found = ThreadLane("polite"), []

    def own() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def work() -> None:
        found.append(own())
        thread = threading.Thread(target=lambda: found.append(own()))
        thread.start()
        thread.join()

    lane.submit(work, lambda _: None, pytest.fail)
    qtbot.waitUntil(lambda: lane.is_idle)
    lane.shut_down()
    assert found == [min(own() + NICENESS, 19)] * 2
