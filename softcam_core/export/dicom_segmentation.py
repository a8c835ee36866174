"""Regions of evidence as DICOM Segmentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.sr.codedict import codes

from softcam_core.errors import SettingsError
from softcam_core.export.dicom_files import (
    algorithm,
    contribution,
    equipment,
    new_series,
    quietly,
    save,
    shortened,
)
from softcam_core.export.dicom_source import DicomSource
from softcam_core.export.facts import Facts
from softcam_core.ledger.regions import Ledger, Region

_COLOURS = {True: (0xFF, 0x9A, 0x3C), False: (0x4A, 0xA3, 0xFF)}  # for, against


def write_segmentation(
    path: Path | str, source: DicomSource, ledger: Ledger, facts: Facts, *, threshold: float
) -> None:
    """Write the regions of a ledger as a binary Segmentation (PS3.3 A.51), one segment a region, in a new series.

    Segments have the regions' names as labels; their descriptions give the exact contribution to the logit. All are of
    the property "Selected region": nothing says what tissue is there. The algorithm is the model with the hash of its
    weights, its type AUTOMATIC. Masks lie on the image pixel for pixel. A file that is there is replaced as a whole.

    Parameters
    ----------
    path : Path or str
        Ends in .dcm.
    source : DicomSource
    ledger : Ledger
        On the image's own pixels. Regions left out of ``ledger.regions`` are left out of the file.
    facts : Facts
        Of the evidence.
    threshold : float
        The ledger's level.

    Raises
    ------
    SettingsError
        When there is no region, or the file cannot be written.
    ValueError
        For a ledger on other pixels.
    """
    if ledger.labels.shape != source.image.size:
        raise ValueError(f"regions on {ledger.labels.shape} pixels for an image of {source.image.size}")
    if not ledger.regions:
        raise SettingsError(path, "there is no region above the threshold to write", "Lower the threshold.")
    # Segments are numbered from 1 without a gap.
    segments = np.zeros(int(ledger.labels.max()) + 1, dtype=np.uint16)
    segments[[region.number for region in ledger.regions]] = np.arange(1, len(ledger.regions) + 1)
    identification = algorithm(facts, threshold=f"{threshold:.6g}")
    with quietly():
        dataset = Segmentation(
            source_images=[source.header()],
            pixel_array=segments[ledger.labels],
            segmentation_type="BINARY",
            segment_descriptions=[
                _describe(number, region, facts, identification) for number, region in enumerate(ledger.regions, 1)
            ],
            **new_series("segmentation"),
            **equipment(),
            content_label="EVIDENCE_REGIONS",
            content_description=shortened(facts.notice),
            series_description=shortened(f"Regions. {facts.notice}"),
            contributing_equipment=contribution(facts),
        )
        dataset.ContentCreatorName = None
    save(path, dataset, source, comments=facts.summary())


def _describe(
    number: int, region: Region, facts: Facts, identification: AlgorithmIdentificationSequence
) -> SegmentDescription:
    segment = SegmentDescription(
        segment_number=number,
        segment_label=region.name,
        segmented_property_category=codes.cid7150.SpatialAndRelationalConcept,
        segmented_property_type=codes.DCM.SelectedRegion,
        algorithm_type="AUTOMATIC",
        algorithm_identification=identification,
        display_color=CIELabColor.from_rgb(*_COLOURS[region.positive]),
    )
    segment.SegmentDescription = (
        f"Evidence {'for' if region.positive else 'against'} {facts.target}: contributes {region.contribution:+.6g} "
        f"{facts.unit}, peak {region.peak:+.6g}, {region.area:.2%} of the analysed area"
    )[:1024]
    return segment
