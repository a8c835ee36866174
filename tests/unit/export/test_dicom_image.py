from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from softcam_core.errors import SettingsError
from softcam_core.export.dicom_image import write_image
from softcam_core.export.dicom_source import dicom_source
from softcam_core.imaging.image import MedicalImage, Window
from softcam_core.imaging.readers import read_image
from softcam_core.notice import NOTICE


@pytest.fixture
def copied(tmp_path: Path):
    """The copy of an image without identity, read back."""

    def make(image: MedicalImage) -> MedicalImage:
        write_image(tmp_path / "copy.dcm", dicom_source(image))
        return read_image(tmp_path / "copy.dcm")

    return make


@pytest.mark.parametrize(
    ("dtype", "elements"),
    [
        (np.uint8, {}),
        (np.uint16, {"PixelSpacing": [0.125, 0.25]}),
        (np.uint16, {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 90, "WindowWidth": 80}),
        (np.int16, {"RescaleSlope": 1, "RescaleIntercept": -1024, "Modality": "CT"}),
        (np.uint16, {"WindowCenter": 90, "WindowWidth": 80, "VOILUTFunction": "SIGMOID"}),
    ],
)
def test_greys_come_back_exactly(radiograph, noise, copied, dtype, elements) -> None:
    image = radiograph(noise(21, 33, dtype=dtype), **elements)
    copy = copied(image)
    np.testing.assert_array_equal(copy.values, image.values)
    np.testing.assert_allclose(copy.display(), image.display(), atol=1e-6)
    assert (copy.spacing, copy.unit, copy.modality, copy.inverted) == (
        image.spacing, image.unit, image.modality, image.inverted,
    )  # fmt: skip


def test_colours_and_single_frames_come_back_exactly(radiograph, noise, copied) -> None:
    frames = noise(3, 16, 20, 3, dtype=np.uint8)
    copy = copied(radiograph(frames, 2))
    np.testing.assert_array_equal(copy.values, frames[2])
    assert copy.frame_count == 1


def test_a_window_on_a_voi_table_is_kept(radiograph, noise, copied) -> None:
    image = radiograph(noise(16, 20, dtype=np.uint8))
    table = np.sqrt(image.values * 255).astype(np.float32)
    image = replace(image, presentation=table, window=Window(100, 120))
    np.testing.assert_allclose(copied(image).display(), image.display(), atol=255 / 65535 / 120)


@settings(max_examples=25)
@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-1e6, 1e6, width=32)),
)
def test_real_numbers_come_back_to_a_65535th_of_their_range(tmp_path_factory, values) -> None:
    image = MedicalImage(Path("a.tiff"), values, values, values, Window.from_percentiles(values))
    path = tmp_path_factory.getbasetemp() / "real.dcm"
    write_image(path, dicom_source(image))
    copy = read_image(path)
    limit = (np.ptp(values.astype(np.float64)) / 65535 / 2) * 1.001 + np.abs(values).max() * 2e-7
    assert np.abs(copy.values.astype(np.float64) - values).max() <= limit


def test_the_same_image_gives_the_same_file(radiograph, noise, tmp_path: Path) -> None:
    for name in "ab":
        write_image(tmp_path / name, dicom_source(radiograph(noise(16, 20))))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_copy_holds_no_secret(radiograph, noise, tmp_path: Path, secrets) -> None:
    write_image(tmp_path / "copy.dcm", dicom_source(radiograph(noise(16, 20))))
    content = (tmp_path / "copy.dcm").read_bytes()
    assert not [secret for secret in secrets if secret.encode() in content]
    assert NOTICE.encode() in content


def test_pictures_become_dicom(copied, tmp_path: Path) -> None:
    Image.fromarray(np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300).save(tmp_path / "a.png")
    copy = copied(read_image(tmp_path / "a.png"))
    np.testing.assert_array_equal(copy.pixels, np.arange(48).reshape(6, 8) * 1300)
    assert copy.spacing is None


def test_a_file_of_its_own_is_not_copied(radiograph, noise, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keep the identity"):
        write_image(tmp_path / "a.dcm", dicom_source(radiograph(noise(16, 20)), keep_identity=True))


def test_a_folder_that_is_not_there_is_named(radiograph, noise, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"a\.dcm: cannot be written: No such file or directory"):
        write_image(tmp_path / "none" / "a.dcm", dicom_source(radiograph(noise(16, 20))))
