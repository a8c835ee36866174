"""Supervisor: watches one process that trains, by its events, its log and whether it lives."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from softcam_core.errors import SettingsError
from softcam_core.training.events import Event, EventReader, PauseEvent
from softcam_viewer.jobs.processes import TrainingProcess

_TAIL_BYTES = 32768
_TAIL_LINES = 200

ProcessState = Literal["running", "paused", "stalled", "stopping", "ended"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long is waited, in seconds.

    Attributes
    ----------
    stalled_after : float
        Without a word; a run that is well has a heartbeat each 4 s.
    start_within : float
        Without the first word: libraries may come from a slow disk.
    stop_within : float
        For a run to end by itself when it was asked to.
    """

    stalled_after: float = 30.0
    start_within: float = 120.0
    stop_within: float = 10.0


class Log:
    """What a process wrote, followed while it grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._size = path, 0
        self.tail: tuple[str, ...] = ()

    def has_grown(self) -> bool:
        """Read what is new; False where nothing is."""
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, 2)
                if size == self._size:
                    return False
                file.seek(max(0, size - _TAIL_BYTES))
                text = file.read(_TAIL_BYTES)
        except OSError:
            return False
        self._size = size
        self.tail = tuple(text.decode("utf-8", "replace").splitlines()[-_TAIL_LINES:])
        return True


class Supervisor:
    """Watches a process. Whoever has it asks it now and then, always on the same thread.

    Parameters
    ----------
    process : TrainingProcess
    reader : EventReader
        Of the run; what it has read already is past.
    log : Log
    limits : Limits
    clock : callable
        Seconds that go on.
    is_new : bool
        It was started just now, and has not said anything.
    is_paused : bool
        What it said last.

    Attributes
    ----------
    state : {"running", "paused", "stalled", "stopping", "ended"}
    was_killed : bool
        By this supervisor.
    problem : str
        Why its events cannot be read; "" where they can.
    """

    def __init__(
        self,
        process: TrainingProcess,
        reader: EventReader,
        log: Log,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        *,
        is_new: bool = False,
        is_paused: bool = False,
    ) -> None:
        self.process, self.log = process, log
        self._reader, self._limits, self._clock = reader, limits, clock
        self._heard = clock()
        self._asked_at: float | None = None
        self._is_new, self._is_paused = is_new, is_paused
        log.has_grown()  # what is there already was not said by a process that is new
        self.was_killed = False
        self.problem = ""
        self.state: ProcessState = "running"

    @property
    def was_stopped(self) -> bool:
        """Whether this supervisor has asked it to end."""
        return self._asked_at is not None

    def poll(self) -> list[Event]:
        """Look what has happened since the last time."""
        # In this order: what it wrote before it ended is read.
        is_running = self.process.is_running()
        has_grown = self.log.has_grown()
        happened: list[Event] = []
        try:
            happened = self._reader.read()
        except SettingsError as error:  # how it ends can be told all the same
            self.problem = str(error)
        now = self._clock()
        if happened or has_grown:
            self._heard, self._is_new = now, False
        for event in happened:
            if isinstance(event, PauseEvent):
                self._is_paused = event.is_paused
        if self._asked_at is not None and is_running and now - self._asked_at >= self._limits.stop_within:
            self.was_killed = True
            self.process.kill()
        self.state = self._state(is_running, now)
        return happened

    def _state(self, is_running: bool, now: float) -> ProcessState:
        if not is_running:
            return "ended"
        if self.was_stopped:
            return "stopping"
        if now - self._heard >= (self._limits.start_within if self._is_new else self._limits.stalled_after):
            return "stalled"
        return "paused" if self._is_paused else "running"

    def stop(self) -> None:
        """Ask it to end; where it does not, it is killed later."""
        if self._asked_at is None:
            self._asked_at = self._clock()
            self.process.stop()
