import csv

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, get_frame

from softcam_core.errors import ImageReadError
from softcam_core.imaging.readers import read_image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 4096, (6, 9), dtype=np.uint16)
COLOR = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)


# Real files


def _expected(folder):
    with (folder / "expected.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_real_files_decode_to_what_is_expected(shared_data):
    folder = shared_data / "dicom"
    decodable = [row for row in _expected(folder) if not row["shape"].startswith("ERROR")]
    assert len(decodable) == 34
    for row in decodable:
        count = int(row["frames"])
        images = [read_image(folder / row["file"], number) for number in range(count)]
        pixels = np.stack([image.pixels for image in images]) if count > 1 else images[0].pixels
        assert str(pixels.shape) == row["shape"], row["file"]
        assert pixels.dtype == np.dtype(row["dtype"]).newbyteorder("="), row["file"]
        np.testing.assert_allclose([pixels.min(), pixels.max()], [float(row["min"]), float(row["max"])], rtol=1e-6)
        # JPEG's transform is exact to about one level only, and the expectation is another decoder's.
        tolerance = 0.02 if row["transfer_syntax"].startswith(("JPEG Baseline", "JPEG Extended")) else 1e-4
        assert pixels.mean(dtype=np.float64) == pytest.approx(float(row["mean"]), abs=tolerance), row["file"]
        for image in images:
            shown = image.display()
            assert shown.min() >= 0
            assert shown.max() <= 1
            assert image.frame_count == count


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("emri_small_jpeg_2k_lossless_too_short.dcm", "missing or cut short"),
        ("meta_missing_tsyntax.dcm", "no Transfer Syntax UID"),
    ],
)
def test_malformed_real_files_are_refused_with_the_reason(shared_data, name, reason):
    with pytest.raises(ImageReadError, match=reason) as caught:
        read_image(shared_data / "dicom" / name)
    assert name in str(caught.value)


def test_real_radiograph_is_shown_bright_on_dark(shared_data):
    image = read_image(shared_data / "dicom" / "RG1_J2KI.dcm")
    assert image.inverted
    lowest, highest = np.unravel_index([image.values.argmin(), image.values.argmax()], image.size)
    shown = image.display()
    assert shown[lowest[0], highest[0]] > shown[lowest[1], highest[1]]


@pytest.mark.parametrize("name", ["JPEG-LL.dcm", "MR_small_jpeg_ls_lossless.dcm", "JPGExtended.dcm"])
@pytest.mark.parametrize("change", [{"Rows": 300}, {"Columns": 3000}, {"BitsAllocated": 32}, {"Rows": 2}])
def test_header_that_promises_more_than_the_codestream_is_refused(shared_data, tmp_path, name, change):
    # GDCM would end the process.
    dataset = dcmread(shared_data / "dicom" / name)
    for keyword, value in change.items():
        setattr(dataset, keyword, value)
    dataset.save_as(tmp_path / "a.dcm")
    with pytest.raises(ImageReadError, match="could not be decoded: header and codestream disagree"):
        read_image(tmp_path / "a.dcm")


@pytest.mark.parametrize("name", ["JPEG-LL.dcm", "MR_small_jpeg_ls_lossless.dcm", "JPGExtended.dcm"])
def test_fill_bytes_before_a_marker_change_nothing(shared_data, tmp_path, name):
    path = shared_data / "dicom" / name
    dataset = dcmread(path)
    codestream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    dataset.PixelData = encapsulate([codestream[:2] + b"\xff\xff" + codestream[2:]])
    dataset.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm").pixels, read_image(path).pixels)


def test_real_files_cut_short_are_refused(shared_data, tmp_path):
    path = tmp_path / "a.dcm"
    for row in _expected(shared_data / "dicom"):
        content = (shared_data / "dicom" / row["file"]).read_bytes()
        for part in (0.1, 0.5, 0.9):
            path.write_bytes(content[: int(part * len(content))])
            with pytest.raises(ImageReadError):
                read_image(path)
