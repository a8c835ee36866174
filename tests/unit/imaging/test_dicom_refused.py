import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG2MPML,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
)

from softcam_core.errors import ImageReadError
from softcam_core.imaging.readers import read_image

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 4096, (6, 9), dtype=np.uint16)
COLOR = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def _refusal(read, dataset, frame=0, **options) -> str:
    with pytest.raises(ImageReadError) as caught:
        read(dataset, frame, **options)
    assert "a.dcm" in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("element", ["Rows", "Columns", "BitsAllocated", "PixelRepresentation", "SamplesPerPixel"])
def test_header_without_a_needed_element_is_refused(make_dicom, read, element):
    dataset = make_dicom(GREY)
    delattr(dataset, element)
    _refusal(read, dataset)


@pytest.mark.parametrize(("photometric", "samples"), [("MONOCHROME2", 3), ("RGB", 1), ("RGB", 4), ("MONOCHROME1", 0)])
def test_samples_that_do_not_fit_the_colors_are_refused(make_dicom, read, photometric, samples):
    dataset = make_dicom(GREY, photometric, SamplesPerPixel=samples)
    assert f"{photometric} cannot have {samples} samples" in _refusal(read, dataset)


@pytest.mark.parametrize("photometric", ["HSV", "CMYK", "", "NONSENSE"])
def test_unknown_colors_are_refused(make_dicom, read, photometric):
    assert "colour space" in _refusal(read, make_dicom(GREY, photometric))


def test_missing_pixels_are_refused(make_dicom, read):
    dataset = make_dicom(GREY)
    del dataset.PixelData
    assert "pixel data are missing" in _refusal(read, dataset)


def test_file_without_an_image_is_refused(make_dicom, read):
    dataset = make_dicom(GREY)
    del dataset.PixelData, dataset.Rows, dataset.Columns
    assert "holds no image" in _refusal(read, dataset)


@pytest.mark.parametrize(("rows", "columns"), [(0, 9), (6, 0)])
def test_image_without_pixels_is_refused(make_dicom, read, rows, columns):
    assert f"no pixels ({rows} x {columns})" in _refusal(read, make_dicom(GREY, Rows=rows, Columns=columns))


def test_too_large_an_image_is_refused_by_its_header(make_dicom, read):
    assert "60,000 x 60,000" in _refusal(read, make_dicom(GREY, Rows=60_000, Columns=60_000))


def test_missing_transfer_syntax_is_refused(make_dicom, read):
    # The element becomes one that means nothing here.
    patch = (b"\x02\x00\x10\x00UI", b"\x02\x00\x17\x00UI")
    assert "no Transfer Syntax UID" in _refusal(read, make_dicom(GREY), patch=patch)


def test_unsupported_transfer_syntax_is_refused_by_name(make_dicom, read):
    dataset = make_dicom(GREY)
    dataset.PixelData = encapsulate([bytes(10)])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML
    assert "transfer syntax is not supported (MPEG2" in _refusal(read, dataset)


def test_private_transfer_syntax_is_refused(make_dicom, read):
    patch = (b"1.2.840.10008.1.2.1\0", b"1.2.840.99999.1.2.1\0")
    assert "1.2.840.99999.1.2.1" in _refusal(read, make_dicom(GREY), patch=patch)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1])
@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xd9", b"junk" * 100, b"\xff\xd8" + b"\xff" * 50])
def test_damaged_codestream_is_refused(make_dicom, read, syntax, content):
    dataset = make_dicom(COLOR[..., 0].copy())
    dataset.PixelData = encapsulate([content])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    assert "could not be decoded" in _refusal(read, dataset)


@pytest.mark.parametrize("frames", [1, 3])
def test_a_file_cut_short_is_refused(make_dicom, tmp_path, frames):
    dataset = make_dicom(GREY, NumberOfFrames=frames)
    dataset.PixelData = GREY.tobytes() * frames
    path = tmp_path / "a.dcm"
    dataset.save_as(path, enforce_file_format=True)
    content = path.read_bytes()
    for length in range(140, len(content), 37):
        path.write_bytes(content[:length])
        with pytest.raises(ImageReadError):
            read_image(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_gives_an_image_or_a_refusal_and_no_warning(make_dicom, tmp_path, data):
    path = tmp_path / "a.dcm"
    dataset = make_dicom(GREY, WindowCenter="40", WindowWidth="400", PixelSpacing=["1", "1"], PatientName="Doe")
    dataset.save_as(path, enforce_file_format=True)
    content = bytearray(path.read_bytes())
    for position in data.draw(st.lists(st.integers(132, len(content) - 1), min_size=1, max_size=8)):
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        told = repr(read_image(path).size)
    except ImageReadError as error:
        told = str(error)
    assert "\n" not in told


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_counted(make_dicom, read, bad):
    stored = np.zeros((6, 9), np.float32)
    stored[1, 2:4] = bad
    assert "2 of its 54 pixel values are not finite" in _refusal(read, make_dicom(stored))


def test_rescale_beyond_all_floats_is_refused(make_dicom, read):
    dataset = make_dicom(np.full((2, 3), 9, np.uint16), RescaleSlope="1e300", RescaleIntercept="0")
    assert "6 of its 6" in _refusal(read, dataset)
