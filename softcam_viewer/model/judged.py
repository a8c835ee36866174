"""What is judged when somebody points at a map: the region there, and whose evidence it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from softcam_core.annotations.annotation import REST, Annotation
from softcam_core.annotations.shapes import Bitmap, Polygon, Shape
from softcam_core.imaging.polygon import polygon_mask
from softcam_viewer.model.methods import CHANGE

if TYPE_CHECKING:
    from softcam_viewer.model.film import Film
    from softcam_viewer.model.overlay import OverlayMap, OverlaySettings
    from softcam_viewer.model.pane import PaneState
    from softcam_viewer.model.weighing import Weighing

LEAST_AREA = 0.01
"""Pixels of the image that a place must cover to be one."""
LONGEST_NAME = 200
SHOWS_CHANGE = "This pane shows what changed. Flag evidence in the pane before or after."
CELLS = 64
"""A side, by which the area of a polygon is told from none."""

Labels = npt.NDArray[np.int32]


class UnsayableError(ValueError):
    """Something that cannot be said of an image; tells why in a sentence."""


def context_of(pane: PaneState) -> dict[str, Any]:
    """What a pane shows, as fields of `softcam_core.annotations.annotation.Annotation`."""
    if pane.model is None:
        return {"class_name": ""}
    names, settings = pane.model.card.class_names, pane.overlay
    against = settings.against
    fields: dict[str, Any] = {
        "class_name": names[settings.target][:LONGEST_NAME] if settings.target < len(names) else "",
        "against": REST if against == REST else "" if against is None else names[int(against)][:LONGEST_NAME],
        "model_name": pane.model.card.name[:LONGEST_NAME],
        "model_sha256": pane.model.card.sha256,
    }
    overlay = pane.overlay_map
    if overlay is not None:
        fields |= {
            "method": pane.method[:LONGEST_NAME],
            "threshold": float(settings.threshold * overlay.scale * overlay.factor),
            "unit": overlay.unit,
        }
    return fields


def labels_of(overlay: OverlayMap, settings: OverlaySettings) -> Labels:
    """Regions of a map that has no ledger, (h, w): what hangs together above the threshold, each sign by itself.

    They are numbered from 1; 0 is in none.
    """
    # At 0 all places with a value are in a region, and those without are in none.
    level = max(settings.threshold * overlay.scale, float(np.finfo(np.float32).tiny))
    sign = settings.sign if overlay.signed else "both"
    labels = np.zeros(overlay.values.shape, np.int32)
    for is_there, mask in (
        (sign != "negative", overlay.values >= level),
        (sign != "positive", overlay.values <= -level),
    ):
        if is_there:
            _, found = cv2.connectedComponents(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
            labels = np.where(mask, found + labels.max(), labels)
    return labels


def region_at(weighing: Weighing, film: Film, row: float, column: float) -> Bitmap:
    """The region of the active pane's map under a place of the image of a film, in its pixels.

    Raises
    ------
    UnsayableError
        Where there is none.
    """
    pane = weighing.pane
    overlay = pane.overlay_map
    if pane.film is not film:
        raise UnsayableError("This pane keeps another case. Point at a pane with the case that is to be annotated.")
    if pane.method == CHANGE:
        raise UnsayableError(SHOWS_CHANGE)
    if overlay is None:
        raise UnsayableError("There is no map in this pane to point at. Open a model, or draw where something is.")
    if not pane.overlay.visible:
        raise UnsayableError("The overlay is hidden. Show it to point at its evidence.")
    top, left, bottom, right = overlay.box
    if not (top <= row < bottom and left <= column < right):
        raise UnsayableError("The model has not seen this part of the image. Draw where something is.")
    labels = weighing.ledger.labels if weighing.ledger is not None else labels_of(overlay, pane.overlay)
    height, width = labels.shape
    at = (
        min(int((row - top) / (bottom - top) * height), height - 1),
        min(int((column - left) / (right - left) * width), width - 1),
    )
    number = int(labels[at])
    shape = Bitmap.of(labels == number, overlay.box) if number else None
    if shape is None:
        raise UnsayableError("No evidence above the threshold lies there. Lower the threshold, or draw.")
    return shape


def region_of(weighing: Weighing, number: int) -> Bitmap | None:
    """A region of the ledger by its number; None where there is no ledger, or no such region.

    Raises
    ------
    UnsayableError
        Where the ledger is of no evidence that could be flagged.
    """
    if weighing.pane.method == CHANGE:
        raise UnsayableError(SHOWS_CHANGE)
    overlay, ledger = weighing.overlay, weighing.ledger
    return None if overlay is None or ledger is None else Bitmap.of(ledger.labels == number, overlay.box)


def why_nothing(shape: Shape, size: tuple[int, int]) -> str:
    """Why a shape is no place on an image of a size (height, width), a sentence; "" where it is one."""
    top, left, bottom, right = shape.bounds
    top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, size[0]), min(right, size[1])
    if isinstance(shape, Bitmap) and not any(shape.counts[1::2]):
        return "The shape has no area."
    if shape.bounds[0] >= size[0] or shape.bounds[1] >= size[1] or shape.bounds[2] <= 0 or shape.bounds[3] <= 0:
        return "The shape lies beside the image."
    area = (bottom - top) * (right - left)
    if isinstance(shape, Polygon) and area >= LEAST_AREA:
        # On a few cells of its own box, however large the image is.
        corners = (np.asarray(shape.points) - (top, left)) * (CELLS / (bottom - top), CELLS / (right - left))
        area *= float(polygon_mask(corners, (CELLS, CELLS)).mean())
    return "The shape has no area." if area < LEAST_AREA else ""


def is_said_of_same(annotation: Annotation, fields: Mapping[str, Any]) -> bool:
    """Whether an annotation is of the place, the class and the reviewer that fields of another one tell."""
    names = ("frame", "class_name", "against", "reviewer", "shape")
    return all(getattr(annotation, name) == fields.get(name, "") for name in names)
