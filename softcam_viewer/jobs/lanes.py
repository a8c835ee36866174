"""Lanes: background threads that do one thing after another and report back on the UI thread."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar

from PySide6.QtCore import QObject, Qt, Signal

from softcam_core.errors import BorderError

NICENESS = 10
"""Of the lanes' threads, above that of the program: networks at work on all cores would hold the window up."""

log = logging.getLogger(__name__)
T = TypeVar("T")

Done = Callable[[Any], None]
Failed = Callable[[str], None]


class Lane(Protocol):
    """Runs functions away from the caller, in order."""

    def submit(self, work: Callable[[], T], done: Callable[[T], None], failed: Failed) -> None:
        """Run `work`; then call `done` with its result or `failed` with a message, on the caller's thread."""
        ...

    def clear(self) -> None:
        """Forget what has not started; nothing is reported for it."""
        ...


class Lanes(NamedTuple):
    """The lanes of the application; what is in one never waits for what is in another.

    Attributes
    ----------
    case : Lane
        For finding and reading the case in view.
    model : Lane
        For loading models.
    preview : Lane
        For the worklist.
    ahead : Lane
        For what is known of the cases besides, and for reading those that will be wanted next.
    quick, slow : Lane
        For explaining the case in view, by methods that take a moment and by those that take longer.
    figures : Lane
        For judging the maps in view by themselves.
    export : Lane
        For files that people want to have.
    store : Lane
        For annotations.
    training : Lane
        For what a fine-tuning would find and take, and for what one has changed.
    """

    case: Lane
    model: Lane
    preview: Lane
    ahead: Lane
    quick: Lane
    slow: Lane
    figures: Lane
    export: Lane
    store: Lane
    training: Lane


def _stand_back() -> None:
    """Let the window go first where all want a processor; threads that networks start from here do so too."""
    if sys.platform == "linux":  # elsewhere only whole processes have a niceness
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), own + NICENESS)


class ThreadLane(QObject):
    """A lane with one thread of its own; belongs to the UI thread.

    Parameters
    ----------
    name : str
        Of the thread.
    """

    _finished = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name, initializer=_stand_back)
        self._open: dict[Future[Any], tuple[Done, Failed]] = {}
        self._finished.connect(self._on_finished, Qt.ConnectionType.QueuedConnection)

    @property
    def is_idle(self) -> bool:
        """True when nothing runs, waits or is about to report."""
        return not self._open

    def submit(self, work: Callable[[], T], done: Callable[[T], None], failed: Failed) -> None:
        """See `Lane`."""
        future = self._executor.submit(work)
        self._open[future] = (done, failed)
        future.add_done_callback(self._finished.emit)

    def clear(self) -> None:
        """See `Lane`."""
        for future in [f for f in self._open if f.cancel()]:
            self._open.pop(future)

    def shut_down(self) -> None:
        """Wait for what runs; nothing is reported any more."""
        self._open.clear()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _on_finished(self, future: Future[Any]) -> None:
        done, failed = self._open.pop(future, (None, None))
        if done is None or failed is None:
            return
        error = future.exception()
        if error is None:
            done(future.result())
        elif isinstance(error, BorderError):
            failed(str(error))
        else:
            log.error("A background job failed", exc_info=error)
            failed(f"Internal error: {type(error).__name__}: {error}. Please report it.")
