"""DICOM files of any shape for tests."""

from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)


def write_dicom(path: Path, pixels: np.ndarray, **elements: object) -> Path:
    """A file with these pixels, (H, W), (H, W, 3) or (N, H, W, 3)."""
    is_color = pixels.shape[-1] == 3
    shape = pixels.shape[:-1] if is_color else pixels.shape
    is_real = pixels.dtype.kind == "f"
    file = FileDataset(str(path), {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    file.update({"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": generate_uid(), "PatientID": "one"})
    file.SOPClassUID = UltrasoundMultiFrameImageStorage if len(shape) == 3 else SecondaryCaptureImageStorage
    file.SOPInstanceUID = generate_uid()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if len(shape) == 3:
        file.NumberOfFrames = shape[0]
    file.Rows, file.Columns = shape[-2:]
    file.SamplesPerPixel, file.PhotometricInterpretation = (3, "RGB") if is_color else (1, "MONOCHROME2")
    if is_color:
        file.PlanarConfiguration = 0
    file.BitsAllocated = 8 * pixels.itemsize
    if is_real:
        file.FloatPixelData = pixels.tobytes()
    else:
        file.BitsStored, file.HighBit = 8 * pixels.itemsize, 8 * pixels.itemsize - 1
        file.PixelRepresentation = int(pixels.dtype.kind == "i")
        file.PixelData = pixels.tobytes()
    file.update(elements)
    file.save_as(path, enforce_file_format=True)
    return path


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 255, shape, dtype=np.uint8)
