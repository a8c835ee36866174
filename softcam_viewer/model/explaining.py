"""Explaining: asks methods in the background, for as long as somebody wants to know."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from PySide6.QtCore import QObject, Qt, Signal

from softcam_viewer.jobs.lanes import Lane
from softcam_viewer.model.answers import Answer, AnswerCache, Question

PROGRESS_SECONDS = 0.05
"""Between two reports of progress; more often would not be seen."""

Progress = Callable[[float], None]
Work = Callable[[Progress, Callable[[], bool]], Answer | None]
"""Given where to report to (0 to 1, from any thread) and what to ask whether to stop; None where it was stopped."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A question, and what answers it.

    Attributes
    ----------
    question : Question
    work : callable
        Runs in a lane.
    is_quick : bool
        True for methods that take a pass or two.
    """

    question: Question
    work: Work
    is_quick: bool


@dataclass(eq=False, slots=True)
class Asker:
    """Somebody who wants one answer at a time, and how to tell them."""

    answered: Callable[[Answer], None]
    failed: Callable[[str], None] = lambda message: None
    progressed: Callable[[float], None] = lambda share: None


@dataclass(eq=False, slots=True)
class _Job:
    question: Question
    askers: list[Asker]
    stopped: threading.Event = field(default_factory=threading.Event)
    progress: float = 0.0
    reported: float = 0.0


class Explaining(QObject):
    """Answers questions, each once, whoever asks it.

    Parameters
    ----------
    quick, slow : Lane
        For methods that take a pass or two, and for those that take longer: the one never waits for the other.
    """

    _advanced = Signal(object, float)

    def __init__(self, quick: Lane, slow: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cache = AnswerCache()
        self._quick, self._slow = quick, slow
        self._jobs: dict[Question, _Job] = {}
        # Progress is reported by the threads that work, and told on this one.
        self._advanced.connect(self._on_advanced, Qt.ConnectionType.AutoConnection)

    def ask(self, asker: Asker, request: Request) -> None:
        """Answer a question, at once where the answer is known; what this asker wanted before is no longer wanted."""
        question = request.question
        job = self._jobs.get(question)
        if job is not None and asker in job.askers:
            return
        self.withdraw(asker)
        known = self.cache.get(question)
        if known is not None:
            asker.answered(known)
            return
        if job is not None:
            job.askers.append(asker)
            asker.progressed(job.progress)
            return
        job = self._jobs[question] = _Job(question, [asker])
        asker.progressed(0.0)
        lane = self._quick if request.is_quick else self._slow
        lane.submit(partial(self._run, job, request.work), partial(self._on_done, job), partial(self._on_failed, job))

    def withdraw(self, asker: Asker) -> None:
        """An answer is no longer wanted; what nobody wants is stopped."""
        for job in [job for job in self._jobs.values() if asker in job.askers]:
            job.askers.remove(asker)
            if not job.askers:
                self._stop(job)

    def stop(self) -> None:
        """Stop everything; nobody is told."""
        for job in list(self._jobs.values()):
            self._stop(job)

    def _stop(self, job: _Job) -> None:
        job.stopped.set()
        job.askers.clear()
        self._jobs.pop(job.question, None)

    # In the lane

    def _run(self, job: _Job, work: Work) -> Answer | None:
        return None if job.stopped.is_set() else work(partial(self._report, job), job.stopped.is_set)

    def _report(self, job: _Job, share: float) -> None:
        now = time.monotonic()
        if now - job.reported >= PROGRESS_SECONDS:
            job.reported = now
            self._advanced.emit(job, share)

    # On the caller's thread

    def _on_advanced(self, job: _Job, share: float) -> None:
        job.progress = share
        for asker in job.askers:
            asker.progressed(share)

    def _on_done(self, job: _Job, answer: Answer | None) -> None:
        if answer is None:
            return
        self.cache.put(self._known_as(job.question, answer), answer)
        for asker in self._finish(job):
            asker.answered(answer)

    def _on_failed(self, job: _Job, message: str) -> None:
        for asker in self._finish(job):
            asker.failed(message)

    def _finish(self, job: _Job) -> list[Asker]:
        if self._jobs.get(job.question) is job:
            self._jobs.pop(job.question)
        askers, job.askers = job.askers, []
        return askers

    @staticmethod
    def _known_as(question: Question, answer: Answer) -> Question:
        """The question that names the class which a method chose by itself."""
        explanation = answer.explanation
        if question.aim is not None or explanation.is_evidence:
            return question
        target = explanation.targets[0]
        return Question(question.image, question.model, question.method, (target.of, target.against))
