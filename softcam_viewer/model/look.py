"""Look: how a window shows a session, as far as only the window knows it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from softcam_viewer.model.measure import Measure
from softcam_viewer.model.session_file import MeasureEntry, SessionFile, ShownEntry, ViewEntry
from softcam_viewer.model.tools import Tools


@dataclass(frozen=True, slots=True)
class Look:
    """How a window shows a session.

    Attributes
    ----------
    view : ViewEntry or None
        What part of the image is shown; None for all of it.
    shown : ShownEntry
        What is shown beside the maps.
    measured : mapping of (Path, int) to tuple of Measure
        What was measured on which frame of which file.
    """

    view: ViewEntry | None = None
    shown: ShownEntry = field(default_factory=ShownEntry)
    measured: Mapping[Hashable, tuple[Measure, ...]] = field(default_factory=dict)

    @classmethod
    def of_file(cls, content: SessionFile, *, same_image: bool) -> Look:
        """What a session file tells; all of the image where another one is in view."""
        measured: dict[Hashable, tuple[Measure, ...]] = {
            (entry.path, entry.frame): tuple(Measure(measure.kind, measure.points) for measure in entry.measures)
            for entry in content.measured
        }
        return cls(content.view if same_image else None, content.shown, measured)

    def put_back_tools(self, tools: Tools) -> None:
        """Show with the tools what was shown with them. Those that draw stay put away: a click should not surprise."""
        tools.show_crosshair(on=self.shown.crosshair)
        tools.show_cells(on=self.shown.cells)
        tools.show_annotations(on=self.shown.annotations)
        tools.magnify(self.shown.magnification)
        tools.use("magnifier" if self.shown.magnifier else "window")
        tools.put_back(self.measured)


def shown_by(tools: Tools, *, waterfall: bool, curves: bool) -> ShownEntry:
    """What is shown beside the maps; see `ShownEntry`."""
    return ShownEntry.model_validate(
        {
            "crosshair": tools.shows_crosshair,
            "cells": tools.shows_cells,
            "annotations": tools.shows_annotations,
            "magnifier": tools.active.name == "magnifier",
            "magnification": tools.magnification,
            "waterfall": waterfall,
            "curves": curves,
        }
    )


def measure_entry(measure: Measure) -> MeasureEntry:
    """A measure as a session file has it."""
    return MeasureEntry(kind=measure.kind, points=measure.points)
