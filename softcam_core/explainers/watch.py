"""Watch: hears how far long work is, and may stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class CancelledError(Exception):
    """The work was stopped because somebody asked for it; nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Hears how far long work is, and may stop it.

    Attributes
    ----------
    on_progress : callable, optional
        Called with the share that is done, 0 to 1, never falling.
    should_stop : callable, optional
        Asked between passes of the network.
    start, end : float
        What this work's 0 and 1 are of the whole.
    """

    on_progress: Callable[[float], object] | None = None
    should_stop: Callable[[], bool] | None = None
    start: float = 0.0
    end: float = 1.0

    def report(self, done: float, total: float = 1.0) -> None:
        """Tell how much is done.

        Raises
        ------
        CancelledError
            When the work should stop.
        """
        if self.should_stop is not None and self.should_stop():
            raise CancelledError
        if self.on_progress is not None:
            self.on_progress(self.start + (self.end - self.start) * done / total)

    def part(self, number: int, count: int) -> Watch:
        """The watch of one of several equal parts of the work, by its number from 0."""
        step = (self.end - self.start) / count
        start = self.start + step * number
        return Watch(self.on_progress, self.should_stop, start, start + step)


UNWATCHED = Watch()
