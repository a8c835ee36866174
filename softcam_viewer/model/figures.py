"""Figures: how good the maps of the panes are, as far as one image can tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QModelIndex, QObject, Qt, QTimer, Signal

from softcam_core.files import write_whole
from softcam_viewer.jobs.lanes import Lane
from softcam_viewer.model import figures_backend
from softcam_viewer.model.answers import Aim, Question
from softcam_viewer.model.explaining import PROGRESS_SECONDS
from softcam_viewer.model.figure_columns import (
    AGREEMENT,
    COLUMNS,
    CURVE_NAMES,
    LOCALISATION,
    SECONDS,
    SPARSITY,
    Cell,
)
from softcam_viewer.model.figure_rows import FigureRow, as_csv, as_text
from softcam_viewer.model.figures_backend import LOST
from softcam_viewer.model.known_annotation import annotation_for
from softcam_viewer.model.last_used import LastUsed
from softcam_viewer.model.methods import CHANGE, name_of
from softcam_viewer.model.pane import PaneState

if TYPE_CHECKING:
    from softcam_core.evaluation.one_image import RemovalCurve
    from softcam_core.explainers.explanation import Explanation
    from softcam_core.imaging.image import MedicalImage
    from softcam_viewer.model.loaded_model import LoadedModel
    from softcam_viewer.model.session import Session

NOT_YET = "Not computed yet: choose Compute curves."
FIRST = "The other panes are compared with this one."
OTHER_CASE = "Pane 1 shows another case."
NO_FIRST = "Pane 1 has no map."
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False)
class _Subject:
    """A map that is shown."""

    question: Question
    aim: Aim
    explanation: Explanation
    model: LoadedModel
    image: MedicalImage


@dataclass(eq=False, slots=True)
class _Job:
    """Curves of a few maps that are being computed together."""

    questions: frozenset[Question]
    stopped: threading.Event = field(default_factory=threading.Event)
    progress: float = 0.0
    reported: float = 0.0


class Figures(QObject):
    """Figures of the maps in the panes, computed in the background and kept.

    Curves, which take many passes of the network, are computed when asked for, or by themselves where `automatic`.

    Parameters
    ----------
    session : Session
    maps, slow : Lane
        For what needs maps alone, and for curves.
    """

    changed = Signal()
    progressed = Signal()
    _advanced = Signal(object, float)

    def __init__(
        self,
        session: Session,
        maps: Lane,
        slow: Lane,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.rows: tuple[FigureRow, ...] = ()
        self._session, self._panes = session, session.panes
        self._maps, self._slow = maps, slow
        self._viewers: set[object] = set()
        self._is_automatic = False
        self._subjects: tuple[_Subject | None, ...] = ()
        self._cells: LastUsed[dict[str, Cell]] = LastUsed()
        self._pending: set[Hashable] = set()
        self._wanted: frozenset[Hashable] = frozenset()
        self._curves: LastUsed[dict[str, RemovalCurve]] = LastUsed()
        self._jobs: list[_Job] = []
        self._batch: list[_Job] = []  # all since nothing was computed: progress never falls
        self._failures: dict[Question, str] = {}
        self._declined: set[Question] = set()
        self._followed: set[PaneState] = set()
        # Many things change at once when a case or a layout does.
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self.refresh)
        self._advanced.connect(self._on_advanced, Qt.ConnectionType.AutoConnection)
        panes = session.panes
        for signal in (panes.layout_changed, panes.methods_changed, session.film.image_changed, session.model_changed):
            signal.connect(self._later.start)
        session.cases.dataChanged.connect(self._on_case_changed)
        self.refresh()

    # What is asked

    def attend(self, viewer: object, *, on: bool) -> None:
        """Somebody looks, or does so no more; nothing is computed while nobody does."""
        was_active = bool(self._viewers)
        (self._viewers.add if on else self._viewers.discard)(viewer)
        if bool(self._viewers) != was_active:
            self.refresh()

    @property
    def automatic(self) -> bool:
        """True where curves are computed without being asked for."""
        return self._is_automatic

    def set_automatic(self, *, on: bool) -> None:
        """Compute curves whenever maps are shown whose are not known, or only when asked to."""
        self._is_automatic = on
        self._declined.clear()
        self.refresh()

    def compute(self) -> None:
        """Compute the curves that are not known."""
        self._declined.clear()
        self._failures.clear()
        self._start(self._missing())
        self.refresh()

    def cancel(self) -> None:
        """Stop computing curves; those that are known stay."""
        for job in list(self._jobs):
            self._declined |= job.questions
            self._stop(job)
        self.refresh()

    def stop(self) -> None:
        """Stop everything; the session ends."""
        self._viewers.clear()
        self._wanted = frozenset()
        self._later.stop()
        for job in list(self._jobs):
            self._stop(job)

    def save_csv(self, path: Path) -> None:
        """Write the table as it is now, in the background; tells the session where that fails."""
        content = as_csv(self.rows).encode()
        self._maps.submit(partial(write_whole, path, content), lambda _: None, self._session.failed.emit)

    def text(self) -> str:
        """The table as it is now, to be pasted elsewhere."""
        return as_text(self.rows)

    # What is known

    @property
    def is_computing(self) -> bool:
        """True while curves are computed."""
        return bool(self._jobs)

    @property
    def can_compute(self) -> bool:
        """True where there are curves to compute."""
        return bool(self._missing())

    @property
    def progress(self) -> float:
        """Of the curves, 0 to 1."""
        return sum(job.progress for job in self._batch) / len(self._batch) if self._batch else 0.0

    def refresh(self) -> None:
        """Look at what the panes show, ask for what is not known of it, and tell."""
        for pane in set(self._panes.made) - self._followed:
            self._followed.add(pane)
            for signal in (pane.explained, pane.chosen, pane.film_changed):
                signal.connect(self._later.start)
        self._subjects = tuple(_subject(pane) for pane in self._panes.shown)
        shown = {subject.question for subject in self._subjects if subject is not None}
        for job in [job for job in self._jobs if not job.questions & shown]:
            self._stop(job)
        if self._viewers and self._is_automatic:
            self._start([s for s in self._missing() if s.question not in self._declined | self._failures.keys()])
        asked: dict[Hashable, Callable[[], dict[str, Cell]]] = {}
        self.rows = tuple(
            self._row(number, pane, subject, asked)
            for number, (pane, subject) in enumerate(zip(self._panes.shown, self._subjects, strict=True), 1)
        )
        self._ask(asked)
        self.changed.emit()

    def _missing(self) -> list[_Subject]:
        running = {question for job in self._jobs for question in job.questions}
        found = {s.question: s for s in self._subjects if s is not None}
        return [s for question, s in found.items() if question not in self._curves and question not in running]

    # Rows

    def _row(
        self,
        number: int,
        pane: PaneState,
        subject: _Subject | None,
        asked: dict[Hashable, Callable[[], dict[str, Cell]]],
    ) -> FigureRow:
        method = self._panes.methods.get(name_of(pane.method))
        title = pane.method if method is None else method.title
        model, sha256 = (pane.model.card.name, pane.model.card.sha256) if pane.model else ("", "")
        if subject is None:
            nothing = Cell(why=_why_no_map(pane), is_waiting=pane.progress is not None)
            return FigureRow(number, title, pane.method, "", model, sha256, {c.name: nothing for c in COLUMNS})
        explanation, curves = subject.explanation, self._curves.get(subject.question)
        cells = self._curve_cells(subject) | self._map_cells(subject, asked) | self._agreement(number, subject, asked)
        cells[SECONDS] = Cell(explanation.seconds)
        target = explanation.target(*subject.aim).title(explanation.class_names)
        return FigureRow(number, title, pane.method, target, model, sha256, cells, curves or {})

    def _curve_cells(self, subject: _Subject) -> dict[str, Cell]:
        curves = self._curves.get(subject.question)
        if curves is not None:
            return {name: Cell(curves[name].area) if name in curves else Cell(why=LOST) for name in CURVE_NAMES}
        is_running = any(subject.question in job.questions for job in self._jobs)
        why = "Being computed." if is_running else self._failures.get(subject.question, NOT_YET)
        return dict.fromkeys(CURVE_NAMES, Cell(why=why, is_waiting=is_running))

    def _map_cells(self, subject: _Subject, asked: dict[Hashable, Callable[[], dict[str, Cell]]]) -> dict[str, Cell]:
        cases, names = self._session.cases, subject.explanation.class_names
        row = cases.row_of(subject.image.source)
        case = None if row is None else cases[row]
        known = annotation_for(case, subject.image, names, subject.aim[0])
        key = ("map", subject.question, known)
        asked[key] = partial(figures_backend.map_cells, subject.explanation, subject.aim, known)
        return self._cells.get(key) or dict.fromkeys((*SPARSITY, *LOCALISATION), Cell(is_waiting=True))

    def _agreement(
        self, number: int, subject: _Subject, asked: dict[Hashable, Callable[[], dict[str, Cell]]]
    ) -> dict[str, Cell]:
        first = self._subjects[0]
        why = FIRST if number == 1 else NO_FIRST if first is None else ""
        if first is not None and first.question.image != subject.question.image:
            why = OTHER_CASE
        if why or first is None:
            return {AGREEMENT: Cell(why=why)}
        key = ("like", subject.question, first.question)
        work = figures_backend.agreement_cells
        asked[key] = partial(work, subject.explanation, subject.aim, first.explanation, first.aim)
        return self._cells.get(key) or {AGREEMENT: Cell(is_waiting=True)}

    # Figures of maps

    def _ask(self, asked: dict[Hashable, Callable[[], dict[str, Cell]]]) -> None:
        self._wanted = frozenset(asked)
        for key, work in asked.items() if self._viewers else ():
            if key not in self._cells and key not in self._pending:
                self._pending.add(key)
                self._maps.submit(
                    partial(self._run, key, work), partial(self._on_cells, key), partial(self._on_cells_failed, key)
                )

    def _run(self, key: Hashable, work: Callable[[], dict[str, Cell]]) -> dict[str, Cell] | None:
        return work() if key in self._wanted else None  # in the lane: nobody may look at it any more

    def _on_cells(self, key: Hashable, cells: dict[str, Cell] | None) -> None:
        self._pending.discard(key)
        if cells is not None:
            self._cells.put(key, cells)
        self._later.start()

    def _on_cells_failed(self, key: Hashable, message: str) -> None:
        names = (*SPARSITY, *LOCALISATION, AGREEMENT)
        self._on_cells(key, dict.fromkeys(names, Cell(why=message)))

    # Curves

    def _start(self, subjects: Sequence[_Subject]) -> None:
        # What one model says of one class of one image is followed for all maps together.
        groups: dict[Hashable, list[_Subject]] = {}
        for subject in subjects:
            question = subject.question
            groups.setdefault((question.image, question.model, subject.aim[0]), []).append(subject)
        for group in groups.values():
            job = _Job(frozenset(subject.question for subject in group))
            self._jobs.append(job)
            self._batch.append(job)
            first = group[0]
            work = partial(
                figures_backend.removal,
                # The black-box twin, which methods run on, has the same weights and says the same.
                first.model.network,
                first.image,
                {subject.question: (subject.explanation, subject.aim) for subject in group},
                first.aim[0],
                partial(self._report, job),
                job.stopped.is_set,
            )
            self._slow.submit(
                partial(_unless_stopped, job, work),
                partial(self._on_curves, job),
                partial(self._on_curves_failed, job),
            )

    def _stop(self, job: _Job) -> None:
        job.stopped.set()
        self._finish(job)

    def _report(self, job: _Job, share: float) -> None:
        now = time.monotonic()
        if now - job.reported >= PROGRESS_SECONDS:
            job.reported = now
            self._advanced.emit(job, share)

    def _on_advanced(self, job: _Job, share: float) -> None:
        if job in self._jobs:
            job.progress = share
            self.progressed.emit()

    def _on_curves(self, job: _Job, found: dict[Question, dict[str, RemovalCurve]] | None) -> None:
        for question, curves in (found or {}).items():
            self._curves.put(question, curves)
        self._finish(job)
        self._later.start()

    def _on_curves_failed(self, job: _Job, message: str) -> None:
        self._failures |= dict.fromkeys(job.questions, message)
        self._session.failed.emit(message)
        self._finish(job)
        self._later.start()

    def _finish(self, job: _Job) -> None:
        if job in self._jobs:
            self._jobs.remove(job)
        job.progress = 1.0
        if not self._jobs:
            self._batch.clear()
        self.progressed.emit()

    def _on_case_changed(self, first: QModelIndex, last: QModelIndex) -> None:
        if first.row() <= self._session.row <= last.row():
            self._later.start()


def _unless_stopped(job: _Job, work: Callable[[], Value]) -> Value | None:
    return None if job.stopped.is_set() else work()


def _subject(pane: PaneState) -> _Subject | None:
    """What a pane shows; None where it shows no map."""
    opened, model, explanation, aim = pane.film.opened, pane.model, pane.explanation, pane.aim
    if opened is None or model is None or explanation is None or aim is None or pane.overlay_map is None:
        return None
    if name_of(pane.method) == CHANGE:
        return None  # it explains no prediction, so it cannot be judged by one
    if not explanation.is_evidence and explanation.target(*aim) not in explanation.targets:
        return None  # another class was chosen, whose map has not been asked for yet
    question = Question(opened.key, model.key, pane.method, aim)
    return _Subject(question, aim, explanation, model, opened.image)


def _why_no_map(pane: PaneState) -> str:
    if pane.error:
        return pane.error
    if name_of(pane.method) == CHANGE:
        return "It shows what changed between two models, which no figure of one model judges."
    if pane.is_stopped:
        return "The map was stopped before it was done."
    return "Its map is being computed." if pane.progress is not None else "There is no map."
