"""Commands to a run from whoever started it, on standard input: "pause", "unpause" and "stop", a line each.

Signals do not reach every system's programs; a line of text does.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

_SECONDS_BETWEEN_LOOKS = 0.05


class Control:
    """Listens from when it is made, in a thread that the program's end does not wait for.

    When nobody can write any more, a paused run goes on: it would wait for ever. Only "stop" stops it.

    Parameters
    ----------
    on_unknown : callable
        Called with a line that is no command, in the thread that listens.
    descriptor : int
        Of the file to listen to; standard input by default.
    """

    def __init__(self, on_unknown: Callable[[str], object], descriptor: int = 0) -> None:
        self._on_unknown, self._descriptor = on_unknown, descriptor
        self._stop, self._go_on = threading.Event(), threading.Event()
        self._go_on.set()
        threading.Thread(target=self._listen, name="softcam-control", daemon=True).start()

    @property
    def must_stop(self) -> bool:
        """True once "stop" has come."""
        return self._stop.is_set()

    def wait_while_paused(self, tell: Callable[[bool], object], is_ended: Callable[[], bool]) -> None:
        """Come back when the run may go on, or is to stop.

        Parameters
        ----------
        tell : callable
            Called with True where the wait begins and with False at its end; not at all where there is none.
        is_ended : callable
            Says that the wait is over for another reason.
        """
        if self._go_on.is_set() or self._stop.is_set():
            return
        tell(True)
        while not (self._go_on.wait(_SECONDS_BETWEEN_LOOKS) or self._stop.is_set() or is_ended()):
            pass
        tell(False)

    def _listen(self) -> None:
        rest = b""
        try:
            # Not by `sys.stdin`: a thread that waits in it when the program ends makes Python abort.
            while text := os.read(self._descriptor, 4096):
                *lines, rest = (rest + text).split(b"\n")
                for line in lines:
                    self._obey(line.strip())
        except OSError:
            pass  # closed, which is as good as its end
        self._go_on.set()

    def _obey(self, command: bytes) -> None:
        match command:
            case b"pause":
                self._go_on.clear()
            case b"unpause":
                self._go_on.set()
            case b"stop":
                self._stop.set()
            case _:
                self._on_unknown(command.decode("utf-8", "replace"))
