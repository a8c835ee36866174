"""What people said about evidence, as DICOM Segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.sr.codedict import codes

from softcam_core.annotations.annotation import REST, VERDICTS, Annotation, Verdict
from softcam_core.annotations.masks import mask_of
from softcam_core.annotations.shapes import Bitmap
from softcam_core.errors import SettingsError
from softcam_core.export.dicom_files import algorithm, contribution, equipment, new_series, quietly, save, shortened
from softcam_core.export.dicom_source import DicomSource
from softcam_core.export.facts import Facts
from softcam_core.notice import NOTICE

_COLOURS: dict[Verdict, tuple[int, int, int]] = {
    "wrong": (0xFF, 0xCC, 0x66),
    "correct": (0x5A, 0xD1, 0x9A),
    "missed": (0xFF, 0x6B, 0x6B),
    "unsure": (0x93, 0xA0, 0xB4),
}


def write_annotation_segmentation(
    path: Path | str, source: DicomSource, annotations: Sequence[Annotation]
) -> Segmentation:
    """Write annotations of one image as a binary Segmentation (PS3.3 A.51), one segment each, in a new series.

    A segment is labelled by verdict and class; its description says who said it, of which map, and the comment. All are
    of the property "Selected region": nothing says what tissue is there. What was drawn has the type MANUAL; a region
    of a map that was pointed at is SEMIAUTOMATIC, its algorithm the model with the hash of its weights. A pixel is in a
    segment that covers it by half or more; segments may overlap. Tracking identifiers are those of the annotations, the
    same in every export. A file that is there is replaced as a whole.

    Parameters
    ----------
    path : Path or str
        Ends in .dcm.
    source : DicomSource
        The image that they are on.
    annotations : sequence of Annotation
        In the order of segments, from 1. Each covers a pixel.

    Returns
    -------
    Segmentation
        What was written.

    Raises
    ------
    SettingsError
        When there is no annotation, or the file cannot be written.
    ValueError
        For an annotation without a pixel.
    """
    if not annotations:
        raise SettingsError(path, "there is no annotation to write", "Ask for other verdicts, classes or reviewers.")
    masks = np.stack([mask_of(each.shape, source.image.size) for each in annotations], axis=-1)
    if not masks.any(axis=(0, 1)).all():
        raise ValueError("an annotation without a pixel has no segment")
    with quietly():
        dataset = Segmentation(
            source_images=[source.header()],
            pixel_array=masks[None].view(np.uint8),
            segmentation_type="BINARY",
            segment_descriptions=[_describe(number, each) for number, each in enumerate(annotations, 1)],
            **new_series("annotations"),
            **equipment(),
            content_label="ANNOTATIONS",
            content_description=shortened(NOTICE),
            series_description=shortened(f"Annotations. {NOTICE}"),
            contributing_equipment=contribution(),
        )
        dataset.ContentCreatorName = None
    save(path, dataset, source, comments=NOTICE)
    return dataset


def is_pointed_at(annotation: Annotation) -> bool:
    """Whether a place is a region of a map that was pointed at, and not one that was drawn.

    Such a region is made of the cells of a map; a brush paints pixels of the image.
    """
    shape = annotation.shape
    if not isinstance(shape, Bitmap) or not annotation.method:
        return False
    return shape.size != (shape.bottom - shape.top, shape.right - shape.left)


def told_of(annotation: Annotation) -> str:
    """What an annotation judges, in words: the class, what it was weighed against, and whose map."""
    against = {"": "", REST: " against all other classes"}.get(annotation.against, f" against {annotation.against}")
    level = "" if annotation.threshold is None else f" above {annotation.threshold:.6g} {annotation.unit}".rstrip()
    model = f" of model {annotation.model_name}" if annotation.model_name else ""
    weights = f" (weights sha256 {annotation.model_sha256})" if annotation.model_sha256 else ""
    whose = f", {annotation.method}{level}{model}{weights}" if annotation.method else ""
    return f"{annotation.class_name or 'No class'}{against}{whose}"


def facts_of_annotation(annotation: Annotation) -> Facts:
    """The same as other exports have it, for a region that was pointed at."""
    return Facts(
        target=annotation.class_name,
        unit=annotation.unit,
        method=annotation.method,
        method_title=annotation.method,
        model=annotation.model_name or "not named",
        model_sha256=annotation.model_sha256,
    )


def tracking_uid(annotation: Annotation) -> str:
    """Unique identifier that follows from the annotation's own (PS3.5 B.2)."""
    return f"2.25.{int(annotation.id, 16)}"


def _describe(number: int, annotation: Annotation) -> SegmentDescription:
    pointed_at = is_pointed_at(annotation)
    segment = SegmentDescription(
        segment_number=number,
        segment_label=shortened(f"{VERDICTS[annotation.verdict]}: {annotation.class_name or 'no class'}"),
        segmented_property_category=codes.cid7150.SpatialAndRelationalConcept,
        segmented_property_type=codes.DCM.SelectedRegion,
        algorithm_type="SEMIAUTOMATIC" if pointed_at else "MANUAL",
        algorithm_identification=_algorithm(annotation) if pointed_at else None,
        tracking_uid=tracking_uid(annotation),
        tracking_id=annotation.id,
        display_color=CIELabColor.from_rgb(*_COLOURS[annotation.verdict]),
    )
    said = f"{VERDICTS[annotation.verdict]}: {told_of(annotation)}"
    by = f". By {annotation.reviewer}" if annotation.reviewer else ""
    comment = f". {annotation.comment}" if annotation.comment else ""
    segment.SegmentDescription = shortened(f"{said}{by}{comment}", 1024)
    return segment


def _algorithm(annotation: Annotation) -> AlgorithmIdentificationSequence:
    level = {} if annotation.threshold is None else {"threshold": f"{annotation.threshold:.6g}"}
    return algorithm(facts_of_annotation(annotation), **level)
