"""Processes that train: started by this window, or found again after another one started them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from softcam_core.errors import JobError
from softcam_viewer.jobs.lanes import NICENESS

MARK = "--- started "
"""Begins the line in a log that a new process begins with."""
SILENT_AFTER = 30.0
"""Seconds; a process that is found by its number alone must have been heard of since."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class TrainingProcess(Protocol):
    """A process that trains.

    Attributes
    ----------
    pid : int
    exit_code : int or None
        Once it has ended: negative for a signal. None where nobody can know.
    """

    pid: int
    exit_code: int | None

    def is_running(self) -> bool:
        """Look whether it still runs."""
        ...

    def send(self, command: str) -> bool:
        """Tell it "pause" or "unpause"; False where it cannot be told."""
        ...

    def stop(self) -> None:
        """Ask it to write what it can be resumed from, and to end."""
        ...

    def kill(self) -> None:
        """End it, and what it has started, at once."""
        ...

    def let_go(self) -> None:
        """Leave it alone; it goes on."""
        ...


class ChildProcess:
    """A process of this window's own, which outlives it. Its words go to a file, and no pipe but its input is ours.

    Parameters
    ----------
    command : sequence of str
    log : Path
        What it writes is added to this file.

    Raises
    ------
    JobError
        When it cannot be started.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.exit_code: int | None = None
        environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONFAULTHANDLER": "1"}
        flags = 0
        if sys.platform == "win32":
            flags = (
                subprocess.CREATE_NEW_PROCESS_GROUP
                | subprocess.CREATE_NO_WINDOW
                | subprocess.BELOW_NORMAL_PRIORITY_CLASS
            )
        try:
            with log.open("ab") as file:
                file.write(f"{MARK}{datetime.now():%Y-%m-%d %H:%M:%S} ---\n".encode())
                file.flush()
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,  # Ctrl-C in the terminal of the window is for the window
                    creationflags=flags,
                )
        except OSError as error:
            reason = f"the training cannot be started: {error.strerror}"
            raise JobError(log.parent, reason, "Check the free space and memory, and start it again.") from error
        self.pid = self._process.pid
        if sys.platform != "win32":
            # The window goes first where both want a processor. It may have ended already.
            with contextlib.suppress(OSError):
                niceness = min(19, os.getpriority(os.PRIO_PROCESS, os.getpid()) + NICENESS)
                os.setpriority(os.PRIO_PROCESS, self.pid, niceness)
                # Where Linux parts processors among sessions first, that counts within the session alone, and this
                # is the session's own (sched(7), autogroup).
                Path(f"/proc/{self.pid}/autogroup").write_text(str(niceness), encoding="ascii")

    def is_running(self) -> bool:
        """See `TrainingProcess`."""
        self.exit_code = self._process.poll()
        if self.exit_code is not None:
            self._close_input()
        return self.exit_code is None

    def send(self, command: str) -> bool:
        """See `TrainingProcess`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{command}\n".encode())
            self._process.stdin.flush()
        except (OSError, ValueError):  # it does not listen any more, or has ended
            return False
        return True

    def stop(self) -> None:
        """See `TrainingProcess`."""
        if not self.send("stop"):
            self._process.terminate()

    def kill(self) -> None:
        """See `TrainingProcess`."""
        if self._process.poll() is None:
            _kill(self.pid)

    def let_go(self) -> None:
        """See `TrainingProcess`."""
        self._close_input()
        if self._process.returncode is None:
            self._process.returncode = 0  # or Python warns that it runs on, which is what is wanted

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()


class FoundProcess:
    """A process that another window started, and perhaps left behind.

    Parameters
    ----------
    pid : int
    started : str
        What `start_time` said when it was started.
    traces : Path
        A file that it writes to all the time, to be believed where the system does not tell when processes started.
    """

    exit_code: int | None = None

    def __init__(self, pid: int, started: str, traces: Path) -> None:
        self.pid, self._started, self._traces = pid, started, traces

    def is_running(self) -> bool:
        """See `TrainingProcess`."""
        if self._started:
            return start_time(self.pid) == self._started
        return _is_there(self.pid) and _age(self._traces) < SILENT_AFTER

    def send(self, command: str) -> bool:
        """See `TrainingProcess`; its input was the other window's."""
        return False

    def stop(self) -> None:
        """See `TrainingProcess`."""
        if self.is_running():
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """See `TrainingProcess`."""
        if self.is_running():
            _kill(self.pid)

    def let_go(self) -> None:
        """See `TrainingProcess`."""


def start_time(pid: int) -> str:
    """When a process started, so that it can be told from a later one of the same number.

    Returns
    -------
    str
        "" where there is no such process, where it waits to be buried, and on systems other than Linux.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
    # The second field is the program's name in brackets, which may hold anything.
    fields = status.rpartition(")")[2].split()
    state, ticks = fields[0], fields[19]
    return "" if state in "ZXx" else f"{boot}:{ticks}"


def _is_there(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # signal 0 would be Ctrl-C there: what it writes has to tell
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # somebody else's
    return True


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")


def _kill(pid: int) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)  # which is no request there
        else:
            os.killpg(pid, signal.SIGKILL)  # it leads a group of its own, with the processes that read its images
