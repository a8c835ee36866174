"""Planning a fine-tuning: what is known before it starts, what was chosen, and the job that comes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from softcam_viewer.model import survey as looking
from softcam_viewer.model.job import ACTIVE, Job, JobFacts
from softcam_viewer.model.survey import Choices, Survey

if TYPE_CHECKING:
    from softcam_viewer.jobs.lanes import Lane
    from softcam_viewer.model.loaded_model import LoadedModel
    from softcam_viewer.model.session import Session
    from softcam_viewer.model.training_jobs import TrainingJobs

WAIT_MS = 400
"""After the last choice before the time is estimated anew."""
LONGEST_NAME = 200
STRENGTHS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Weights of the feedback that can be chosen."""
_MADE = re.compile(r"^(?P<name>.*) \(fine-tuned(?: (?P<number>\d+))?\)$")


class FineTuningPlan(QObject):
    """What a fine-tuning on flags would do.

    Parameters
    ----------
    session : Session
        Its main model is the one to start from, and its images those to train on unless others are chosen.
    jobs : TrainingJobs
    lane : Lane
        For reading data and flags, and for the estimate.
    """

    changed = Signal()  # anything that is known or chosen, but for the time
    estimated = Signal()  # the time, or that it is being measured
    written = Signal(str)  # all settings as YAML, which were asked for
    started = Signal(object)  # the Job
    refused = Signal(str)  # why it was not started

    def __init__(self, session: Session, jobs: TrainingJobs, lane: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs, self._lane = session, jobs, lane
        self.model: LoadedModel | None = session.model
        self.survey: Survey | None = None
        self.devices: tuple[tuple[str, str], ...] = ()
        self.choices = Choices(name=next_name(self.model.card.name) if self.model else "")
        self.seconds: float | None = None
        self.why_no_time = ""
        self.is_estimating = False
        self.is_starting = False
        self._data: Path | None = None
        self._asked = 0
        self._estimate_of: dict[str, Any] | None = None
        self._later = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._later.timeout.connect(self._estimate)
        if not self.refusal:
            self._lane.submit(looking.devices, self._on_devices, self.refused.emit)
            self._look()

    # What is known

    @property
    def refusal(self) -> str:
        """Why this model cannot be fine-tuned at all, "" where it can."""
        if self.model is None:
            return "No model is open. Open the SoftCAM whose evidence was flagged."
        if self.model.is_black_box:
            return f"{self.model.card.name} is a black box: it has no evidence to train. Open a SoftCAM."
        if self._session.annotating.book.path is None:
            return "Annotations are not kept in a file here, and training reads them from one."
        return ""

    @property
    def why_not(self) -> str:
        """Why it cannot start yet, "" where it can."""
        if self.refusal:
            return self.refusal
        if self.survey is None:
            return "Reading the data…"
        if self.survey.problem:
            return self.survey.problem
        unsaved = self._session.annotating.unsaved
        if unsaved:
            edits = "edit is" if unsaved == 1 else "edits are"
            return f"{unsaved} {edits} not saved yet and would not count. See the annotations panel."
        return ""

    @property
    def is_reading(self) -> bool:
        """True while data and flags are being read."""
        return not self.refusal and self.survey is None

    @property
    def waits_for(self) -> Job | None:
        """A job that runs or is to run before."""
        return next((job for job in self._jobs.jobs if job.state in (*ACTIVE, "queued")), None)

    @property
    def used(self) -> int:
        """Flags that would be learnt from."""
        return 0 if self.survey is None else sum(self.survey.used.values())

    @property
    def title(self) -> str:
        """Of the job, for people."""
        return f"feedback on {self.used} flag{'' if self.used == 1 else 's'}"

    # What is chosen

    def choose(self, **changes: Any) -> None:  # noqa: ANN401 - fields of Choices
        """Change choices."""
        choices = replace(self.choices, **changes)
        if choices != self.choices:
            self.choices = choices
            self.changed.emit()
            self._ask_time()

    def choose_data(self, path: Path) -> None:
        """Train on the images of another table or folder."""
        self._data = path
        self._look()

    @property
    def _settings(self) -> Callable[[], dict[str, Any]]:
        """What makes settings of what is chosen now, in a lane; there is data, and nothing is refused."""
        store, found = self._session.annotating.book.path, self.survey
        assert self.model is not None
        assert found is not None
        assert found.source is not None
        return partial(looking.make_settings, self.model.path, self.model.card, found.source, store, self.choices)

    def write_out(self) -> None:
        """Ask for all settings as text; `written` or `refused` follows."""
        make = self._settings
        self._lane.submit(lambda: looking.write_settings(make()), self.written.emit, self.refused.emit)

    # To begin

    def start(self, text: str | None = None) -> None:
        """Check and queue the job; `started` or `refused` follows.

        Parameters
        ----------
        text : str, optional
            Settings that were edited by hand, in place of the choices.
        """
        if self.is_starting:
            return
        self.is_starting = True
        make = self._settings if text is None else partial(looking.read_settings, text)
        self._lane.submit(lambda: looking.finished(make()), self._on_checked, self._on_refused)
        self.changed.emit()

    def stop(self) -> None:
        """Nobody wants to know any more."""
        self._later.stop()
        self._asked += 1

    def _on_checked(self, settings: dict[str, Any]) -> None:
        assert self.model is not None
        assert self.survey is not None
        facts = JobFacts(
            start=Path(settings["model"]["start"] or self.model.path),
            flags=self.used,
            cases=self.survey.cases,
            images=self.survey.images.get("train", 0),
            estimate=self.seconds,
        )
        self.is_starting = False
        self.started.emit(self._jobs.add(settings, title=self.title, facts=facts))

    def _on_refused(self, message: str) -> None:
        self.is_starting = False
        self.refused.emit(message)
        self.changed.emit()

    # What is read

    def _look(self) -> None:
        assert self.model is not None
        self.survey = None
        self._asked += 1
        session = self._session
        work = partial(
            looking.survey,
            self.model.card,
            session.annotating.book.path,
            (),
            self._data,
            session.tables,
            [case.path for case in session.cases.snapshot],
        )
        self._lane.submit(work, partial(self._on_surveyed, self._asked), self._on_refused)
        self.changed.emit()
        self._tell_time(None, "")

    def _on_surveyed(self, number: int, found: Survey) -> None:
        if number == self._asked:  # no other data were chosen meanwhile
            self.survey = found
            self.changed.emit()
            self._ask_time()

    def _on_devices(self, found: tuple[tuple[str, str], ...]) -> None:
        self.devices = found
        self.changed.emit()

    # How long it takes

    def _ask_time(self) -> None:
        if self.survey is None or self.survey.problem:
            self._tell_time(None, "")
            return
        wanted = self._what_takes_time()
        if wanted != self._estimate_of:
            self._tell_time(None, "", is_estimating=True)
            self._later.start()

    def _what_takes_time(self) -> dict[str, Any]:
        return {"data": self._data, "part": self.choices.part, "epochs": self.choices.epochs,
                "device": self.choices.device}  # fmt: skip

    def _estimate(self) -> None:
        self._asked += 1
        number, self._estimate_of = self._asked, self._what_takes_time()
        done, failed = partial(self._on_time, number), partial(self._on_no_time, number)
        make = self._settings
        self._lane.submit(lambda: looking.estimate(make()), done, failed)

    def _on_time(self, number: int, seconds: float) -> None:
        if number == self._asked:
            self._tell_time(seconds, "")

    def _on_no_time(self, number: int, message: str) -> None:
        if number == self._asked:
            self._tell_time(None, message)

    def _tell_time(self, seconds: float | None, why: str, *, is_estimating: bool = False) -> None:
        if seconds is None:
            self._estimate_of = None
        self.seconds, self.why_no_time, self.is_estimating = seconds, why, is_estimating
        self.estimated.emit()


def next_name(name: str) -> str:
    """What a model is called that was trained on: "A (fine-tuned)", then "A (fine-tuned 2)"."""
    made = _MADE.match(name)
    base, number = (made["name"], int(made["number"] or 1) + 1) if made else (name, 1)
    ending = " (fine-tuned)" if number == 1 else f" (fine-tuned {number})"
    return base[: LONGEST_NAME - len(ending)] + ending
