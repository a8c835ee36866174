"""DICOM files the tests make for themselves."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from softcam_core.imaging.image import MedicalImage
from softcam_core.imaging.readers import read_image


@pytest.fixture
def make_dicom() -> Callable[..., Dataset]:
    """Make a single-frame image that is as plain as DICOM allows, with further elements by keyword."""
    return _dataset


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., MedicalImage]:
    """Save a dataset as a.dcm, change bytes of the file if asked to, and read it."""

    def save_and_read(dataset: Dataset, frame: int = 0, patch: tuple[bytes, bytes] = (b"", b"")) -> MedicalImage:
        path = tmp_path / "a.dcm"
        dataset.save_as(path, enforce_file_format=True)
        found, changed = patch
        if found:
            content = path.read_bytes()
            assert content.count(found) == 1
            path.write_bytes(content.replace(found, changed))
        return read_image(path, frame)

    return save_and_read


def _dataset(pixels: np.ndarray, photometric: str = "MONOCHROME2", **elements: object) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    dataset.PhotometricInterpretation = photometric
    dataset.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    bits = 8 * pixels.itemsize
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    if pixels.dtype.kind == "f":
        dataset.FloatPixelData = pixels.tobytes()
    else:
        dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
        dataset.PixelData = pixels.tobytes() + bytes(pixels.nbytes % 2)
        dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset
