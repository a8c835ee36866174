"""Restoring: brings back what a session file holds, each part as soon as what it belongs to has arrived.

Models, the worklist and images arrive in the background and in any order, or never. A run notes what has settled:

1. the file is read, and looked up which of its files are there;
2. models are loaded, the main one first; at the same time the worklist is opened and its case chosen;
3. once models and the case have settled, the panes are set, and pinned cases are read;
4. once those are there, the ledger is told what is not to count, the run is over, and what could not be brought back is
   told in one message. Maps are still to come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from softcam_viewer.model import backend
from softcam_viewer.model.film import Film
from softcam_viewer.model.found_session import Found, look_up
from softcam_viewer.model.look import Look
from softcam_viewer.model.restored_pane import overlay_of, put_back
from softcam_viewer.model.session_file import CaseEntry, PaneEntry, SessionFile, WindowEntry
from softcam_viewer.model.weighing import Seed, Shape

if TYPE_CHECKING:
    from softcam_viewer.jobs.lanes import Lane, Lanes
    from softcam_viewer.model.loaded_model import LoadedModel
    from softcam_viewer.model.pane import PaneState
    from softcam_viewer.model.session import Session

MOST_NAMES = 5


@dataclass(eq=False, slots=True)
class _Run:
    """One session that is being opened."""

    path: Path
    found: Found | None = None
    models: list[LoadedModel | None] = field(default_factory=list)
    are_models_settled: bool = False
    is_worklist_reset: bool = False
    is_case_wanted: bool = False
    is_case_chosen: bool = False
    is_case_settled: bool = False
    are_panes_set: bool = False
    pinned_awaited: int = 0
    changed: set[int] = field(default_factory=set)  # models with other weights, by their numbers
    altered: set[PaneState] = field(default_factory=set)  # panes with another map than they had
    problems: list[str] = field(default_factory=list)

    @property
    def content(self) -> SessionFile:
        assert self.found is not None
        return self.found.content


class Restoring(QObject):
    """Opens session files.

    Parameters
    ----------
    session : Session
    lanes : Lanes
        The session's own.
    files : Lane
        For reading the session file and pinned cases.
    """

    started = Signal(object)  # the file could be read: its Path
    finished = Signal(bool)  # all is back (True), or something is missing
    failed = Signal(str)  # what could not be brought back
    look_wanted = Signal(object)  # how the window is to show it: a Look

    def __init__(self, session: Session, lanes: Lanes, files: Lane, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._lanes, self._files = session, lanes, files
        self._run: _Run | None = None
        session.cases.modelReset.connect(self._on_worklist_reset)
        session.row_changed.connect(self._on_row_changed)
        session.film.image_changed.connect(self._on_image_changed)
        session.failed.connect(self._on_session_failed)

    @property
    def is_active(self) -> bool:
        """True while something is still to come."""
        return self._run is not None

    def open(self, path: Path) -> None:
        """Open a session file; an earlier one that is still being opened is given up."""
        run = self._run = _Run(path)
        self._files.submit(partial(look_up, path), self._in(run, self._on_found), self._in(run, self._on_unreadable))

    def give_up(self) -> None:
        """Something else is opened: what is still to come of the session does not matter any more."""
        self._run = None

    def _in(self, run: _Run, then: Callable[..., None]) -> Callable[..., None]:
        """Do something, unless the run has been given up."""

        def do(*arguments: Any) -> None:  # noqa: ANN401 - whatever a lane gives
            if self._run is run:
                then(run, *arguments)

        return do

    def _on_unreadable(self, _run: _Run, message: str) -> None:
        self._run = None
        self.failed.emit(message)

    def _on_found(self, run: _Run, found: Found) -> None:
        run.found = found
        session, content = self._session, found.content
        self.started.emit(run.path)
        for pane in session.panes.shown:
            if session.panes.is_pinned(pane):
                session.panes.toggle_pinned(pane)
        session.close_compared()
        session.panes.set_layout(content.layout)
        gone = [path for path in content.cases if path in found.missing]
        if gone:
            run.problems.append(f"{len(gone)} of {len(content.cases)} images are missing: {_names(gone)}.")
        lost = [path for path in content.tables if path in found.missing]
        if lost:
            run.problems.append(f"Tables of labels are missing: {_names(lost)}.")
        self._open_cases(run, [path for path in content.cases if path not in found.missing])
        self._open_main_model(run)

    # Models

    def _open_main_model(self, run: _Run) -> None:
        content, found = run.content, run.found
        assert found is not None
        gone = [model.path for model in content.models if model.path in found.missing]
        if gone:
            run.problems.append(f"Models are missing: {_names(gone)}.")
        if not content.models or content.models[0].path in found.missing:
            if len(content.models) > 1:
                run.problems.append("Without the main model, those to compare with are not opened.")
            run.models = [None] * len(content.models)
            self._settle_models(run)
            return
        before = self._session.model
        self._session.open_model(content.models[0].path)
        self._after_models(partial(self._in(run, self._on_main_model), before))

    def _on_main_model(self, run: _Run, before: LoadedModel | None) -> None:
        model, wanted = self._session.model, run.content.models
        found = run.found
        assert found is not None
        if model is None or model is before:  # why, the session has said
            run.models = [None] * len(wanted)
            self._settle_models(run)
            return
        for entry in wanted[1:]:
            if entry.path not in found.missing:
                self._session.add_model(entry.path)
        self._after_models(self._in(run, self._on_all_models))

    def _on_all_models(self, run: _Run) -> None:
        opened = {model.path.absolute(): model for model in reversed(self._session.models)}
        known = {model.card.sha256: model for model in self._session.models if model.card.sha256}
        run.models = [opened.get(entry.path) or known.get(entry.sha256) for entry in run.content.models]
        if run.models:
            run.models[0] = self._session.model
        assert run.found is not None
        for number, (entry, model) in enumerate(zip(run.content.models, run.models, strict=True)):
            now = "" if model is None else model.card.sha256 or run.found.digests.get(entry.path, "")
            if entry.sha256 and now and now != entry.sha256:
                run.changed.add(number)
                run.problems.append(
                    f"{entry.path.name} has changed since the session was saved: numbers and maps are those of the new "
                    "weights."
                )
        self._settle_models(run)

    def _after_models(self, then: Callable[[], None]) -> None:
        """Call back when all models asked for so far have been opened or refused: the lane keeps the order."""
        self._lanes.model.submit(_nothing, lambda _none: then(), lambda _message: then())

    def _settle_models(self, run: _Run) -> None:
        run.are_models_settled = True
        self._advance(run)

    # The worklist and its case

    def _open_cases(self, run: _Run, paths: list[Path]) -> None:
        if not paths:
            run.is_case_settled = True
            return
        assert run.found is not None
        tables = [table for table in run.content.tables if table not in run.found.missing]
        self._session.open_paths(paths, tables)
        self._lanes.case.submit(_nothing, self._in(run, self._on_paths_tried), self._in(run, self._on_paths_tried))

    def _on_paths_tried(self, run: _Run, _outcome: object) -> None:
        # Dropped from the lane when the first case is chosen; else there was none to choose.
        if not run.is_worklist_reset:
            self._settle_case(run)

    def _on_worklist_reset(self) -> None:
        run = self._run
        if run is None or run.found is None or run.is_worklist_reset:
            return
        run.is_worklist_reset = True
        self._session.cases.set_reviewed(run.content.reviewed)

    def _on_row_changed(self, _row: int) -> None:
        run = self._run
        if run is not None and run.is_worklist_reset and not run.is_case_wanted:
            run.is_case_wanted = True
            # The session has just chosen the first case. Choosing another within its signal would be told to everybody
            # in the wrong order, so it takes the way through the lane.
            choose = self._in(run, self._choose_case)
            self._files.submit(_nothing, choose, choose)

    def _choose_case(self, run: _Run, _outcome: object) -> None:
        session, wanted = self._session, run.content.case
        run.is_case_chosen = True
        row = None if wanted is None else session.cases.row_of(wanted.path)
        if wanted is not None and row is not None and (row, wanted.frame) != (session.row, 0):
            session.select(row, wanted.frame)
            return
        image = session.film.image
        case = session.cases[session.row]
        if case.error or (image is not None and image.source == case.path):  # it came before this did
            self._settle_case(run)

    def _on_image_changed(self) -> None:
        run, image = self._run, self._session.film.image
        if run is None or not run.is_case_chosen or run.is_case_settled:
            return
        wanted = run.content.case
        is_other_frame = (
            image is not None and wanted is not None and image.source == wanted.path and image.frame != wanted.frame
        )
        if not is_other_frame:  # which was on its way when the one wanted was asked for
            # Views learn of the image within the same signal: first they, then what they are to show of it.
            settle = self._in(run, self._settle_case)
            self._files.submit(_nothing, settle, settle)

    def _settle_case(self, run: _Run, _outcome: object = None) -> None:
        run.is_case_settled = True
        self._advance(run)

    # Panes

    def _advance(self, run: _Run) -> None:
        if self._run is not run or not (run.are_models_settled and run.is_case_settled):
            return
        if not run.are_panes_set:
            run.are_panes_set = True
            self._set_panes(run)
        if run.pinned_awaited == 0:
            self._put_back_left_out(run)
            self._finish(run)

    def _set_panes(self, run: _Run) -> None:
        session, content = self._session, run.content
        panes = session.panes
        panes.set_layout(content.layout)
        for number, (pane, entry) in enumerate(zip(panes.shown, content.panes, strict=False), 1):
            run.problems += [f"Pane {number}: {problem}" for problem in self._set_pane(run, pane, entry)]
            if entry.pinned is not None:
                run.pinned_awaited += 1
                self._read_pinned(run, pane, entry.pinned)
        panes.activate(content.active)
        panes.maximise(on=content.is_maximised)
        panes.share_scale(on=content.shares_scale)
        panes.link_views(on=content.links_views)
        image, case = session.film.image, content.case
        seen = case if case is not None and image is not None and image.source == case.path else None
        if seen is not None:
            _see_through(session.film, seen.window)
        self.look_wanted.emit(Look.of_file(content, same_image=seen is not None))
        worklist, wanted = session.worklist, content.worklist
        worklist.group(on=wanted.is_grouped)
        worklist.sort_by(wanted.sort, is_turned=wanted.is_turned)
        worklist.filter_by(wanted.filter)
        folded = ((session.cases.row_of(entry.path), entry.level) for entry in wanted.folded)
        worklist.put_back_folded((row, level) for row, level in folded if row is not None)

    def _set_pane(self, run: _Run, pane: PaneState, entry: PaneEntry) -> list[str]:
        """Show in a pane what it showed; sentences about what could not be put back."""
        had_model = entry.model < len(run.models)
        model = run.models[entry.model] if had_model else None
        shown = self._session.model if had_model and model is None else model
        problems = []
        if shown is None:
            # No model in the session, or none is open: how it is shown is kept, for the model that is opened next.
            pane.set_overlay(**overlay_of(entry))
        else:
            if model is None:
                problems.append(f"its model is not open; {shown.card.name} is shown.")
            problems += put_back(pane, entry, shown, self._session.panes.methods)
        if problems or shown is None or entry.model in run.changed:
            run.altered.add(pane)
        return problems

    def _put_back_left_out(self, run: _Run) -> None:
        """Leave out of the ledger what was left out: shapes of the same image, and regions of the same map."""
        panes, content, wanted = self._session.panes, run.content, run.content.left_out
        pane, number = panes.active, content.active
        if number != panes.active_index or number >= len(content.panes):
            return
        image, case = pane.film.image, content.panes[number].pinned or content.case
        if image is None or case is None or (image.source, image.frame) != (case.path, case.frame):
            return
        seeds = [Seed(seed.row, seed.column, seed.positive) for seed in wanted.regions]
        shapes = [Shape(shape.name, shape.points) for shape in wanted.shapes]
        self._session.weighing.put_back([] if pane in run.altered else seeds, shapes)

    def _read_pinned(self, run: _Run, pane: PaneState, case: CaseEntry) -> None:
        self._files.submit(
            partial(backend.read, case.path, case.frame),
            partial(self._in(run, self._on_pinned_read), pane, case),
            self._in(run, self._on_pinned_failed),
        )

    def _on_pinned_read(self, run: _Run, pane: PaneState, case: CaseEntry, opened: backend.OpenedImage) -> None:
        film = Film(pane)
        film.show(opened)
        _see_through(film, case.window)
        pane.use_film(film)
        run.pinned_awaited -= 1
        self._advance(run)

    def _on_pinned_failed(self, run: _Run, message: str) -> None:
        run.problems.append(message)
        run.pinned_awaited -= 1
        self._advance(run)

    # The end

    def _on_session_failed(self, message: str) -> None:
        if self._run is not None and self._run.found is not None:
            self._run.problems.append(message)

    def _finish(self, run: _Run) -> None:
        self._run = None
        if run.problems:
            self.failed.emit(f"{run.path.name} was opened, but not all of it.\n" + "\n".join(run.problems))
        self.finished.emit(not run.problems)


def _see_through(film: Film, entry: WindowEntry | None) -> None:
    if entry is None:
        return
    film.set_window(entry.window)
    if film.inverted != entry.inverted:
        film.toggle_inverted()


def _names(paths: Iterable[Path]) -> str:
    names = [path.name for path in paths]
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _nothing() -> None:
    """Work that only keeps its place in a lane."""
