"""Comparing: the model that a job made beside the one that it started from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from softcam_viewer.model.job import Job
from softcam_viewer.model.methods import CHANGE, EVIDENCE
from softcam_viewer.model.presets import follow_all

if TYPE_CHECKING:
    from softcam_core.training.comparison import Comparison
    from softcam_viewer.jobs.lanes import Lane
    from softcam_viewer.model.loaded_model import LoadedModel
    from softcam_viewer.model.session import Session
    from softcam_viewer.model.training_jobs import TrainingJobs

FLAGGED = "flagged"
"""The worklist's filter for the cases that the models are compared on."""
LAYOUT = "1x3"


class Comparing(QObject):
    """Shows before, after and change in three panes, and the figures of both models.

    Parameters
    ----------
    session : Session
    jobs : TrainingJobs
    lane : Lane
        For loading models and reading figures.
    """

    changed = Signal()  # what is compared, or what is known of it
    failed = Signal(str)

    def __init__(self, session: Session, jobs: TrainingJobs, lane: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._jobs, self._lane = session, jobs, lane
        self.job: Job | None = None
        self.before: LoadedModel | None = None
        self.after: LoadedModel | None = None
        self.figures: Comparison | None = None
        self.why_no_figures = ""
        self.is_loading = False
        self._left: tuple[str, str] | None = None  # layout and filter, to go back to
        session.model_changed.connect(self._on_models_changed)
        session.compared_changed.connect(self._on_models_changed)

    @property
    def is_active(self) -> bool:
        """True while two models are compared or being loaded for that."""
        return self.job is not None

    @property
    def latest(self) -> Job | None:
        """The job whose model would be compared when nobody says which: the last one that finished."""
        return next((job for job in self._jobs.jobs if job.state == "finished" and job.facts.start is not None), None)

    def compare(self, job: Job) -> None:
        """Load the models of a job that has finished, and show them."""
        self.leave()
        self.job, self.is_loading = job, True
        start = job.facts.start
        known = next((model for model in self._session.models if model.path == start), None)
        work = partial(_load, None if known else start, model_file(self._jobs, job), self._session.device)
        self._lane.submit(work, partial(self._on_loaded, job, known), partial(self._on_failed, job))
        self.changed.emit()

    def accept(self) -> None:
        """Use the new model from now on."""
        if self.job is None or self.after is None:
            return
        job, after = self.job, self.after
        self._jobs.decide(job.id, "accepted")
        self.leave()
        self._session.use_model(after)

    def discard(self) -> None:
        """Close the new model; its file stays until the job is forgotten."""
        if self.job is None:
            return
        job, after = self.job, self.after
        self._jobs.decide(job.id, "discarded")
        self.leave()
        if after is not None and after is not self._session.model:
            self._session.close_model(after)

    def leave(self) -> None:
        """Show panes and worklist as they were before; both models stay open."""
        if self.job is None:
            return
        before, left = self.before, self._left
        self.job = self.before = self.after = self.figures = self._left = None
        self.why_no_figures, self.is_loading = "", False
        if left is not None:
            layout, filter_text = left
            panes = self._session.panes
            for pane in panes.made:
                pane.set_caption("")
            panes.activate(0)
            if panes.layout == LAYOUT:
                panes.set_layout(layout)
            for pane in panes.shown:
                if pane.method == CHANGE:
                    pane.set_method(EVIDENCE)
                if before is not None:
                    pane.set_model(self._session.model or before)
            if self._session.worklist.filter_text == FLAGGED:
                self._session.worklist.filter_by(filter_text)
        self.changed.emit()

    # What is shown

    def _on_loaded(self, job: Job, known: LoadedModel | None, loaded: _Loaded) -> None:
        if self.job is not job:
            return  # nobody waits for it any more
        session = self._session
        before = known or loaded.before
        assert before is not None
        if session.model is None:
            session.use_model(before)
        self.before, self.after = session.compare_with(before), session.compare_with(loaded.after)
        self.figures, self.why_no_figures, self.is_loading = loaded.figures, loaded.why_no_figures, False
        session.panes.pair(self.before, self.after)
        self._show()
        self.changed.emit()

    def _on_models_changed(self) -> None:
        """One of the two was closed, or another model took its place."""
        if self.before is not None and self.after is not None:
            models = self._session.models
            if self.before not in models or self.after not in models:
                self.leave()

    def _on_failed(self, job: Job, message: str) -> None:
        if self.job is job:
            self.job, self.is_loading = None, False
            self.failed.emit(message)
            self.changed.emit()

    def _show(self) -> None:
        session, panes = self._session, self._session.panes
        assert self.before is not None
        assert self.after is not None
        self._left = panes.layout, session.worklist.filter_text
        panes.maximise(on=False)
        follow_all(session)
        pattern = panes.active
        overlay, model = pattern.overlay, pattern.model
        names = () if model is None or pattern.aim is None else model.card.class_names
        panes.set_layout(LAYOUT)
        panes.share_scale(on=True)
        shown = (("Before", self.before, EVIDENCE), ("After", self.after, EVIDENCE), ("Change", self.after, CHANGE))
        for pane, (caption, model, method) in zip(panes.shown, shown, strict=True):
            pane.set_caption(caption)
            pane.show(method, model, overlay, keeps_class=model.card.class_names == names)
        panes.activate(len(shown) - 1)  # its ledger is that of the change
        self._show_flagged()

    def _show_flagged(self) -> None:
        """Show flagged cases alone, where there are any."""
        worklist, text = self._session.worklist, self._session.worklist.filter_text
        worklist.filter_by(FLAGGED)
        if worklist.filter_error or not worklist.matching:
            worklist.filter_by(text)
        elif self._session.row not in worklist.shown and worklist.shown:
            self._session.select(worklist.shown[0])


def model_file(jobs: TrainingJobs, job: Job) -> Path:
    """The model that a job has made: that of its best epoch, unless its settings want the last."""
    keeps = (job.settings.get("training") or {}).get("keep", "best")
    return jobs.run_folder(job.id) / f"{keeps}.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class _Loaded:
    """Models and figures, off the disk."""

    before: LoadedModel | None
    after: LoadedModel
    figures: Comparison | None
    why_no_figures: str = ""


def _load(start: Path | None, made: Path, device: str) -> _Loaded:
    """Load what is compared, in a lane; `start` is None where that model is open.

    Raises
    ------
    CheckpointError, SettingsError
        When a model cannot be loaded. Figures may be missing.
    """
    from softcam_core.errors import SettingsError
    from softcam_core.training.comparison import read_comparison

    before, after = None if start is None else _model(start, device), _model(made, device)
    try:
        return _Loaded(before, after, read_comparison(made.parent / "comparison.json"))
    except SettingsError as error:
        return _Loaded(before, after, None, str(error))


def _model(path: Path, device: str) -> LoadedModel:
    from softcam_core.errors import CheckpointError
    from softcam_viewer.model import backend

    model = backend.load(path, device)
    if isinstance(model, backend.Convertible):
        raise CheckpointError(
            path, "is a file of weights and no SoftCAM", "Convert it, and fine-tune what comes of it."
        )
    return model
