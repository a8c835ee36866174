"""What of a case's annotation a map of a class can be held against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from softcam_viewer.model.cases import classes_in

if TYPE_CHECKING:
    from softcam_core.data.samples import Box
    from softcam_core.imaging.image import MedicalImage
    from softcam_viewer.model.cases import Case


class KnownAnnotation(NamedTuple):
    """Boxes or a mask that a map of a class can be held against, or why there are none.

    Attributes
    ----------
    boxes : tuple of Box
    mask : Path or None
        Counts before boxes.
    why_not : str
        A sentence; empty where there is something.
    """

    boxes: tuple[Box, ...] = ()
    mask: Path | None = None
    why_not: str = ""


def annotation_for(
    case: Case | None, image: MedicalImage, class_names: tuple[str, ...], target: int
) -> KnownAnnotation:
    """What of a case's annotation is of a class, as far as anybody said.

    Boxes that say what they are around count where that is the class. A mask, and boxes that do not say, are taken to
    be around what the case's label names; where that tells of no class of the model, they count.

    Parameters
    ----------
    case : Case or None
        None for an image that is not in the worklist.
    image : MedicalImage
    class_names : tuple of str
        Of the model.
    target : int
        Class that the map is of.
    """
    if case is None or not (case.boxes or case.mask):
        return KnownAnnotation(why_not="No box or mask of this case is known.")
    if image.frame > 0:
        return KnownAnnotation(why_not="What is annotated is annotated in the first frame.")
    labels = case.box_labels or ("",) * len(case.boxes)
    by_label = classes_in(case.label, class_names)
    is_of_label = by_label is None or target in by_label
    boxes = tuple(
        box
        for box, label in zip(case.boxes, labels, strict=True)
        if (target in (classes_in(label, class_names) or ()) if label else is_of_label)
    )
    mask = case.mask if is_of_label else None
    if boxes or mask:
        return KnownAnnotation(boxes, mask)
    around = ", ".join(dict.fromkeys(label or case.label for label in (labels or (case.label,))))
    return KnownAnnotation(why_not=f"What is annotated is {around}; this pane shows {class_names[target]}.")
