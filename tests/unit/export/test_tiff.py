import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from softcam_core.errors import SettingsError
from softcam_core.export.tiff import write_tiff
from softcam_core.notice import NOTICE


def test_values_come_back_exactly_in_other_programs(radiograph, noise, explained, tmp_path: Path) -> None:
    image = radiograph(noise(61, 97))
    explanation = explained(image, cropped=True)
    write_tiff(tmp_path / "a.tiff", image, explanation, "A", "B")
    expected = explanation.on_image("A", "B")
    assert np.isnan(expected).any()
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tiff"), expected)
    with Image.open(tmp_path / "a.tiff") as file:
        assert file.mode == "F"
        np.testing.assert_array_equal(np.asarray(file), expected)


def test_it_says_what_it_is(radiograph, noise, explained, tmp_path: Path, secrets) -> None:
    image = radiograph(noise(64, 80))
    write_tiff(tmp_path / "a.tiff", image, explained(image), "A", "B")
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        told = json.loads(file.pages[0].description)
    assert told == {
        "target": "A against B",
        "unit": "log-odds",
        "method": "evidence",
        "method_title": "SoftCAM evidence",
        "model": "Tèst network",
        "model_sha256": "0123456789abcdef" * 4,
        "software": "softcam 0.1.0",
        "notice": NOTICE,
        "outside": "NaN",
    }
    assert not [secret for secret in secrets if secret.encode() in (tmp_path / "a.tiff").read_bytes()]


@pytest.mark.parametrize(("elements", "expected"), [({"PixelSpacing": [0.5, 0.25]}, (40.0, 20.0)), ({}, (1.0, 1.0))])
def test_resolution_is_pixels_per_centimetre_where_it_is_known(
    radiograph, noise, explained, tmp_path: Path, elements, expected
) -> None:
    image = radiograph(noise(64, 80), **elements)
    write_tiff(tmp_path / "a.tiff", image, explained(image), "A")
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        page = file.pages[0]
        assert page.resolution == pytest.approx(expected)
        assert page.resolutionunit.name == ("CENTIMETER" if elements else "NONE")


def test_a_folder_that_is_not_there_is_named(radiograph, noise, explained, tmp_path: Path) -> None:
    image = radiograph(noise(64, 80))
    with pytest.raises(SettingsError, match="cannot be written: No such file or directory"):
        write_tiff(tmp_path / "none" / "a.tiff", image, explained(image), "A")
