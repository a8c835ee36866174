"""Python collects garbage on the UI thread alone.

What its collector finds is destroyed on the thread on which it runs, and by itself it runs on any. A QObject that is
destroyed on a lane's thread takes Qt's locks there, and under these waits for Python's, while the UI thread may have
Python's and wait for Qt's: then the window stands still for ever.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 500


class Garbage(QObject):
    """Collects now and then, as much as Python would by itself; from when it is made until it is stopped."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    def collect(self) -> None:
        """Collect the generations that are due."""
        counts, thresholds = gc.get_count(), gc.get_threshold()
        due = [generation for generation in range(3) if counts[generation] > thresholds[generation] > 0]
        if due:
            gc.collect(due[-1])

    @staticmethod
    def freeze() -> None:
        """What there is the first time stays: torch's 400,000 objects take a fifth of a second to look through."""
        if not gc.get_freeze_count():
            gc.freeze()

    def stop(self) -> None:
        """Leave it to Python again; no other thread may have to do with Qt any more."""
        self._timer.stop()
        gc.enable()

    @staticmethod
    def thaw() -> None:
        """Nothing has to stay: the program ends, and modules would tell of what is left over."""
        gc.unfreeze()
