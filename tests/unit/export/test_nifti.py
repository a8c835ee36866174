import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from softcam_core.errors import SettingsError
from softcam_core.export.nifti import write_nifti
from softcam_core.notice import NOTICE


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("spacing", [None, (0.5, 0.25)])
def test_values_come_back_at_their_places(radiograph, noise, explained, tmp_path: Path, suffix, spacing) -> None:
    image = replace(radiograph(noise(64, 80)), spacing=spacing)
    explanation = explained(image, cropped=True)
    path = tmp_path / f"a.b{suffix}"
    write_nifti(path, image, explanation, "A", "B")
    file = nibabel.load(path)
    assert file.get_data_dtype() == np.float32
    expected = explanation.on_image("A", "B")
    np.testing.assert_array_equal(np.asarray(file.dataobj)[:, :, 0].T, expected)
    down, across = spacing or (1, 1)
    np.testing.assert_allclose(file.affine @ [3, 2, 0, 1], [-3 * across, -2 * down, 0, 1], atol=1e-6)
    assert nibabel.aff2axcodes(file.affine) == ("L", "P", "S")
    np.testing.assert_allclose(file.header.get_zooms(), (across, down, 1))
    assert file.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(file.get_qform(), file.get_sform(), atol=1e-6)
    assert (int(file.header["qform_code"]), int(file.header["sform_code"])) == (2, 2)


def test_it_says_what_it_is(radiograph, noise, explained, tmp_path: Path, secrets) -> None:
    image = radiograph(noise(64, 80))
    write_nifti(tmp_path / "a.nii", image, explained(image), "A", "B")
    header = nibabel.load(tmp_path / "a.nii").header
    assert header["descrip"].item().decode() == f"Spacing unknown, 1 mm assumed. {NOTICE}"
    assert header["intent_name"].item() == b"log-odds"
    told = json.loads(header.extensions[0].get_content())
    assert (told["target"], told["model"], told["notice"]) == ("A against B", "Tèst network", NOTICE)
    assert not [secret for secret in secrets if secret.encode() in (tmp_path / "a.nii").read_bytes()]


def test_known_spacing_is_not_called_unknown(radiograph, noise, explained, tmp_path: Path) -> None:
    image = radiograph(noise(64, 80), PixelSpacing=[0.2, 0.3])
    write_nifti(tmp_path / "a.nii", image, explained(image), "A")
    header = nibabel.load(tmp_path / "a.nii").header
    assert header["descrip"].item().decode() == NOTICE
    assert header["intent_name"].item() == b"logit"


def test_the_same_evidence_gives_the_same_file(radiograph, noise, explained, tmp_path: Path) -> None:
    image = radiograph(noise(64, 80))
    for name in "ab":
        write_nifti(tmp_path / f"{name}.nii.gz", image, explained(image), "A")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_a_folder_that_is_not_there_is_named(radiograph, noise, explained, tmp_path: Path) -> None:
    image = radiograph(noise(64, 80))
    with pytest.raises(SettingsError, match="cannot be written: No such file or directory"):
        write_nifti(tmp_path / "none" / "a.nii", image, explained(image), "A")
