"""Weighing: what the prediction in the active pane is made of, and what it would be without some of it.

The core's ledger needs scipy, whose import takes as long as the window's: `softcam_viewer.model.backend` imports it off
the UI thread with whatever gives the first explanation, and the functions here have it then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Signal

from softcam_core.imaging.polygon import polygon_mask
from softcam_core.ledger.regions import Ledger, area_mm2, pixel_size_of
from softcam_core.ledger.what_if import WhatIf, without

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from softcam_viewer.model.overlay import OverlayMap
    from softcam_viewer.model.pane import PaneState
    from softcam_viewer.model.panes import Panes

Point = tuple[float, float]
Mask = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """A place drawn by hand.

    Attributes
    ----------
    name : str
        "L1", "L2", ...
    points : tuple of (float, float)
        Corners as (row, column) in pixels of the image; the last is joined to the first.
    """

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Seed:
    """Tells a region from others also after the threshold has moved: its peak is in it as long as it is there.

    Attributes
    ----------
    row, column : float
        The middle of the peak's pixel, as shares of the map's height and width, 0 to 1: they are known before the map.
    positive : bool
        True for evidence for the target.
    """

    row: float
    column: float
    positive: bool


class Weighing(QObject):
    """The ledger of the active pane, and which of it is left out.

    Regions that are left out stay so while the threshold moves, as long as their peaks are above it; each map has its
    own, which are left out again when one comes back to it. Shapes are the same in all maps. Both stay until another
    image comes into view.

    Parameters
    ----------
    panes : Panes
    """

    changed = Signal()

    def __init__(self, panes: Panes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panes = panes
        self.seeds: tuple[Seed, ...] = ()
        self._of: tuple[object, ...] = ()  # explanation and class of the map that they are on
        self._others: dict[tuple[object, ...], tuple[Seed, ...]] = {}  # on other maps of the image
        self._seen: tuple[object, ...] = ()
        self._film: object = None
        self.shapes: tuple[Shape, ...] = ()
        self.ledger: Ledger | None = None
        self.outcome: WhatIf | None = None
        self.mask: Mask | None = None
        panes.explanation_changed.connect(self._update)
        panes.overlay_changed.connect(self._update)

    @property
    def pane(self) -> PaneState:
        """The pane whose evidence is weighed."""
        return self._panes.active

    @property
    def overlay(self) -> OverlayMap | None:
        """The map that the ledger is of; None where there is no ledger."""
        return self.pane.overlay_map if self.ledger is not None else None

    @property
    def left_out(self) -> frozenset[int]:
        """Numbers of the regions that are left out."""
        if self.ledger is None:
            return frozenset()
        regions = self.ledger.regions
        found = ((self._number_at(seed), seed.positive) for seed in self.seeds)
        return frozenset(number for number, positive in found if number and regions[number - 1].positive == positive)

    def _number_at(self, seed: Seed) -> int:
        """Number of the region that a seed is in, 0 for none."""
        assert self.ledger is not None
        height, width = self.ledger.labels.shape
        return int(self.ledger.labels[int(seed.row * height), int(seed.column * width)])

    @property
    def names_left_out(self) -> tuple[str, ...]:
        """Of regions and shapes."""
        if self.ledger is None:
            return ()
        numbers = self.left_out
        return (*(r.name for r in self.ledger.regions if r.number in numbers), *(s.name for s in self.shapes))

    @property
    def places_left_out(self) -> tuple[tuple[int, int, bool], ...]:
        """Of the regions: row and column of a pixel of the image in each, and whether it is evidence for the target."""
        overlay = self.overlay
        if overlay is None or not self.left_out:
            return ()
        top, left, bottom, right = overlay.box
        return tuple(
            (int(top + seed.row * (bottom - top)), int(left + seed.column * (right - left)), seed.positive)
            for seed in self.seeds
            if self._number_at(seed) in self.left_out
        )

    def set_counted(self, number: int, *, counted: bool) -> None:
        """Count a region again, or leave it out."""
        if self.ledger is None or counted == (number not in self.left_out):
            return
        labels, region = self.ledger.labels, self.ledger.regions[number - 1]
        if counted:
            self.seeds = tuple(seed for seed in self.seeds if self._number_at(seed) != number)
        else:
            overlay = self.overlay
            assert overlay is not None
            inside = np.where(labels == number, np.abs(overlay.values), -1.0)
            row, column = np.unravel_index(int(inside.argmax()), inside.shape)
            height, width = inside.shape
            seed = Seed((int(row) + 0.5) / height, (int(column) + 0.5) / width, region.positive)
            self.seeds = (*self.seeds, seed)
        self._weigh()
        self.changed.emit()

    def put_back(self, seeds: Iterable[Seed], shapes: Iterable[Shape]) -> None:
        """Leave out what was left out of the active pane's map before, from now on or as soon as that map is there."""
        pane = self.pane
        self.seeds, self.shapes = tuple(seeds), tuple(shapes)
        self._film = pane.film.opened
        source = pane if pane.explanation is None else pane.explanation
        self._of = (source, pane.overlay.target, pane.overlay.against)
        self._weigh()
        self.changed.emit()

    def count_all(self) -> None:
        """Count everything of this map again, and all shapes."""
        self.seeds, self.shapes = (), ()
        self._weigh()
        self.changed.emit()

    def add_shape(self, points: Sequence[Point]) -> None:
        """Leave out what lies in a shape; corners as (row, column) in pixels of the image."""
        taken = {shape.name for shape in self.shapes}
        name = next(name for n in range(1, len(taken) + 2) if (name := f"L{n}") not in taken)
        self.shapes = (*self.shapes, Shape(name, tuple(points)))
        self._weigh()
        self.changed.emit()

    def remove_shape(self, name: str) -> None:
        """Count again what lies in a shape."""
        self.shapes = tuple(shape for shape in self.shapes if shape.name != name)
        self._weigh()
        self.changed.emit()

    def contribution_of(self, mask: Mask) -> float:
        """What a place gives to the logit or the log-odds; (h, w) coverage of the map's pixels, 0 to 1."""
        overlay = self.overlay
        return 0.0 if overlay is None or overlay.shares is None else float((overlay.shares * mask).sum())

    def mask_of(self, shape: Shape) -> Mask:
        """Coverage of the map's pixels by a shape, (h, w), 0 to 1; there is a ledger."""
        overlay = self.overlay
        assert overlay is not None
        top, left, bottom, right = overlay.box
        height, width = overlay.raster.image_size
        down, across = height / (bottom - top), width / (right - left)
        points = [((row - top) * down, (column - left) * across) for row, column in shape.points]
        mask: Mask = polygon_mask(points, (height, width))
        return mask

    def area_mm2(self, pixels: int) -> float | None:
        """Area of pixels of the ledger in square millimetres; None where the image does not know how large it is."""
        overlay, image = self.overlay, self.pane.film.image
        if overlay is None or image is None or image.spacing is None or self.pane.explanation is None:
            return None
        size = pixel_size_of(self.pane.explanation.geometry, overlay.raster.image_size)
        return area_mm2(pixels, image.spacing, size)

    # What follows from it

    def _update(self) -> None:
        """The active pane, its map or its threshold may be others."""
        pane = self.pane
        overlay, settings = pane.overlay_map, pane.overlay
        is_emptied = False
        if pane.film.opened is not self._film:
            is_emptied = bool(self.seeds or self.shapes)  # which is told before there is a map of the new image
            self._film = pane.film.opened
            self.shapes, self.seeds = (), ()
            self._others.clear()
        if overlay is not None:
            classes = (settings.target, settings.against)
            before, self._of = self._of, (pane.explanation, *classes)
            if before not in (self._of, (pane, *classes)):  # the regions of another map are others
                self._others[before] = self.seeds
                self.seeds = self._others.pop(self._of, ())
        seen = (overlay, settings.threshold, settings.sign)
        if seen == self._seen and not is_emptied:
            return
        self._seen = seen
        self.ledger = None
        if overlay is not None and overlay.shares is not None:
            from softcam_core.ledger.regions import make_ledger

            level = settings.threshold * overlay.scale
            sign = settings.sign if overlay.signed else "both"
            self.ledger = make_ledger(overlay.values, overlay.shares, level, offset=overlay.offset, sign=sign)
        self._weigh()
        self.changed.emit()

    def _weigh(self) -> None:
        self.mask = self.outcome = None
        overlay, explanation = self.overlay, self.pane.explanation
        if self.ledger is None or overlay is None or explanation is None:
            return
        numbers = self.left_out
        if not numbers and not self.shapes:
            return

        mask = np.isin(self.ledger.labels, list(numbers)).astype(np.float32)
        for shape in self.shapes:
            np.maximum(mask, self.mask_of(shape), out=mask)
        self.mask, self.outcome = mask, without(explanation, mask, overlay.raster)
