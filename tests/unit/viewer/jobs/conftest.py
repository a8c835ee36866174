"""Windows on one folder of jobs."""

from pathlib import Path

import pytest

from tests.support.job_windows import Window


@pytest.fixture
def windows(tmp_path: Path):
    """Makes windows on one folder of jobs."""
    made = []

    def make(**how) -> Window:
        made.append(Window(tmp_path, **how))
        return made[-1]

    yield make
    for window in made:
        window.queue.close(keep_running=False)


@pytest.fixture
def window(windows):
    return windows()
