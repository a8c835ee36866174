"""Writes a run's events where whoever watches reads them."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from softcam_core.errors import SettingsError
from softcam_core.training.events import Event, HeartbeatEvent, StepEvent

if sys.platform != "win32":
    import resource


class EventWriter:
    """Appends events to a run's file, and heartbeats while nothing else is said.

    A context manager; its methods may be called from any thread of the process that made it. After the first
    SettingsError it stays silent, so that the run's end can go its usual way.

    Parameters
    ----------
    path : Path or str
        What an earlier process left is kept, but for a last line that it did not finish.
    interval : float
        Seconds without an event after which a heartbeat is written.

    Raises
    ------
    SettingsError
        When the file cannot be opened.
    """

    def __init__(self, path: Path | str, interval: float = 4.0) -> None:
        self.path, self.interval = Path(path), interval
        self._lock = threading.RLock()  # a signal's handler may write in the middle of a write
        self._closing = threading.Event()
        self._failure: SettingsError | None = None
        self._is_silent = False
        self._position = (0, 0, time.monotonic())
        self._last_write = time.monotonic()
        try:
            # Unbuffered: one write a line, which is whole for a reader as soon as it is there.
            self._file = io.FileIO(self.path, "a+")
            _cut_unfinished_line(self._file)
        except OSError as error:
            raise _cannot_be_written(self.path, error) from error
        self._thread = threading.Thread(target=self._beat, name="softcam-heartbeat", daemon=True)
        self._thread.start()

    def write(self, event: Event) -> None:
        """Append an event.

        Raises
        ------
        SettingsError
            Once, when the disk is full or the file has gone, be it that a heartbeat found out.
        """
        if isinstance(event, StepEvent):
            self.progress(event.epoch, event.step)
        with self._lock:
            self._append(event)
            self._raise_once()

    def progress(self, epoch: int, step: int) -> None:
        """Tell where the loop is; costs next to nothing."""
        self._position = (epoch, step, time.monotonic())

    def close(self) -> None:
        """Stop the heartbeat and close the file; may be called twice."""
        self._closing.set()
        self._thread.join()
        with self._lock:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None:
            self._raise_once()

    def _raise_once(self) -> None:
        if self._failure is not None and not self._is_silent:
            self._is_silent = True
            raise self._failure

    def _append(self, event: Event) -> None:
        if self._failure is not None or self._file.closed:
            return
        line = event.model_dump_json().encode() + b"\n"
        size = None
        try:
            # A file that was deleted takes what is written to it and nobody ever sees it.
            if not os.path.samestat(self.path.stat(), os.fstat(self._file.fileno())):
                raise FileNotFoundError(None, "another file has taken its place")
            size = os.fstat(self._file.fileno()).st_size
            if self._file.write(line) != len(line):
                raise OSError(None, "the disk is full")
        except OSError as error:
            self._failure = _cannot_be_written(self.path, error)
            with contextlib.suppress(OSError):
                if size is not None:
                    self._file.truncate(size)
        self._last_write = time.monotonic()

    def _beat(self) -> None:
        while not self._closing.wait(max(0.0, self._last_write + self.interval - time.monotonic())):
            with self._lock:
                now = time.monotonic()
                if now - self._last_write >= self.interval and not self._closing.is_set():
                    epoch, step, since = self._position
                    idle = max(0.0, now - since)
                    self._append(
                        HeartbeatEvent(epoch=epoch, step=step, seconds_since_progress=idle, memory=_peak_memory())
                    )
                if self._failure is not None:
                    return


def append_event(path: Path | str, event: Event) -> None:
    """Add a line to a run's file beside what its own writer adds, from the same process.

    Raises
    ------
    SettingsError
        When the file cannot be written, as where there is none yet.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)  # each line at the end, whoever else writes
        try:
            os.write(descriptor, event.model_dump_json().encode() + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _cannot_be_written(Path(path), error) from error


def _cannot_be_written(path: Path, error: OSError) -> SettingsError:
    reason = f"cannot be written: {error.strerror}"
    return SettingsError(path, reason, "Check the free space, and that the run's folder is still there.")


def _cut_unfinished_line(file: io.FileIO) -> None:
    """Take away what a process that died had begun to write."""
    end = file.seek(0, os.SEEK_END)
    position = end
    while position:
        start = max(0, position - 65536)
        file.seek(start)
        newline = file.read(position - start).rfind(b"\n")
        if newline >= 0:
            position = start + newline + 1
            break
        position = start
    if position < end:
        file.truncate(position)


def _peak_memory() -> int | None:
    if sys.platform == "win32":
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
