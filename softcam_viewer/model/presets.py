"""Presets: ways to fill the panes for a comparison, each in one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from softcam_viewer.model.layouts import MOST_PANES
from softcam_viewer.model.methods import EVIDENCE, name_of

if TYPE_CHECKING:
    from softcam_viewer.model.pane import PaneState
    from softcam_viewer.model.session import Session


def compare_methods(session: Session) -> None:
    """One class by four methods: the evidence, and quick ones of other families."""
    panes = session.panes
    panes.set_layout("1x1")
    if panes.active.model is not None and EVIDENCE not in panes.active.model.refusals:
        panes.active.set_method(EVIDENCE)
    follow_all(session)
    others = panes.other_methods(panes.active, [panes.active])
    panes.set_layout("2x2")
    for pane, method in zip(panes.shown[1:], others, strict=False):
        pane.like(panes.active)
        pane.set_method(method)


def compare_classes(session: Session) -> None:
    """All classes by the active pane's method, each by itself; of more than four the likeliest."""
    panes, pattern = session.panes, session.panes.active
    if pattern.model is None:
        return
    follow_all(session)
    classes = _likeliest(session, pattern)
    method, overlay = pattern.method, pattern.overlay
    panes.set_layout("1x1" if len(classes) == 1 else "1x2" if len(classes) == 2 else "2x2")
    for pane, target in zip(panes.shown, classes, strict=False):
        pane.like(pattern)
        pane.show_as(overlay)
        pane.set_overlay(target=target, against=None)
        pane.set_method(method)


def compare_models(session: Session) -> None:
    """The same of two models: the main one, and that opened last to compare with."""
    panes = session.panes
    if len(session.models) < 2:
        return
    follow_all(session)
    panes.set_layout("1x2")
    for pane, model in zip(panes.shown, (session.models[0], session.models[-1]), strict=True):
        pane.like(panes.active)
        pane.set_model(model)
        pane.set_method(_possible(session, pane, EVIDENCE))


def compare_cases(session: Session) -> None:
    """The case in view, kept at the right, beside those to which the worklist goes on."""
    panes = session.panes
    follow_all(session)
    panes.set_layout("1x2")
    panes.activate(0)
    kept = panes.shown[1]
    kept.like(panes.active)
    kept.set_method(panes.active.method)
    panes.toggle_pinned(kept)


@dataclass(frozen=True, slots=True)
class Preset:
    """A way to fill the panes."""

    title: str
    apply: Callable[[Session], None]


PRESETS: dict[str, Preset] = {
    "methods": Preset("One class by many methods", compare_methods),
    "classes": Preset("All classes by one method", compare_classes),
    "models": Preset("One model beside another", compare_models),
    "cases": Preset("This case beside others", compare_cases),
}


def follow_all(session: Session) -> None:
    """Let all panes show the case in view."""
    for pane in session.panes.shown:
        if session.panes.is_pinned(pane):
            session.panes.toggle_pinned(pane)


def _likeliest(session: Session, pane: PaneState) -> list[int]:
    """Classes in their order, of more than there are panes the likeliest."""
    assert pane.model is not None
    classes = range(len(pane.model.card.class_names))
    known = session.panes.prediction_of(pane)
    if known is None or len(classes) <= MOST_PANES:
        return list(classes)[:MOST_PANES]
    return sorted(np.argsort(-known.probabilities, kind="stable")[:MOST_PANES].tolist())


def _possible(session: Session, pane: PaneState, method: str) -> str:
    """A method, or another that can explain the pane's model."""
    refusals = pane.model.refusals if pane.model else {}
    if name_of(method) not in refusals:
        return method
    return next(iter(session.panes.other_methods(pane, [])), pane.method)
