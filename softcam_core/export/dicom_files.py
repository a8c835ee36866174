"""What all DICOM exports have in common: who made them, what they refer to, and how they are written."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from highdicom import AlgorithmIdentificationSequence, ContributingEquipment
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from softcam_core.export.dicom_source import DicomSource
from softcam_core.export.facts import Facts
from softcam_core.files import write_whole
from softcam_core.notice import NOTICE
from softcam_core.version import __version__

# highdicom logs what it copies and finds odd. No handler of ours or of a notebook shall get to see that.
logging.getLogger("highdicom").propagate = False

MANUFACTURER = "SoftCAM"
MODEL_NAME = "softcam"

Kind = Literal["image", "segmentation", "map", "capture", "annotations", "report"]
# Series of exports follow those of a scanner.
_SERIES_NUMBERS: dict[Kind, int] = {
    **{"image": 1, "segmentation": 9001, "map": 9002, "capture": 9003},
    **{"annotations": 9004, "report": 9005},
}
_LONG_STRING = 64


def shortened(text: str, length: int = _LONG_STRING) -> str:
    """Text as an element of `length` characters takes it, in one line."""
    line = " ".join(text.replace("\\", "/").split())
    return line if len(line) <= length else line[: length - 1] + "…"


def new_series(kind: Kind) -> dict[str, Any]:
    """Identifiers of an instance in a series of its own, as highdicom takes them."""
    return {
        "series_instance_uid": str(generate_uid()),
        "series_number": _SERIES_NUMBERS[kind],
        "sop_instance_uid": str(generate_uid()),
        "instance_number": 1,
    }


def equipment() -> dict[str, Any]:
    """The equipment that made an instance: this software (PS3.3 C.7.5.2), which has a version for a serial number."""
    return {
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MODEL_NAME,
        "software_versions": __version__,
        "device_serial_number": __version__,
    }


def contribution(facts: Facts | None = None) -> list[ContributingEquipment]:
    """What contributed besides highdicom: this software, and the model it ran (PS3.3 C.12.1)."""
    return [
        ContributingEquipment(
            MANUFACTURER,
            codes.DCM.ProcessingEquipment,
            manufacturer_model_name=MODEL_NAME,
            software_versions=__version__,
            contribution_description=facts.summary()[:1024] if facts else NOTICE,
        )
    ]


def algorithm(facts: Facts, **parameters: str) -> AlgorithmIdentificationSequence:
    """The model and its hash, and the method (PS3.3 table 10-19)."""
    return AlgorithmIdentificationSequence(
        name=shortened(facts.model),
        family=codes.cid7162.ArtificialIntelligence,
        version=facts.model_sha256 or "not saved",
        source=facts.software,
        parameters={"method": facts.method, "target": facts.target, **parameters},
    )


@contextmanager
def quietly() -> Iterator[None]:
    """Without the warnings of pydicom and highdicom, which quote values."""
    with warnings.catch_warnings():
        for module in ("pydicom", "highdicom"):
            warnings.filterwarnings("ignore", category=UserWarning, module=module)
        yield


def save(path: Path | str, dataset: Dataset, source: DicomSource, *, comments: str) -> None:
    """Put references, patient and study right, and write an instance as a file; one that is there is replaced.

    The source itself, where it is what is written, does not refer to itself.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    with quietly():
        dataset.ImageComments = comments
        if dataset.SOPInstanceUID != source.instance_uid:
            _refer(dataset, source)
        for measures in _items_of_groups(dataset, "PixelMeasuresSequence"):
            # A projection has no thickness, but highdicom reads no spacing without the element.
            measures.SliceThickness = measures.get("SliceThickness")
    write_instance(path, dataset, source)


def write_instance(path: Path | str, dataset: Dataset, source: DicomSource) -> None:
    """Write an instance as a file, with patient and study of its source; one that is there is replaced.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    with quietly():
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.update(source.patient)
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
    write_whole(Path(path), buffer.getvalue())


def _reference(source: DicomSource) -> Dataset:
    """Item of a Source Image Sequence (PS3.3 table 10-3)."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.class_uid, source.instance_uid
    if source.frame_number is not None:
        item.ReferencedFrameNumber = source.frame_number
    return item


def _refer(dataset: Dataset, source: DicomSource) -> None:
    """Give all references to the source its class, and those to pixels their frame.

    highdicom was told of another class (`DicomSource.header`), and has the same item in several sequences.
    """
    series, instance = Dataset(), Dataset()
    instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = source.class_uid, source.instance_uid
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = source.series_uid, [instance]
    dataset.SourceImageSequence = [_reference(source)]
    dataset.ReferencedSeriesSequence = [series]
    for derivation in _items_of_groups(dataset, "DerivationImageSequence"):
        for item in derivation.SourceImageSequence:
            item.update(_reference(source))


def _items_of_groups(dataset: Dataset, macro: str) -> list[Dataset]:
    """Items of one functional group, shared and of all frames."""
    sequences = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
    groups = [group for name in sequences for group in dataset.get(name, ())]
    return [item for group in groups for item in group.get(macro, ())]
