"""What a pane says about its map in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from softcam_viewer.model.methods import Method
from softcam_viewer.model.pane import PaneState

if TYPE_CHECKING:
    from softcam_core.explainers.explanation import Explanation


class Remark(NamedTuple):
    """Something that should be known of a map.

    Attributes
    ----------
    kind : {"warning", "note"}
        A warning says that the map may not mean what it seems to.
    text : str
        One or more sentences; empty for nothing.
    """

    kind: Literal["warning", "note"]
    text: str


def facts(pane: PaneState, method: Method | None) -> str:
    """What the map was computed on, its unit and the time it took."""
    if pane.explanation is None or pane.overlay_map is None or pane.model is None or method is None:
        return ""
    overlay = pane.overlay_map
    parts = [pane.model.subject_of(method), overlay.unit, time_text(pane.explanation.seconds)]
    if overlay.smoothed:
        parts.append(f"smoothed {overlay.smoothed:.0f} px")
    return "  ·  ".join(parts)


def remark(pane: PaneState) -> Remark:
    """What is wrong with the map, or else what is special about it."""
    explanation, overlay = pane.explanation, pane.overlay_map
    if explanation is None or overlay is None:
        return Remark("note", "")
    warning = explanation.warning(pane.overlay.target, pane.overlay.against)
    texts = [warning, overlay.remark, *explanation.notes]
    return Remark("warning" if warning else "note", " ".join(filter(None, texts)))


def why_no_ledger(explanation: Explanation) -> str:
    """Why a method's map cannot be split into parts that add up to the prediction, a sentence."""
    title = explanation.about.title
    if explanation.scale == "change":
        return f"{title} tells what changes when a place is covered. The changes do not add up to the prediction."
    if explanation.scale == "sum":
        return f"{title} adds up to the prediction only roughly, so there is no exact ledger."
    return f"{title} does not add up to the prediction."


def time_text(seconds: float) -> str:
    """Seconds for people."""
    if seconds >= 60:
        return f"{seconds / 60:.1f} min"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
