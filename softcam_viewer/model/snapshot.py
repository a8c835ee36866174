"""Snapshot: what a session file is to hold, read off a session."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from softcam_viewer.model.look import measure_entry
from softcam_viewer.model.session_file import (
    CaseEntry,
    FoldedEntry,
    LeftOutEntry,
    MeasuredEntry,
    ModelEntry,
    PaneEntry,
    SeedEntry,
    SessionFile,
    ShapeEntry,
    WindowEntry,
    WorklistEntry,
)

if TYPE_CHECKING:
    from softcam_viewer.model.film import Film
    from softcam_viewer.model.look import Look
    from softcam_viewer.model.pane import PaneState
    from softcam_viewer.model.session import Session


def take_snapshot(session: Session, look: Look) -> SessionFile:
    """Read a session off; quick enough for the UI thread with ten thousand cases.

    Parameters
    ----------
    session : Session
    look : Look
        How the window shows it.
    """
    cases, panes, worklist = session.cases, session.panes, session.worklist
    case = None
    if 0 <= session.row < len(cases):
        path, shown = cases[session.row].path, _case_of(session.film)
        case = shown if shown is not None and shown.path == path else CaseEntry(path=path)
    return SessionFile.model_construct(  # the paths are paths: checking ten thousand takes longer than gathering them
        cases=tuple(cases[row].path for row in range(len(cases))),
        tables=tuple(path.absolute() for path in session.tables),
        reviewed=cases.reviewed_paths,
        models=tuple(ModelEntry(path=model.path.absolute(), sha256=model.card.sha256) for model in session.models),
        case=case,
        layout=panes.layout,
        active=panes.active_index,
        panes=tuple(_pane(session, pane) for pane in panes.shown),
        shares_scale=panes.shares_scale,
        links_views=panes.links_views,
        view=look.view,
        worklist=WorklistEntry(
            sort=worklist.sorted_by,
            is_turned=worklist.is_turned,
            filter=worklist.filter_text,
            is_grouped=worklist.is_grouped,
            folded=tuple(FoldedEntry(path=cases[row].path, level=level) for row, level in worklist.folded),
        ),
        is_maximised=panes.is_maximised and not panes.is_blinking,
        shown=look.shown,
        measured=_measured(session, look),
        left_out=_left_out(session, case),
    )


def _measured(session: Session, look: Look) -> tuple[MeasuredEntry, ...]:
    """On the cases that are open, and those that panes hold for themselves."""
    panes = session.panes
    pinned = {p.film.image.source for p in panes.shown if p.film.image is not None and panes.is_pinned(p)}
    found = []
    for image, measures in look.measured.items():
        match image:
            case (Path() as path, int(frame)) if path in pinned or session.cases.row_of(path) is not None:
                entries = tuple(measure_entry(measure) for measure in measures)
                found.append(MeasuredEntry(path=path, frame=frame, measures=entries))
    return tuple(found)


def _left_out(session: Session, case: CaseEntry | None) -> LeftOutEntry:
    weighing = session.weighing
    film, is_pinned = weighing.pane.film, session.panes.is_pinned(weighing.pane)
    # While another case is read, the one before is still in view.
    if film.image is None or not (is_pinned or (case is not None and film.image.source == case.path)):
        return LeftOutEntry()
    return LeftOutEntry(
        regions=tuple(SeedEntry(**asdict(seed)) for seed in weighing.seeds),
        shapes=tuple(ShapeEntry(**asdict(shape)) for shape in weighing.shapes),
    )


def _case_of(film: Film) -> CaseEntry | None:
    if film.image is None:
        return None
    window = None if film.window is None else WindowEntry.of(film.window, inverted=film.inverted)
    return CaseEntry(path=film.image.source, frame=film.image.frame, window=window)


def _pane(session: Session, pane: PaneState) -> PaneEntry:
    overlay = asdict(pane.overlay)
    del overlay["target"], overlay["against"]
    target, against, rest = None, None, False
    if pane.model is not None and pane.aim is not None:
        names = pane.model.card.class_names
        target, rest = names[pane.overlay.target], pane.overlay.against == "rest"
        against = names[pane.overlay.against] if isinstance(pane.overlay.against, int) else None
    models = session.models
    return PaneEntry(
        method=pane.method,
        model=next((number for number, model in enumerate(models) if model is pane.model), 0),
        target=target,
        against=against,
        against_rest=rest,
        overlay=overlay,
        pinned=_case_of(pane.film) if session.panes.is_pinned(pane) else None,
    )
