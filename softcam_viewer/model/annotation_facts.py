"""What the map in view tells of the place of an annotation: which region it is, how large, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from softcam_core.annotations.shapes import Shape
from softcam_viewer.model.judged import context_of
from softcam_viewer.model.ledger_lines import share_text

if TYPE_CHECKING:
    from softcam_core.annotations.annotation import Annotation
    from softcam_core.ledger.regions import Ledger
    from softcam_viewer.model.weighing import Weighing

ALL_BUT = 0.05
"""Of a region and of a place that may lie outside the other, for the place to be called by the region's name."""
KEPT = 512

Coverage = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class AnnotationFacts:
    """What is known of a place.

    Attributes
    ----------
    region : str
        Name in the ledger; "" where it is no region of it.
    area : float
        Share of the analysed area, 0 to 1.
    contribution : float or None
        To the logit or the log-odds; None where the map in view is no evidence, or of another class.
    share : str
        Of the logit or the log-odds; "" where that is too near to zero to be a measure.
    """

    region: str = ""
    area: float = 0.0
    contribution: float | None = None
    share: str = ""


def facts_of(annotation: Annotation, weighing: Weighing) -> AnnotationFacts:
    """What the active pane's map tells of an annotation's place."""
    overlay, ledger = weighing.pane.overlay_map, weighing.ledger
    if overlay is None:
        return AnnotationFacts()
    size = overlay.raster.image_size
    at, part = _coverage(annotation.shape, overlay.box, size)
    area = float(part.sum(dtype=np.float64)) / (size[0] * size[1])
    context = context_of(weighing.pane)
    is_of_map = all(getattr(annotation, name) == context.get(name) for name in ("class_name", "against"))
    if ledger is None or overlay.shares is None or not is_of_map:
        return AnnotationFacts(area=area)
    contribution = float((overlay.shares[at] * part).sum())
    return AnnotationFacts(_region(ledger, at, part), area, contribution, share_text(contribution, ledger.total))


def _region(ledger: Ledger, at: tuple[slice, slice], part: Coverage) -> str:
    inside = ledger.labels[at][part > 0.5]
    number = int(np.bincount(inside).argmax()) if inside.size else 0
    if not number:
        return ""
    region = ledger.regions[number - 1]
    common = int((inside == number).sum())
    is_it = common >= (1 - ALL_BUT) * inside.size and common >= (1 - ALL_BUT) * region.pixels
    return region.name if is_it else ""


@lru_cache(KEPT)
def _coverage(shape: Shape, box: Box, size: tuple[int, int]) -> tuple[tuple[slice, slice], Coverage]:
    """Which pixels of a raster of a box of the image a shape covers: a part of the raster, and how much of each."""
    top, left, bottom, right = box
    on_raster = shape.moved(-top, -left).scaled(size[0] / (bottom - top), size[1] / (right - left))
    edges = on_raster.bounds
    first = [int(np.clip(np.floor(edge), 0, count)) for edge, count in zip(edges[:2], size, strict=True)]
    last = [
        int(np.clip(np.ceil(edge), start, count)) for edge, start, count in zip(edges[2:], first, size, strict=True)
    ]
    at = slice(first[0], last[0]), slice(first[1], last[1])
    within = last[0] - first[0], last[1] - first[1]
    part = on_raster.moved(-float(first[0]), -float(first[1])).coverage(within) if all(within) else np.zeros(within)
    return at, np.asarray(part, np.float32)
