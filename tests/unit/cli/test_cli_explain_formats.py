import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from highdicom.seg import segread
from PIL import Image
from pydicom import Dataset, FileMetaDataset, dcmread
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from softcam_core.cli import main
from softcam_core.explainers.methods import explain
from softcam_core.imaging.readers import read_image
from softcam_core.ledger.regions import ledger_of
from softcam_core.models.checkpoint import load_model
from softcam_core.notice import NOTICE


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def radiograph(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 4096, (64, 80), dtype=np.uint16)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = ComputedRadiographyImageStorage, "1.2.3"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.1", "1.2.2"
    dataset.PatientName, dataset.PatientID, dataset.Modality = "DOE^JANE", "PAT-4711", "CR"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(tmp_path / "case.1.dcm", enforce_file_format=True)
    return tmp_path / "case.1.dcm"


def test_formats_are_written_alone(signed_model_file: Path, picture: Path, tmp_path: Path, accepted) -> None:
    out = tmp_path / "out"
    accepted("explain", picture, "--model", signed_model_file, "--out", out, "--format", "tiff", "--format", "nifti")
    assert _files(out) == ["picture_evidence.nii.gz", "picture_evidence.tiff", "scores.csv"]
    expected = explain(load_model(signed_model_file), read_image(picture)).on_image(1, 0)
    np.testing.assert_array_equal(tifffile.imread(out / "picture_evidence.tiff"), expected)
    np.testing.assert_array_equal(np.asarray(nibabel.load(out / "picture_evidence.nii.gz").dataobj)[..., 0].T, expected)


def test_dicom_comes_without_identity_beside_its_image(
    signed_model_file: Path, radiograph: Path, tmp_path: Path, accepted
) -> None:
    out = tmp_path / "out"
    accepted(
        *("explain", radiograph, "--model", signed_model_file, "--out", out, "--class", "opacity"),
        *("--format", "seg", "--format", "parametric-map", "--format", "secondary-capture"),
    )
    names = ["case.1_evidence_map.dcm", "case.1_image.dcm", "case.1_overlay.dcm", "case.1_regions.dcm"]
    assert _files(out) == [*names, "scores.csv"]
    files = [dcmread(out / name) for name in names]
    assert len({file.StudyInstanceUID for file in files} | {"1.2.1"}) == 2
    assert not [name for name in names if b"DOE" in (out / name).read_bytes() or b"PAT-" in (out / name).read_bytes()]
    np.testing.assert_array_equal(files[1].pixel_array, read_image(radiograph).pixels)
    assert files[3].SourceImageSequence[0].ReferencedSOPInstanceUID == files[1].SOPInstanceUID


def test_regions_are_those_of_the_ledger(signed_model_file: Path, radiograph: Path, tmp_path: Path, accepted) -> None:
    out = tmp_path / "out"
    explanation = explain(load_model(signed_model_file), read_image(radiograph))
    values = explanation.geometry.on_image(explanation.map_of(1, 0) - explanation.offset_of(1, 0))
    level = float(np.abs(values).max()) / 2
    accepted(
        *("explain", radiograph, "--model", signed_model_file, "--out", out, "--threshold", level),
        *("--format", "seg", "--keep-identity"),
    )
    assert _files(out) == ["case.1_regions.dcm", "scores.csv"]
    ledger = ledger_of(explanation, 1, 0, level=level)
    file = segread(out / "case.1_regions.dcm")
    assert (file.StudyInstanceUID, file.PatientName) == ("1.2.1", "DOE^JANE")
    masks = file.get_pixels_by_source_instance(["1.2.3"])[0]
    expected = np.stack([ledger.labels == region.number for region in ledger.regions], axis=-1)
    np.testing.assert_array_equal(masks, expected)


def test_other_methods_have_maps_but_no_regions(
    signed_model_file: Path, picture: Path, tmp_path: Path, accepted
) -> None:
    out = tmp_path / "out"
    accepted(
        *("explain", picture, "--model", signed_model_file, "--out", out, "--method", "gradcam"),
        *("--format", "seg", "--format", "parametric-map", "--format", "tiff"),
    )
    assert _files(out) == [
        *("picture_evidence.tiff", "picture_evidence_map.dcm", "picture_gradcam.tiff", "picture_gradcam_map.dcm"),
        *("picture_image.dcm", "picture_regions.dcm", "scores.csv"),
    ]
    shared = dcmread(out / "picture_gradcam_map.dcm").SharedFunctionalGroupsSequence[0]
    quantity = shared.RealWorldValueMappingSequence[0].QuantityDefinitionSequence[0].ConceptCodeSequence[0]
    assert quantity.CodeMeaning == "Gradient-weighted class activation"


def test_a_threshold_above_everything_leaves_no_regions(
    signed_model_file: Path, picture: Path, tmp_path: Path, accepted, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    accepted("explain", picture, "--model", signed_model_file, "--out", out, "--format", "seg", "--threshold", 1e6)
    assert _files(out) == ["picture_image.dcm", "scores.csv"]
    assert "picture.png: no evidence above the threshold" in capsys.readouterr().err


def test_an_unknown_format_is_refused(
    signed_model_file: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["explain", picture, "--model", signed_model_file, "--out", tmp_path, "--format", "gif"]
    assert main([str(a) for a in argv]) == 2
    assert "choose from" in capsys.readouterr().err


def test_a_colour_picture_is_exported_as_rgb(signed_model_file: Path, tmp_path: Path, accepted) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "fundus.png")
    out = tmp_path / "out"
    accepted("explain", tmp_path / "fundus.png", "--model", signed_model_file, "--out", out, "--format", "seg")
    np.testing.assert_array_equal(dcmread(out / "fundus_image.dcm").pixel_array, pixels)


def test_the_ledger_adds_up_to_the_log_odds(signed_model_file: Path, picture: Path, tmp_path: Path, accepted) -> None:
    accepted("explain", picture, "--model", signed_model_file, "--out", tmp_path / "out", "--format", "ledger")
    with (tmp_path / "out" / "picture_ledger.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    explanation = explain(load_model(signed_model_file), read_image(picture))
    log_odds = float(explanation.logits[1] - explanation.logits[0])
    assert sum(float(row["contribution"]) for row in rows[:-1]) == pytest.approx(log_odds, abs=1e-5)
    assert rows[-1]["region"] == "Sum"
    assert float(rows[-1]["contribution"]) == pytest.approx(log_odds, abs=1e-5)
    assert {row["notice"] for row in rows} == {NOTICE}
