"""What fails a test of windows: what it leaves behind, and what Qt says of it."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from leaks import find_alive, find_leaks
from PySide6.QtCore import QObject, QRunnable, QThread, QThreadPool, QTimer
from PySide6.QtWidgets import QDialog, QWidget

ROOT = Path(__file__).parents[2]


class Work(QRunnable):
    """Lasts until it may end."""

    def __init__(self, may_end: threading.Event) -> None:
        super().__init__()
        self.may_end = may_end

    def run(self) -> None:
        self.may_end.wait(60)


@pytest.fixture
def leaks(qapp) -> Callable[[], list[str]]:
    """What is alive now and was not when the test began."""
    before = find_alive()
    return lambda: find_leaks(before)


def test_a_thread_is_told_by_name_as_long_as_it_runs(leaks):
    may_end = threading.Event()
    thread = threading.Thread(target=may_end.wait, args=(60,), name="reader", daemon=True)
    thread.start()
    assert leaks() == ["thread 'reader' (daemon)"]
    may_end.set()
    thread.join()
    assert leaks() == []


def test_a_thread_of_qt_is_told_as_long_as_it_runs(leaks):
    thread = QThread(objectName="painter")
    thread.start()
    assert leaks() == ["Qt thread QThread 'painter'"]
    thread.quit()
    thread.wait()
    assert leaks() == []


@pytest.mark.parametrize("make", [QThreadPool, QThreadPool.globalInstance])
def test_a_pool_is_told_as_long_as_it_works(leaks, make):
    pool, may_end = make(), threading.Event()
    pool.start(Work(may_end))
    told = leaks()
    may_end.set()
    pool.waitForDone()
    assert [text for text in told if text.startswith("Qt")] == ["Qt thread pool QThreadPool, 1 at work"]
    assert leaks() == []


def test_a_timer_is_told_with_its_interval_and_owner_while_it_is_active(leaks):
    owner = QObject(objectName="clock")
    often = QTimer(owner, interval=70)
    once = QTimer(singleShot=True, interval=60_000, objectName="later")
    assert leaks() == []
    often.start()
    once.start()
    assert sorted(leaks()) == [
        "timer QTimer 'later', single shot after 60000 ms, of nobody",
        "timer QTimer, every 70 ms, of QObject 'clock'",
    ]
    often.stop()
    once.stop()
    assert leaks() == []


def test_a_timer_that_ran_before_is_not_told(qapp):
    timer = QTimer(interval=60_000)
    timer.start()
    assert find_leaks(find_alive()) == []
    timer.stop()


def test_a_widget_is_told_shown_or_hidden_until_it_is_destroyed(leaks):
    window = QWidget(objectName="main", windowTitle="Main")
    assert leaks() == ["hidden widget QWidget 'main', titled 'Main'"]
    window.show()
    QDialog(window).show()  # goes with its window
    assert leaks() == ["shown widget QWidget 'main', titled 'Main'"]
    window.deleteLater()
    assert leaks() == []


def test_what_only_waits_to_be_collected_is_no_leak(leaks):
    window = QWidget()
    window.itself = window
    del window
    assert leaks() == []


TESTS = """
import threading

import pytest
from PySide6.QtCore import QTimer, qInfo, qWarning
from PySide6.QtWidgets import QWidget

kept = []


@pytest.fixture
def spoken(qapp):
    yield
    qWarning("at the end")


def test_thread(qapp):
    threading.Thread(target=threading.Event().wait, name="reader", daemon=True).start()


def test_timer(qtbot):
    kept.append(QTimer(interval=60_000))
    kept[-1].start()


def test_widget(qtbot):
    kept.append(QWidget(objectName="main"))


def test_widget_that_its_fixture_ends(qtbot):
    qtbot.addWidget(QWidget())


def test_warning(qapp):
    qWarning("in the middle")


def test_warning_while_it_ends(spoken):
    pass


def test_harmless(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    widget.raise_()
    qWarning("This plugin does not support propagateSizeHints()")
    qInfo("good to know")


def test_without_windows():
    threading.Thread(target=threading.Event().wait, name="other", daemon=True).start()
"""


def test_tests_that_leave_something_or_make_qt_warn_fail_and_the_next_ones_do_not(tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["leaks"]\n', "utf-8")
    (tmp_path / "test_windows.py").write_text(TESTS, "utf-8")
    options = ["-c", ROOT / "pyproject.toml", "-p", "no:cacheprovider", "-v"]
    command = [sys.executable, "-m", "pytest", *map(str, options), str(tmp_path / "test_windows.py")]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert result.returncode == 1, result.stdout + result.stderr
    bad = set(re.findall(r"^(?:ERROR|FAILED) \S+::test_(\w+)", result.stdout, re.MULTILINE))
    assert bad == {"thread", "timer", "widget", "warning", "warning_while_it_ends"}
    for text in (
        "thread 'reader' (daemon)",
        "timer QTimer, every 60000 ms, of nobody",
        "hidden widget QWidget 'main'",
        "in the middle",
        "at the end",
    ):
        assert text in result.stdout
    assert "1 failed, 7 passed, 4 errors" in result.stdout
