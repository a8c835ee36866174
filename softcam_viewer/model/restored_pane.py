"""A pane put back as a session file tells: classes and models may not be what they were."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from softcam_viewer.model.answers import Against
from softcam_viewer.model.methods import EVIDENCE, name_of
from softcam_viewer.model.overlay import OverlaySettings

if TYPE_CHECKING:
    from softcam_viewer.model.loaded_model import LoadedModel
    from softcam_viewer.model.pane import PaneState
    from softcam_viewer.model.session_file import PaneEntry

_CHECK = TypeAdapter(OverlaySettings)
MOST_CLASSES = 8
"""Named in a message."""
_SHARES = ("threshold", "opacity")
_CLASSES = ("target", "against")


def overlay_of(entry: PaneEntry) -> dict[str, Any]:
    """Fields of OverlaySettings other than the classes; those that this version cannot use are left out."""
    standard = asdict(OverlaySettings())
    good: dict[str, Any] = {}
    for name in {f.name for f in fields(OverlaySettings)} - set(_CLASSES):
        if name not in entry.overlay:
            continue
        try:
            checked = _CHECK.validate_python({**standard, name: entry.overlay[name]})
        except ValidationError:
            continue
        value = getattr(checked, name)
        if name not in _SHARES or 0 <= value <= 1:
            good[name] = value
    return good


def put_back(pane: PaneState, entry: PaneEntry, model: LoadedModel, methods: Collection[str]) -> list[str]:
    """Show in a pane what it showed.

    Parameters
    ----------
    pane : PaneState
    entry : PaneEntry
    model : LoadedModel
        The pane's.
    methods : collection of str
        Names of those there are.

    Returns
    -------
    list of str
        What could not be put back, sentences for the user.
    """
    problems = []
    method = entry.method
    if name_of(method) not in methods:
        problems.append(f"there is no method {name_of(method)!r}; the evidence is shown.")
        method = EVIDENCE
    names = model.card.class_names
    wanted = [name for name in (entry.target, entry.against) if name is not None]
    unknown = [name for name in wanted if name not in names]
    if unknown:
        problems.append(
            f"{model.card.name} has no class {' or '.join(map(repr, unknown))}, but {_listed(names)}; "
            "it shows the class of its own choice."
        )
    keeps_class = entry.target is not None and not unknown and entry.target != entry.against
    shown = overlay_of(entry)
    if keeps_class:
        assert entry.target is not None
        against: Against = (
            "rest" if entry.against_rest else None if entry.against is None else names.index(entry.against)
        )
        shown |= {"target": names.index(entry.target), "against": against}
    pane.show(method, model, OverlaySettings(**shown), keeps_class=keeps_class)
    return problems


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_CLASSES
    return ", ".join(names[:MOST_CLASSES]) + (f" and {more} more" if more > 0 else "")
