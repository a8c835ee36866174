"""An explanation of any image, and DICOM files that tests make for themselves."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from softcam_core.explainers.explanation import Explanation
from softcam_core.explainers.methods import explain
from softcam_core.imaging.image import MedicalImage
from softcam_core.imaging.readers import read_image
from softcam_core.ledger.regions import Ledger, ledger_of
from softcam_core.models.card import ModelCard
from softcam_core.models.softcam import SoftCAM

SECRETS = ("DOE^JANE", "PAT-4711", "19700101", "20200202", "ACC-99", "General Hospital", "1.2.3.4", "SCANNER-7")


@pytest.fixture(scope="session")
def explained() -> Callable[..., Explanation]:
    """Evidence of both signs for an image, cropped in the middle on request; of two classes, B and A."""

    def make(image: MedicalImage, *, cropped: bool = False) -> Explanation:
        with torch.random.fork_rng():
            torch.manual_seed(5)
            card = ModelCard(
                name="Tèst network",
                architecture="compact",
                class_names=("B", "A"),
                preprocessing={"shorter_side": 64, "crop": (48, 48) if cropped else None},
                sha256="0123456789abcdef" * 4,
            )
            explanation = explain(SoftCAM.from_card(card).eval(), image)
        # A network without training says the same everywhere; here every map has hills and valleys.
        grid = np.random.default_rng(5).normal(0.1, 2, explanation.grid.shape).astype(np.float32)
        offset = np.array([0.25, -0.5], dtype=np.float32)
        return replace(explanation, grid=grid, logits=grid.mean((1, 2)), offset=offset)

    return make


@pytest.fixture(scope="session")
def regions() -> Callable[[Explanation], tuple[Ledger, float]]:
    """Regions of A against B and their level, some way up the hills."""

    def make(explanation: Explanation) -> tuple[Ledger, float]:
        grid = explanation.map_of("A", "B") - explanation.offset_of("A", "B")
        level = float(np.nanmax(np.abs(explanation.geometry.on_image(grid)))) * 0.5
        return ledger_of(explanation, "A", "B", level=level), level

    return make


@pytest.fixture
def radiograph(tmp_path: Path) -> Callable[..., MedicalImage]:
    """Write a radiograph full of secrets as DICOM, with further elements by keyword (None takes one away), read it."""

    def make(pixels: np.ndarray, frame: int = 0, **elements: object) -> MedicalImage:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = ComputedRadiographyImageStorage
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.4.1", "1.2.3.4.2"
        dataset.SOPInstanceUID = "1.2.3.4.3"
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "DOE^JANE", "PAT-4711", "19700101"
        dataset.PatientSex, dataset.StudyDate, dataset.StudyTime = "F", "20200202", "101112"
        dataset.AccessionNumber, dataset.StudyID, dataset.ReferringPhysicianName = "ACC-99", "SID", "HOUSE^GREGORY"
        dataset.InstitutionName, dataset.StationName = "General Hospital", "SCANNER-7"
        dataset.Modality = "CR"
        color = pixels.ndim > 2 and pixels.shape[-1] == 3
        dataset.SamplesPerPixel = 3 if color else 1
        dataset.PhotometricInterpretation = "RGB" if color else "MONOCHROME2"
        if color:
            dataset.PlanarConfiguration = 0
        dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if color else pixels.shape[-2:]
        if pixels.ndim == 3 + color:
            dataset.NumberOfFrames = len(pixels)
        bits = 8 * pixels.itemsize
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
        dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
        dataset.PixelData = pixels.tobytes() + bytes(pixels.nbytes % 2)
        dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
        for keyword, value in elements.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        path = tmp_path / "source.dcm"
        # Files without identifiers exist, which pydicom would not write by itself.
        dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID") or "1.2.3"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or "1.2.3"
        dataset.save_as(path, enforce_file_format=True)
        return read_image(path, frame)

    return make


@pytest.fixture(scope="session")
def noise() -> Callable[..., np.ndarray]:
    """Smooth noise of a shape, 8 or 16 bits, always the same."""

    def make(*shape: int, dtype: type = np.uint16) -> np.ndarray:
        coarse = np.random.default_rng(0).integers(0, 256, [max(1, n // 8 + 1) if n > 3 else n for n in shape])
        for axis, n in enumerate(shape):
            if n > 3:
                coarse = coarse.repeat(8, axis).take(range(n), axis)
        return coarse.astype(dtype)

    return make


@pytest.fixture(scope="session")
def secrets() -> tuple[str, ...]:
    """What a radiograph's file holds that may not be in exports without identity."""
    return SECRETS
