"""Tools: what the left button does on an image, what was measured with it, and what is drawn beside the maps."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Signal

from softcam_viewer.model.measure import Measure

MAGNIFICATIONS = (2, 3, 4)
BRUSH_RADII = (1, 100)
"""Smallest and largest, in pixels of the screen."""
BRUSH_STEP = 1.25


@dataclass(frozen=True, slots=True)
class Tool:
    """What the left button does.

    Attributes
    ----------
    name : str
        Key in TOOLS.
    title : str
    hint : str
        What the mouse does with it, for the status line.
    group : {"reading", "annotating"}
        What it is for.
    """

    name: str
    title: str
    hint: str
    group: Literal["reading", "annotating"] = "reading"


_VIEWING = "Middle: pan    Right or Ctrl+wheel: zoom    Wheel: next case"
TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("window", "Window/level", f"Left: window/level    {_VIEWING}    Space: hide overlay"),
        Tool(
            "ruler",
            "Ruler",
            f"Left: measure from where it is pressed to where it is let go, or drag an end    "
            f"Delete: remove the one under the cursor    Esc: window/level    {_VIEWING}",
        ),
        Tool(
            "angle",
            "Angle",
            f"Left: drag the first arm to the vertex, then click the end of the second, or drag an end    "
            f"Delete: remove the one under the cursor    Esc: window/level    {_VIEWING}",
        ),
        Tool(
            "lasso",
            "Lasso: what without this?",
            f"Left: draw around what is to be left out    "
            f"Delete: remove the shape under the cursor    Esc: window/level    {_VIEWING}",
        ),
        Tool(
            "magnifier",
            "Magnifier",
            f"Left click: 2, 3 or 4 times as large    Left drag: window/level    Esc: put it away    {_VIEWING}",
        ),
        Tool(
            "flag",
            "Flag a region of the map",
            f"Left click: flag the region under the cursor    Left drag: window/level    "
            f"Esc: window/level    {_VIEWING}",
            "annotating",
        ),
        Tool(
            "rectangle",
            "Draw a rectangle",
            f"Left: drag from corner to corner, with Shift a square    Esc: window/level    {_VIEWING}",
            "annotating",
        ),
        Tool(
            "ellipse",
            "Draw an ellipse",
            f"Left: drag from corner to corner, with Shift a circle    Esc: window/level    {_VIEWING}",
            "annotating",
        ),
        Tool(
            "polygon",
            "Draw a polygon",
            f"Left: click corner after corner    Double click, Enter or the first corner: close    "
            f"Backspace: take back    Esc: give up    {_VIEWING}",
            "annotating",
        ),
        Tool(
            "freehand",
            "Draw freehand",
            f"Left: draw around a place    Esc: window/level    {_VIEWING}",
            "annotating",
        ),
        Tool(
            "brush",
            "Paint with a brush",
            f"Left: paint, also on to what is selected    Shift+wheel: size    Esc: window/level    {_VIEWING}",
            "annotating",
        ),
        Tool(
            "eraser",
            "Erase with a brush",
            f"Left: take away from what is selected, or lies on top    Shift+wheel: size    "
            f"Esc: window/level    {_VIEWING}",
            "annotating",
        ),
        Tool(
            "edit",
            "Select and change annotations",
            f"Left: select, drag it or a handle    Double click on a side: new corner    "
            f"Delete: remove corner or annotation    Arrows: move, with Shift by 10    Esc: window/level    {_VIEWING}",
            "annotating",
        ),
    )
}


class Tools(QObject):
    """The tool in use, the same in all panes, and the measures of each image."""

    tool_changed = Signal()
    shown_changed = Signal()  # crosshair, cells, annotations or marks were switched on or off
    measures_changed = Signal()
    brush_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.active = TOOLS["window"]
        self.magnification = MAGNIFICATIONS[0]
        self.shows_crosshair = True
        self.shows_cells = False
        self.shows_annotations = True
        self.shows_marks = True
        self.brush_radius = 12
        self._measures: dict[Hashable, tuple[Measure, ...]] = {}

    def use(self, name: str) -> None:
        """Take a tool; raises KeyError for one that there is not. One that annotates shows what is annotated."""
        tool = TOOLS[name]
        if tool is not self.active:
            self.active = tool
            self.tool_changed.emit()
        if tool.group == "annotating":
            self.show_marks(on=True)

    def toggle(self, name: str) -> None:
        """Take a tool, or put it away where it is in use."""
        self.use("window" if self.active.name == name else name)

    def magnify_more(self) -> None:
        """Go to the next magnification, from the last to the first."""
        at = MAGNIFICATIONS.index(self.magnification)
        self.magnify(MAGNIFICATIONS[(at + 1) % len(MAGNIFICATIONS)])

    def show_crosshair(self, *, on: bool) -> None:
        """Show in all panes where the cursor is, and each one's value there."""
        self._show("shows_crosshair", on=on)

    def show_cells(self, *, on: bool) -> None:
        """Outline the grid cell under the cursor and what the network sees from there."""
        self._show("shows_cells", on=on)

    def show_annotations(self, *, on: bool) -> None:
        """Show boxes and masks that are known of the case."""
        self._show("shows_annotations", on=on)

    def show_marks(self, *, on: bool) -> None:
        """Show what people said about places of the case."""
        self._show("shows_marks", on=on)

    def set_brush_radius(self, radius: int) -> None:
        """Take a brush of another size: pixels of the screen, held within BRUSH_RADII."""
        radius = min(max(radius, BRUSH_RADII[0]), BRUSH_RADII[1])
        if radius != self.brush_radius:
            self.brush_radius = radius
            self.brush_changed.emit()

    def step_brush(self, steps: int) -> None:
        """Make the brush so many steps larger, or smaller where they are below zero."""
        radius = round(self.brush_radius * BRUSH_STEP**steps)
        if steps and radius == self.brush_radius:
            radius += 1 if steps > 0 else -1
        self.set_brush_radius(radius)

    def magnify(self, factor: int) -> None:
        """Take another magnification, one of MAGNIFICATIONS."""
        if factor in MAGNIFICATIONS and factor != self.magnification:
            self.magnification = factor
            self.shown_changed.emit()

    def _show(self, name: str, *, on: bool) -> None:
        if getattr(self, name) != on:
            setattr(self, name, on)
            self.shown_changed.emit()

    # What was measured

    @property
    def measured(self) -> dict[Hashable, tuple[Measure, ...]]:
        """The measures of all images that have any."""
        return dict(self._measures)

    def put_back(self, measured: Mapping[Hashable, tuple[Measure, ...]]) -> None:
        """Show these measures and no others."""
        self._measures = {image: measures for image, measures in measured.items() if measures}
        self.measures_changed.emit()

    def measures_of(self, image: Hashable) -> tuple[Measure, ...]:
        """What was measured on an image, in the order in which it was drawn."""
        return self._measures.get(image, ())

    def add(self, image: Hashable, measure: Measure) -> None:
        """Keep a measure."""
        self._set(image, (*self.measures_of(image), measure))

    def replace(self, image: Hashable, index: int, measure: Measure) -> None:
        """Keep another measure in the place of one."""
        measures = list(self.measures_of(image))
        measures[index] = measure
        self._set(image, tuple(measures))

    def remove(self, image: Hashable, index: int) -> None:
        """Forget a measure."""
        measures = self.measures_of(image)
        self._set(image, measures[:index] + measures[index + 1 :])

    def clear(self, image: Hashable) -> None:
        """Forget all measures of an image."""
        if self.measures_of(image):
            self._set(image, ())

    def _set(self, image: Hashable, measures: tuple[Measure, ...]) -> None:
        if measures:
            self._measures[image] = measures
        else:
            self._measures.pop(image, None)
        self.measures_changed.emit()
