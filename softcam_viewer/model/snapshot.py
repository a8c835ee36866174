"""Snapshot: what a session file is to hold, read off a session."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from softcam_viewer.model.session_file import (
    CaseEntry,
    ModelEntry,
    PaneEntry,
    SessionFile,
    ViewEntry,
    WindowEntry,
    WorklistEntry,
)

if TYPE_CHECKING:
    from softcam_viewer.model.film import Film
    from softcam_viewer.model.pane import PaneState
    from softcam_viewer.model.session import Session


def take_snapshot(session: Session, view: ViewEntry | None) -> SessionFile:
    """Read a session off; quick enough for the UI thread with ten thousand cases.

    Parameters
    ----------
    session : Session
    view : ViewEntry or None
        What part of the image is shown; None for all of it.
    """
    cases, panes, worklist = session.cases, session.panes, session.worklist
    case = None
    if 0 <= session.row < len(cases):
        path, shown = cases[session.row].path, _case_of(session.film)
        case = shown if shown is not None and shown.path == path else CaseEntry(path=path)
    return SessionFile.model_construct(  # the paths are paths: checking ten thousand takes longer than gathering them
        cases=tuple(cases[row].path for row in range(len(cases))),
        reviewed=cases.reviewed_paths,
        models=tuple(ModelEntry(path=model.path.absolute(), sha256=model.card.sha256) for model in session.models),
        case=case,
        layout=panes.layout,
        active=panes.active_index,
        panes=tuple(_pane(session, pane) for pane in panes.shown),
        shares_scale=panes.shares_scale,
        view=view,
        worklist=WorklistEntry(
            sort=worklist.sorted_by,
            is_turned=worklist.is_turned,
            filter=worklist.filter_text,
            is_grouped=worklist.is_grouped,
        ),
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
