"""Pytest plugin: a test of windows leaves no thread, timer or widget behind, and Qt has nothing to complain of.

What Qt says while a test is set up and runs is looked at by pytest-qt (`qt_log_level_fail`); what it says while the
test's windows are closed is looked at here.
"""

import gc
import re
import threading
from collections.abc import Hashable, Iterator
from typing import Any

import pytest


def uses_qt(item: pytest.Item) -> bool:
    """Whether a test has to do with windows."""
    return "qapp" in getattr(item, "fixturenames", ())


def find_alive() -> dict[Hashable, str]:
    """What runs or is on a screen, shown or not, and its description.

    Timers, threads and pools of threads of Qt are found where Python has to do with them. A widget in another one is
    not named; it lives as long as that does.
    """
    from PySide6.QtCore import QThread, QThreadPool, QTimer
    from PySide6.QtWidgets import QApplication
    from shiboken6 import getCppPointer, isValid

    found: dict[Hashable, str] = {
        thread: f"thread {thread.name!r}{' (daemon)' if thread.daemon else ''}" for thread in threading.enumerate()
    }
    wanted = (QTimer, QThread, QThreadPool)
    # Of the type, not of the object: to ask a proxy or a mock for its class runs code of theirs.
    objects = [o for o in gc.get_objects() if issubclass(type(o), wanted) and isValid(o)]
    for one in (*objects, QThreadPool.globalInstance()):
        if isinstance(one, QTimer) and one.isActive():
            kind = "single shot after" if one.isSingleShot() else "every"
            found[getCppPointer(one)] = f"timer {_name(one)}, {kind} {one.interval()} ms, of {_name(one.parent())}"
        elif isinstance(one, QThread) and one.isRunning() and one is not QThread.currentThread():
            found[getCppPointer(one)] = f"Qt thread {_name(one)}"
        elif isinstance(one, QThreadPool) and one.activeThreadCount():
            found[getCppPointer(one)] = f"Qt thread pool {_name(one)}, {one.activeThreadCount()} at work"
    for widget in QApplication.topLevelWidgets():
        if widget.parentWidget() is None:
            title = f", titled {widget.windowTitle()!r}" if widget.windowTitle() else ""
            found[getCppPointer(widget)] = (
                f"{'shown' if widget.isVisible() else 'hidden'} widget {_name(widget)}{title}"
            )
    return found


def find_leaks(before: dict[Hashable, str]) -> list[str]:
    """Describe what is alive now and was not `before`; what waits to be destroyed is, first.

    Parameters
    ----------
    before : dict
        What `find_alive` gave.
    """
    from PySide6.QtCore import QCoreApplication, QEvent

    for _ in range(2):  # what is collected may tell Qt to destroy more
        QCoreApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        gc.collect()
    return [text for key, text in find_alive().items() if key not in before]


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail where something is left, and collect garbage on the UI thread alone (see `softcam_viewer.jobs.garbage`)."""
    if not uses_qt(request.node):
        yield
        return
    request.getfixturevalue("qapp")
    if not gc.get_freeze_count():
        gc.freeze()  # or each collection looks through all of torch
    gc.disable()
    before = find_alive()
    yield
    request.node.funcargs.clear()  # the other fixtures have ended; pytest would keep what they made until later
    leaks = find_leaks(before)
    gc.freeze()  # and through what this test was the first to import
    gc.enable()
    if leaks:
        pytest.fail("\n  ".join(["The test has left behind:", *leaks]), pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[Any]:
    """Pytest: fail where Qt warns of something while the fixtures of a test end."""
    if not uses_qt(item):
        return (yield)
    from PySide6.QtCore import QtMsgType, qInstallMessageHandler

    ignored = [re.compile(pattern) for pattern in item.config.getini("qt_log_ignore")]
    said = []

    def note(kind: QtMsgType, _: object, text: str) -> None:
        if kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) and not any(p.search(text) for p in ignored):
            said.append(text)

    previous = qInstallMessageHandler(note)
    try:
        result = yield
    finally:
        qInstallMessageHandler(previous)
    if said:
        pytest.fail("\n  ".join(["Qt said while the test was ended:", *said]), pytrace=False)
    return result


def pytest_unconfigure() -> None:
    """Pytest: nothing has to stay any more."""
    gc.unfreeze()


def _name(one: Any) -> str:
    """Class and name of an object of Qt."""
    if one is None:
        return "nobody"
    return f"{type(one).__name__} {one.objectName()!r}" if one.objectName() else type(one).__name__
