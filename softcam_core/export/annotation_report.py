"""What people said about evidence, as a DICOM Structured Report."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, tzinfo
from pathlib import Path

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    ImageRegion,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegmentationFrame,
    SourceImageForRegion,
    SourceImageForSegmentation,
    TextContentItem,
    TrackingIdentifier,
)
from highdicom.sr.templates import DeviceObserverIdentifyingAttributes
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from softcam_core.annotations.annotation import REST, VERDICTS, Annotation
from softcam_core.annotations.masks import area_within
from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle, Shape
from softcam_core.errors import SettingsError
from softcam_core.export.annotation_segmentation import is_pointed_at, told_of, tracking_uid
from softcam_core.export.dicom_files import (
    MANUFACTURER,
    MODEL_NAME,
    contribution,
    equipment,
    new_series,
    quietly,
    shortened,
    write_instance,
)
from softcam_core.export.dicom_source import DicomSource
from softcam_core.notice import NOTICE

SCHEME = "99SOFTCAM"
"""Designator of our own codes, which the standard has none for: verdicts, classes, and what goes with them."""

_PERSON_NAME = 64
_PIXELS = CodedConcept("{pixels}", "UCUM", "pixels")
_CONFIDENCE = CodedConcept("confidence", SCHEME, "Confidence of the observer")
_IMAGING = CodedConcept("363679005", "SCT", "Imaging")


def write_annotation_report(
    path: Path | str,
    source: DicomSource,
    annotations: Sequence[Annotation],
    *,
    reviewer: str = "",
    segmentation: Dataset | None = None,
    segments: Sequence[Annotation] = (),
) -> None:
    """Write annotations of one image by one reviewer as a Comprehensive SR, TID 1500 "Measurement Report".

    Each is a planar region of interest (TID 1410) with its tracking identifier, the class as finding, the verdict as
    qualitative evaluation, the area in mm² (in pixels where the spacing is not known), confidence, comment and the map
    that was judged. Places are coordinates where the standard has such a graphic (`has_graphic`), and else a segment of
    a Segmentation. The reviewer is the observing person; without a name the observer is the software. The report is
    partial and not verified. A file that is there is replaced as a whole.

    Parameters
    ----------
    path : Path or str
        Ends in .dcm.
    source : DicomSource
        The image that they are on.
    annotations : sequence of Annotation
        At least one.
    reviewer : str
        Who made them.
    segmentation : Dataset, optional
        As `softcam_core.export.annotation_segmentation.write_annotation_segmentation` gave it.
    segments : sequence of Annotation
        In the order of its segments.

    Raises
    ------
    SettingsError
        When there is no annotation, or the file cannot be written.
    ValueError
        For an annotation that has neither a graphic nor a segment.
    """
    if not annotations:
        raise SettingsError(path, "there is no annotation to write", "Ask for other verdicts, classes or reviewers.")
    header = source.header()
    header.SOPClassUID = source.class_uid
    numbers = {each.id: number for number, each in enumerate(segments, 1)}
    now = datetime.now().astimezone()  # highdicom writes times of here, too
    with quietly():
        groups = [_group(each, source, segmentation, numbers, now) for each in annotations]
        report = MeasurementReport(
            observation_context=ObservationContext(observer_person_context=_observer(reviewer)),
            procedure_reported=_IMAGING,
            imaging_measurements=groups,
        )
        report[0].ContentSequence.append(TextContentItem(codes.DCM.Comment, NOTICE, "CONTAINS"))
        refers = any(each.id in numbers and not has_graphic(each.shape, source.image.size) for each in annotations)
        dataset = ComprehensiveSR(
            evidence=[header, *([segmentation] if segmentation is not None and refers else [])],
            content=report,
            **new_series("report"),
            manufacturer=MANUFACTURER,
            contributing_equipment=contribution(),
        )
        for keyword, value in _EQUIPMENT.items():
            setattr(dataset, keyword, value)
        dataset.TimezoneOffsetFromUTC = now.strftime("%z")
        dataset.SeriesDescription = shortened(f"Annotations. {NOTICE}")
        dataset.CodingSchemeIdentificationSequence = [_scheme()]
    write_instance(path, dataset, source)


_EQUIPMENT = {
    **{"Manufacturer": MANUFACTURER, "ManufacturerModelName": MODEL_NAME},
    **{"SoftwareVersions": equipment()["software_versions"], "DeviceSerialNumber": equipment()["device_serial_number"]},
}


def has_graphic(shape: Shape, image_size: tuple[int, int]) -> bool:
    """Whether coordinates of a Structured Report can hold a shape: a rectangle, or what else lies within.

    A rectangle may reach beyond the image, and is cut off there. Bitmaps have no graphic. Polygons that cross
    themselves are left to Segmentations: nothing in a report says which places are inside.
    """
    if isinstance(shape, Bitmap):
        return False
    height, width = image_size
    top, left, bottom, right = shape.bounds
    if isinstance(shape, Rectangle):
        return top < height and left < width and bottom > 0 and right > 0
    is_within = top >= 0 and left >= 0 and bottom <= height and right <= width
    return is_within and not (isinstance(shape, Polygon) and shape.crosses_itself)


def _graphic(shape: Rectangle | Ellipse | Polygon, image_size: tuple[int, int]) -> tuple[str, np.ndarray]:
    """Type of a graphic and its points as (column, row), with 0, 0 the upper left corner of the first pixel."""
    if isinstance(shape, Ellipse):
        rows = [(shape.row - shape.down, shape.column), (shape.row + shape.down, shape.column)]
        columns = [(shape.row, shape.column - shape.across), (shape.row, shape.column + shape.across)]
        points = [*rows, *columns] if shape.down >= shape.across else [*columns, *rows]  # the longer axis first
        return "ELLIPSE", np.array(points)[:, ::-1]
    points = [*shape.outline[0], shape.outline[0][0]]
    return "POLYLINE", np.clip(np.array(points), 0, image_size)[:, ::-1]


def _group(
    annotation: Annotation,
    source: DicomSource,
    segmentation: Dataset | None,
    numbers: dict[str, int],
    now: datetime,
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    size = source.image.size
    region = segment = None
    frames = None if source.frame_number is None else [source.frame_number]
    shape = annotation.shape
    if not isinstance(shape, Bitmap) and has_graphic(shape, size):
        kind, points = _graphic(shape, size)
        region = ImageRegion(kind, points, SourceImageForRegion(source.class_uid, source.instance_uid, frames))
    elif segmentation is not None and annotation.id in numbers:
        number = numbers[annotation.id]  # of its frame too: each segment has one
        image = SourceImageForSegmentation(source.class_uid, source.instance_uid, frames)
        segment = ReferencedSegmentationFrame(
            segmentation.SOPClassUID, segmentation.SOPInstanceUID, number, number, source_image=image
        )
    else:
        raise ValueError("an annotation without a graphic needs a segment")
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=tracking_uid(annotation), identifier=annotation.id),
        referenced_region=region,
        referenced_segment=segment,
        finding_type=_class(annotation.class_name),
        algorithm_id=_algorithm(annotation) if is_pointed_at(annotation) else None,
        measurements=_measurements(annotation, source),
        qualitative_evaluations=_evaluations(annotation),
    )
    content = group[0].ContentSequence
    if annotation.method or annotation.model_name:
        judged = CodedConcept("judged", SCHEME, "Map that was judged")
        content.append(TextContentItem(judged, told_of(annotation), "CONTAINS"))
    if annotation.comment:
        content.append(TextContentItem(codes.DCM.Comment, annotation.comment, "CONTAINS"))
    if made := _date(annotation.created, now.tzinfo):
        group[0].ObservationDateTime = made
    return group


def _measurements(annotation: Annotation, source: DicomSource) -> list[Measurement]:
    area = area_within(annotation.shape, source.image.size)
    spacing = source.image.spacing
    if spacing is None:
        found = [Measurement(codes.SCT.Area, float(f"{area:.8g}"), _PIXELS)]
    else:
        real = float(f"{area * spacing[0] * spacing[1]:.8g}")
        found = [Measurement(codes.SCT.Area, real, codes.UCUM.SquareMillimeter)]
    if annotation.confidence is not None:
        found.append(Measurement(_CONFIDENCE, float(f"{annotation.confidence:.8g}"), codes.UCUM.NoUnits))
    return found


def _evaluations(annotation: Annotation) -> list[QualitativeEvaluation]:
    verdict = CodedConcept(annotation.verdict, SCHEME, VERDICTS[annotation.verdict])
    found = [QualitativeEvaluation(CodedConcept("verdict", SCHEME, "Verdict on the evidence"), verdict)]
    if annotation.against:
        others = CodedConcept(REST, SCHEME, "All other classes")
        against = others if annotation.against == REST else _class(annotation.against)
        found.append(QualitativeEvaluation(CodedConcept("against", SCHEME, "Weighed against"), against))
    return found


def _class(name: str) -> CodedConcept:
    """A code for a class, the same wherever its name is the same."""
    code = f"class-{hashlib.sha256(name.encode()).hexdigest()[:10]}"  # 16 letters is the most
    return CodedConcept(code, SCHEME, shortened(name) or "No class")


def _algorithm(annotation: Annotation) -> AlgorithmIdentification:
    level = [] if annotation.threshold is None else [f"threshold={annotation.threshold:.6g}"]
    return AlgorithmIdentification(
        name=shortened(annotation.model_name) or "not named",
        version=annotation.model_sha256 or "not saved",
        parameters=[f"method={annotation.method}", *level],
    )


def _observer(reviewer: str) -> ObserverContext:
    # Parts of a name are not known, and their separators stand for none.
    name = shortened("".join(" " if letter in "^=\\" else letter for letter in reviewer), _PERSON_NAME)
    if name:
        return ObserverContext(codes.DCM.Person, PersonObserverIdentifyingAttributes(name=name))
    return ObserverContext(
        codes.DCM.Device,
        DeviceObserverIdentifyingAttributes(
            uid=str(generate_uid(entropy_srcs=[MODEL_NAME])), manufacturer_name=MANUFACTURER, model_name=MODEL_NAME
        ),
    )


def _date(seconds: float, zone: tzinfo | None) -> str:
    try:
        return datetime.fromtimestamp(seconds, zone).strftime("%Y%m%d%H%M%S")
    except (OverflowError, ValueError, OSError):  # beyond the years that this system's calendar knows
        return ""


def _scheme() -> Dataset:
    """Item of the Coding Scheme Identification Sequence (PS3.3 C.12.1)."""
    item = Dataset()
    item.CodingSchemeDesignator, item.CodingSchemeName = SCHEME, "Codes of SoftCAM"
    item.CodingSchemeResponsibleOrganization = MANUFACTURER
    return item
