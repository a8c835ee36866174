"""What can be undone and done again, over all cases."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from softcam_core.annotations.annotation import Change, Edit

TOGETHER_SECONDS = 1.0
"""Between two steps of the same kind on the same record that are one to people: a key that is held down."""
MOST_STEPS = 1000


@dataclass(slots=True, eq=False)
class Step:
    """One line of the history.

    Attributes
    ----------
    edit : Edit
        From what was there before it to what is there after it.
    sent : Edit
        What was handed on last for it: the edit, its last part where it is of several, or its inverse.
    at : float
        When, in seconds of a clock that only goes forward.
    """

    edit: Edit
    sent: Edit
    at: float


class EditHistory:
    """Steps that were done, and steps that were undone since.

    Parameters
    ----------
    clock : callable, optional
        Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._done: list[Step] = []
        self._undone: list[Step] = []

    @property
    def done(self) -> tuple[Edit, ...]:
        """What was done and not undone, oldest first."""
        return tuple(step.edit for step in self._done)

    @property
    def undo_title(self) -> str:
        """What `undo` takes back, "" for nothing."""
        return self._done[-1].edit.title if self._done else ""

    @property
    def redo_title(self) -> str:
        """What `redo` does again, "" for nothing."""
        return self._undone[-1].edit.title if self._undone else ""

    def push(self, edit: Edit, *, joins: bool = False) -> None:
        """Note what was done; nothing that was undone can be done again.

        With `joins` it becomes part of the step before, where that was the same kind of edit of the same record a
        moment ago.
        """
        self._undone.clear()
        now = self._clock()
        last = self._done[-1] if self._done else None
        if joins and last is not None and now - last.at < TOGETHER_SECONDS and _follows(last.edit, edit):
            before, after = last.edit.changes[0].before, edit.changes[0].after
            last.edit = Edit(title=edit.title, changes=(Change(before=before, after=after),))
            last.sent, last.at = edit, now
            return
        self._done.append(Step(edit, edit, now))
        del self._done[:-MOST_STEPS]

    def undo(self) -> Edit | None:
        """What takes the last step back, None where there is none."""
        if not self._done:
            return None
        step = self._done.pop()
        step.sent, step.at = step.edit.inverse, -TOGETHER_SECONDS
        self._undone.append(step)
        return step.sent

    def redo(self) -> Edit | None:
        """What does the step again that was undone last, None where there is none."""
        if not self._undone:
            return None
        step = self._undone.pop()
        step.sent = step.edit.model_copy()
        self._done.append(step)
        return step.sent

    def drop(self, edit: Edit) -> None:
        """Forget a step that could not be done or undone: `edit` is what was pushed or given for it."""
        self._done = [step for step in self._done if step.sent is not edit]
        self._undone = [step for step in self._undone if step.sent is not edit]

    def clear(self) -> None:
        """Forget all."""
        self._done.clear()
        self._undone.clear()


def _follows(first: Edit, second: Edit) -> bool:
    if first.title != second.title or len(first.changes) != 1 or len(second.changes) != 1:
        return False
    return first.changes[0].after is not None and first.changes[0].after == second.changes[0].before
