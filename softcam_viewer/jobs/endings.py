"""How a training process ended, in words for the person who wanted it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Literal, NamedTuple

from softcam_core.training.events import EndEvent, ErrorEvent
from softcam_viewer.jobs.processes import MARK

EndState = Literal["finished", "cancelled", "failed", "lost"]

_ERROR = "softcam: error: "
_INTERRUPTED = 130
_FATAL = {
    "SIGSEGV": "a segmentation fault",
    "SIGBUS": "a bus error",
    "SIGILL": "an illegal instruction",
    "SIGFPE": "an arithmetic fault",
    "SIGABRT": "an abort",
}
_WINDOWS_CRASH = 0x80000000
"""Exit codes from here on are faults on Windows."""


class Ending(NamedTuple):
    """How it ended."""

    state: EndState
    message: str


def explain_ending(
    exit_code: int | None,
    *,
    end: EndEvent | None,
    error: ErrorEvent | None,
    log: Sequence[str],
    was_stopped: bool = False,
    was_killed: bool = False,
) -> Ending:
    """Say what has become of a process that is gone.

    Parameters
    ----------
    exit_code : int or None
        Negative for a signal; None where nobody can know.
    end, error : event or None
        That this process wrote.
    log : sequence of str
        Last lines of what it wrote besides.
    was_stopped, was_killed : bool
        It was asked to end; it did not and was killed.
    """
    said = _of_last_process(log)
    if end is not None and end.status in ("finished", "stopped_early"):
        return _finished(exit_code, end, said)
    if was_killed:
        return Ending("cancelled", "It did not end by itself when it was asked to, and was killed.")
    if was_stopped or exit_code == _INTERRUPTED or (end is not None and end.status == "interrupted"):
        return Ending("cancelled", "" if was_stopped else "It was stopped from outside this window.")
    if error is not None:
        return Ending("failed", error.message)
    if exit_code is not None and exit_code < 0:
        return Ending("failed", _unexplained(exit_code))
    if refusal := _refusal(said):
        return Ending("failed", refusal)
    if defect := _defect(said):
        return Ending("failed", f"Internal error: {defect}. Please report it, with the log.")
    if exit_code is None:
        return Ending(
            "lost", "Its process has gone without a word, as when it is killed or the computer is turned off."
        )
    return Ending("failed", _unexplained(exit_code))


def _finished(exit_code: int | None, end: EndEvent, said: Sequence[str]) -> Ending:
    if exit_code not in (0, None):
        reason = _refusal(said) or _defect(said) or _unexplained(exit_code or 0)
        return Ending("finished", f"The model is complete; what comes after it is not: {reason}")
    if end.status == "stopped_early":
        return Ending("finished", "It ended early, as its settings say: no epoch was better than the best for a while.")
    return Ending("finished", "")


def _unexplained(exit_code: int) -> str:
    if exit_code == 0:
        return "It ended without saying how. See the log."
    if exit_code >= _WINDOWS_CRASH:
        return f"It crashed (0x{exit_code:08X}): a defect in a library or a driver, or bad memory. See the log."
    if exit_code > 0:
        return f"It ended with exit code {exit_code} and no reason. See the log."
    name = _signal_name(-exit_code)
    if name == "SIGKILL":
        return "It was killed (signal 9), by the system, perhaps for want of memory, or by somebody."
    if name in _FATAL:
        return (
            f"It crashed with {_FATAL[name]} ({name}): a defect in a library or a driver, or bad memory. See the log."
        )
    return f"It was ended by {name}, from the system or from somebody."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _of_last_process(log: Sequence[str]) -> Sequence[str]:
    starts = [i for i, line in enumerate(log) if line.startswith(MARK)]
    return log[starts[-1] + 1 :] if starts else log


def _refusal(said: Sequence[str]) -> str:
    """What the command line said that it cannot do; "" for nothing."""
    found = [i for i, line in enumerate(said) if line.startswith(_ERROR)]
    return " ".join(line.strip() for line in said[found[-1] :]).removeprefix(_ERROR) if found else ""


def _defect(said: Sequence[str]) -> str:
    """The exception that Python ended with; "" for none."""
    if not any(line.startswith("Traceback (most recent call last)") for line in said):
        return ""
    # The line of the exception is the last one that is not indented.
    return next((line for line in reversed(said) if line[:1].strip() and not line.startswith("Traceback")), "").strip()
