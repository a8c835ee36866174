"""Evidence as DICOM Parametric Map: real numbers on the original pixels."""

from __future__ import annotations

from math import floor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from highdicom import VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.sr.codedict import codes

from softcam_core.explainers.explanation import Class, Explanation
from softcam_core.export.dicom_files import contribution, equipment, new_series, quietly, save, shortened
from softcam_core.export.dicom_source import DicomSource
from softcam_core.export.facts import Facts, facts_of

if TYPE_CHECKING:
    from softcam_core.explainers.base import About

_SHORT_STRING = 16


def write_parametric_map(
    path: Path | str, source: DicomSource, explanation: Explanation, target: Class, against: Class | None = None
) -> None:
    """Write the map of a class as a Parametric Map (PS3.3 A.75), float32, in a new series.

    The standard has no place for NaN: pixels outside the analysed area have a padding value, the whole number next
    below all values, named by Float Pixel Padding Value (PS3.3 C.7.6.24) and within the mapped range, because readers
    refuse values beyond it. Stored values are the real ones (slope 1, intercept 0) in UCUM's "no units"; the mapping's
    label tells logits from log-odds. It refers to the image, which it lies on pixel for pixel. A file that is there is
    replaced as a whole.

    Parameters and errors are those of `softcam_core.export.tiff.write_tiff`, with a source in the place of the image;
    the path ends in .dcm. An explanation of an image of another size is a ValueError.
    """
    facts = facts_of(explanation, target, against)
    values = explanation.on_image(target, against)
    if values.shape != source.image.size:
        raise ValueError(f"a map of {values.shape} pixels for an image of {source.image.size}")
    analysed = ~np.isnan(values)
    lowest, highest = float(values[analysed].min()), float(values[analysed].max())
    padding = float(floor(lowest) - 1)
    largest = max(-lowest, highest) or 1.0
    header = source.header()
    has_plane = "ImagePositionPatient" in header
    if not has_plane:
        header.update(_somewhere())
    with quietly():
        dataset = ParametricMap(
            source_images=[header],
            pixel_array=np.where(analysed, values, np.float32(padding)),
            **new_series("map"),
            **equipment(),
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[_mapping(explanation, facts, lowest if analysed.all() else padding, highest)],
            voi_lut_transformations=[
                VOILUTTransformation(window_center=0.0, window_width=2 * largest, voi_lut_function="LINEAR_EXACT")
            ],
            image_flavor="STATIC",
            content_label="EVIDENCE",
            content_description=shortened(facts.notice),
            series_description=shortened(f"Map. {facts.notice}"),
            contributing_equipment=contribution(facts),
        )
        dataset.ContentCreatorName = None
        if not has_plane:
            _forget_plane(dataset, source.plane)
        _add_anatomy(dataset)
        if not analysed.all():
            dataset.FloatPixelPaddingValue = padding
    save(path, dataset, source, comments=facts.summary())


def _mapping(explanation: Explanation, facts: Facts, lowest: float, highest: float) -> RealWorldValueMapping:
    return RealWorldValueMapping(
        lut_label=shortened(facts.unit or "relative", _SHORT_STRING),
        lut_explanation=shortened(f"{facts.method_title}: {facts.target}"),
        unit=codes.UCUM.NoUnits,
        value_range=(lowest, highest),
        slope=1.0,
        intercept=0.0,
        quantity_definition=_quantity(explanation.about),
    )


def _quantity(about: About) -> CodedConcept:
    """What the values are, of CID 7180."""
    named = codes.cid7180.ClassActivation if about.family in ("evidence", "cam") else codes.cid7180.Saliency
    return CodedConcept.from_code(codes.cid7180.GradientWeightedClassActivation if about.name == "gradcam" else named)


def _somewhere() -> Dataset:
    """A plane for highdicom, which fails for a map without one (0.28.2); `_forget_plane` takes it away."""
    plane = Dataset()
    plane.ImagePositionPatient, plane.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    plane.PixelSpacing, plane.SliceThickness = [1, 1], None
    return plane


def _forget_plane(dataset: Dataset, known: Dataset) -> None:
    """Leave no more than the spacing, where it is known, and number frames by label instead of position."""
    shared, frame = dataset.SharedFunctionalGroupsSequence[0], dataset.PerFrameFunctionalGroupsSequence[0]
    del shared.PlaneOrientationSequence, frame.PlanePositionSequence
    measures = Dataset()
    if "PixelSpacing" in known:
        measures.PixelSpacing = known.PixelSpacing
    # The group is required (PS3.3 table A.75-2), its contents are where they are known.
    shared.PixelMeasuresSequence = [measures]
    index = dataset.DimensionIndexSequence[0]
    index.DimensionIndexPointer = tag_for_keyword("FrameLabel")
    index.FunctionalGroupPointer = tag_for_keyword("FrameContentSequence")
    index.DimensionDescriptionLabel = "Frame Label"
    dataset.DimensionIndexSequence = [index]
    frame.FrameContentSequence[0].FrameLabel = "Map"
    frame.FrameContentSequence[0].DimensionIndexValues = [1]


def _add_anatomy(dataset: Dataset) -> None:
    """Add a group that the standard wants (PS3.3 table A.75-2) and highdicom leaves out; the region is not known."""
    anatomy = Dataset()
    anatomy.AnatomicRegionSequence = [CodedConcept.from_code(codes.SCT.BodyStructure)]
    anatomy.FrameLaterality = "U"
    dataset.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]
