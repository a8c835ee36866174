import io
import logging

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi, apply_windowing, convert_color_space
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    RTDoseStorage,
)

from softcam_core.errors import ImageReadError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 4096, (6, 9), dtype=np.uint16)
COLOR = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def _elements(**elements) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def _table(first, values, bits, vr="US", **elements) -> list[Dataset]:
    item = _elements(**elements)
    item.add_new("LUTDescriptor", vr if first < 0 else "US", [len(values) % 65536, first, bits])
    item.add_new("LUTData", "OW", np.asarray(values, np.uint16).tobytes())
    return [item]


# Values


def test_stored_values_come_as_they_are(make_dicom, read):
    image = read(make_dicom(GREY))
    np.testing.assert_array_equal(image.pixels, GREY)
    np.testing.assert_array_equal(image.values, GREY)
    assert image.values.dtype == np.float32
    assert image.presentation is image.values
    assert (image.unit, image.spacing, image.window_presets, image.inverted) == ("", None, (), False)


def test_ct_is_rescaled_to_hounsfield_units(make_dicom, read):
    stored = RNG.integers(-50, 3000, (6, 9), dtype=np.int16)
    image = read(
        make_dicom(stored, SOPClassUID=CTImageStorage, Modality="CT", RescaleSlope="0.5", RescaleIntercept="-1024")
    )
    np.testing.assert_array_equal(image.pixels, stored)
    np.testing.assert_allclose(image.values, stored * 0.5 - 1024)
    assert (image.unit, image.modality) == ("HU", "CT")


@pytest.mark.parametrize(("named", "unit"), [("OD", "OD"), ("HU", "HU"), ("US", "")])
def test_rescale_type_names_the_unit(make_dicom, read, named, unit):
    assert read(make_dicom(GREY, RescaleSlope="1", RescaleIntercept="0", RescaleType=named)).unit == unit


@pytest.mark.parametrize(
    ("dtype", "first"), [(np.uint16, 0), (np.uint16, 100), (np.int16, -300), (np.int8, -120), (np.uint8, 3)]
)
def test_modality_table_is_looked_up_and_clipped_at_its_ends(make_dicom, read, dtype, first):
    info = np.iinfo(dtype)
    stored = RNG.integers(max(info.min, -1000), min(info.max, 1000), (20, 20), dtype=dtype)
    table = RNG.integers(0, 65536, 500)
    sequence = _table(first, table, 16, "SS", ModalityLUTType="OD")
    image = read(make_dicom(stored, ModalityLUTSequence=sequence))
    expected = [table[min(max(int(value) - first, 0), 499)] for value in stored.flat]
    np.testing.assert_array_equal(image.values.ravel(), expected)
    assert image.unit == "OD"
    if dtype == np.int16:
        np.testing.assert_array_equal(
            image.values, apply_modality_lut(stored, make_dicom(stored, ModalityLUTSequence=sequence))
        )


def test_dose_is_scaled_to_its_unit(make_dicom, read):
    stored = RNG.integers(0, 2**20, (6, 9), dtype=np.uint32)
    image = read(make_dicom(stored, SOPClassUID=RTDoseStorage, DoseGridScaling="1e-4", DoseUnits="GY"))
    np.testing.assert_allclose(image.values, stored * 1e-4, rtol=1e-6)
    assert image.unit == "GY"


def test_float_pixels_keep_their_values(make_dicom, read):
    stored = RNG.normal(size=(6, 9)).astype(np.float32)
    image = read(make_dicom(stored))
    np.testing.assert_array_equal(image.values, stored)
    assert image.pixels.dtype == np.float32


# Presentation


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_window_is_shown_as_pydicom_shows_it(make_dicom, read, function):
    dataset = make_dicom(GREY, WindowCenter="2000.5", WindowWidth="1500", VOILUTFunction=function, BitsStored=12)
    image = read(dataset)
    assert image.window.function == function
    np.testing.assert_allclose(image.display(), apply_windowing(GREY, dataset) / 4095, atol=1e-5)


def test_all_windows_are_presets_with_their_names(make_dicom, read):
    image = read(
        make_dicom(
            GREY,
            WindowCenter=["40", "-600", "300"],
            WindowWidth=["400", "1500", "2000"],
            WindowCenterWidthExplanation=["Soft tissue", "", "Bone"],
        )
    )
    assert [name for name, _ in image.window_presets] == ["Soft tissue", "Window 2", "Bone"]
    assert [window.center for _, window in image.window_presets] == [40, -600, 300]
    assert image.window == image.window_presets[0][1]
    assert {window.function for _, window in image.window_presets} == {"LINEAR"}


@pytest.mark.parametrize(("center", "width"), [("40", "0"), ("40", "-5"), ("40", ""), ("", "400"), ("", "")])
def test_window_without_sense_gives_way_to_percentiles(make_dicom, read, center, width):
    image = read(make_dicom(GREY, WindowCenter=center, WindowWidth=width))
    assert image.window_presets == ()
    assert image.window.limits == pytest.approx(np.percentile(GREY, (0.5, 99.5)), abs=300)


def test_window_of_real_values_is_not_shortened_by_1(make_dicom, read):
    stored = np.linspace(0, 1, 54, dtype=np.float32).reshape(6, 9)
    image = read(make_dicom(stored, WindowCenter="0.5", WindowWidth="1"))
    np.testing.assert_allclose(image.display(), stored, atol=1e-6)


def test_linear_window_below_width_1_is_taken_as_exact(make_dicom, read):
    window = read(make_dicom(GREY, WindowCenter="0.5", WindowWidth="0.25", VOILUTFunction="LINEAR")).window
    assert window.limits == (0.375, 0.625)


def test_monochrome1_shows_the_lowest_value_white(make_dicom, read):
    limits = {"WindowCenter": "2048", "WindowWidth": "4096"}
    inverted, plain = (read(make_dicom(GREY, kind, **limits)) for kind in ("MONOCHROME1", "MONOCHROME2"))
    assert inverted.inverted
    np.testing.assert_array_equal(inverted.values, plain.values)
    np.testing.assert_allclose(inverted.display(), 1 - plain.display())


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_voi_table_is_applied_to_rescaled_values(make_dicom, read, bits):
    table = RNG.integers(0, 2**bits, 1000)
    sequence = _table(-500, table, bits, "SS", LUTExplanation="Film")
    stored = RNG.integers(0, 3000, (20, 20), dtype=np.int16)
    image = read(
        make_dicom(
            stored, RescaleSlope="1", RescaleIntercept="-1024", VOILUTSequence=sequence, WindowCenter=1, WindowWidth=9
        )
    )
    expected = table[np.clip(stored.astype(int) - 1024 + 500, 0, 999)]
    np.testing.assert_array_equal(image.values, stored - 1024.0)
    np.testing.assert_array_equal(image.presentation, expected)
    assert [name for name, _ in image.window_presets] == ["Film"]
    np.testing.assert_allclose(image.display(), expected / (2**bits - 1), atol=1e-6)


def test_voi_table_agrees_with_pydicom(make_dicom, read):
    dataset = make_dicom(GREY, VOILUTSequence=_table(100, RNG.integers(0, 4096, 3000), 12))
    np.testing.assert_array_equal(read(dataset).presentation, apply_voi(GREY, dataset))


def test_voi_table_shows_values_far_beyond_it_as_its_ends(make_dicom, read):
    stored = np.array([[-1e38, 0, 1, 1e38]], np.float32)
    image = read(make_dicom(stored, VOILUTSequence=_table(0, [10, 20, 30], 8)))
    assert image.presentation.tolist() == [[10, 10, 20, 30]]


# Colour


def test_rgb_is_kept_and_not_windowed(make_dicom, read):
    image = read(make_dicom(COLOR, "RGB", WindowCenter="10", WindowWidth="5"))
    np.testing.assert_array_equal(image.values, COLOR)
    assert image.window.limits == (0, 255)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_deep_rgb_keeps_its_pixels_and_is_shown_in_8_bits(make_dicom, read, bits):
    stored = RNG.integers(0, 2**bits, (6, 9, 3), dtype=np.uint16)
    image = read(make_dicom(stored, "RGB", BitsStored=bits, HighBit=bits - 1))
    np.testing.assert_array_equal(image.pixels, stored)
    np.testing.assert_array_equal(image.values, stored // 2 ** (bits - 8))


def test_ybr_is_converted_to_rgb(make_dicom, read):
    image = read(make_dicom(COLOR, "YBR_FULL"))
    np.testing.assert_array_equal(image.values, convert_color_space(COLOR, "YBR_FULL", "RGB"))
    np.testing.assert_array_equal(image.pixels, image.values)


def _palette(entries, bits, data_type, first=0):
    colors = RNG.integers(0, 2**bits, (3, entries)).astype(data_type)
    elements = {}
    for name, channel in zip(("Red", "Green", "Blue"), colors, strict=True):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [entries % 65536, first, bits]
        elements[f"{name}PaletteColorLookupTableData"] = channel.tobytes() + bytes(channel.nbytes % 2)
    return colors.T, elements


@pytest.mark.parametrize(
    ("entries", "bits", "data_type"),
    [(256, 8, "u1"), (255, 8, "u1"), (256, 8, "<u2"), (256, 16, "<u2"), (1000, 8, "u1"), (65536, 16, "<u2")],
)
def test_palette_is_looked_up_and_scaled_and_its_indices_kept(make_dicom, read, entries, bits, data_type):
    colors, elements = _palette(entries, bits, data_type)
    stored = RNG.integers(0, min(2 * entries, 65536), (20, 20), dtype=np.uint16)
    dataset = make_dicom(stored, "PALETTE COLOR", **elements)
    image = read(dataset)
    np.testing.assert_array_equal(image.pixels, stored)
    assert image.values.dtype == np.uint8
    expected = colors[np.minimum(stored, entries - 1)] >> (bits - 8)
    np.testing.assert_array_equal(image.values, expected)
    if data_type == "<u2" and bits == 16:
        np.testing.assert_array_equal(image.values, apply_color_lut(stored, dataset) >> 8)


def test_palette_may_start_above_zero(make_dicom, read):
    colors, elements = _palette(256, 16, "<u2", first=100)
    stored = RNG.integers(0, 400, (20, 20), dtype=np.uint16)
    image = read(make_dicom(stored, "PALETTE COLOR", **elements))
    np.testing.assert_array_equal(image.values, colors[np.clip(stored.astype(int) - 100, 0, 255)] >> 8)


# Frames, spacing, identity


def _enhanced(make_dicom, frames):
    dataset = make_dicom(frames[0], SOPClassUID=EnhancedMRImageStorage, NumberOfFrames=len(frames))
    dataset.PixelData = frames.tobytes()
    measures = [_elements(PixelSpacing=["0.5", "0.25"])]
    dataset.SharedFunctionalGroupsSequence = [_elements(PixelMeasuresSequence=measures)]
    dataset.PerFrameFunctionalGroupsSequence = [
        _elements(
            PixelValueTransformationSequence=[
                _elements(RescaleSlope=str(number + 1), RescaleIntercept="-7", RescaleType="US")
            ],
            FrameVOILUTSequence=[_elements(WindowCenter=str(100 * number), WindowWidth="50")],
        )
        for number in range(len(frames))
    ]
    return dataset


def test_functional_groups_speak_for_their_frame(make_dicom, read):
    frames = RNG.integers(0, 1000, (4, 6, 9), dtype=np.uint16)
    dataset = _enhanced(make_dicom, frames)
    for number, frame in enumerate(frames):
        image = read(dataset, number)
        np.testing.assert_array_equal(image.pixels, frame)
        np.testing.assert_allclose(image.values, frame * (number + 1.0) - 7)
        assert (image.window.center, image.window.width) == (100 * number, 50)
        assert image.spacing == (0.5, 0.25)
        assert (image.frame, image.frame_count) == (number, 4)
    for number in (-1, 4):
        with pytest.raises(ImageReadError, match=rf"no frame number {number}\b.*numbers 0 to 3"):
            read(dataset, number)


@pytest.mark.parametrize(
    ("elements", "spacing"),
    [
        ({"PixelSpacing": ["0.7", "0.6"]}, (0.7, 0.6)),
        ({"ImagerPixelSpacing": ["0.14", "0.15"]}, (0.14, 0.15)),
        ({"PixelSpacing": ["0.7", "0.6"], "ImagerPixelSpacing": ["1", "1"]}, (0.7, 0.6)),
        ({"PixelSpacing": ["0", "0"], "ImagerPixelSpacing": ["0.2", "0.2"]}, (0.2, 0.2)),
        ({"PixelSpacing": ["0.000", "0.000"]}, None),
        ({"PixelSpacing": ["1"]}, None),
        ({"PixelSpacing": None}, None),
    ],
)
def test_spacing_is_rows_then_columns(make_dicom, read, elements, spacing):
    assert read(make_dicom(GREY, **elements)).spacing == spacing


def test_identity_is_read_and_kept_apart(make_dicom, read):
    image = read(
        make_dicom(GREY, PatientName="Doe^Jane", PatientID="4711", PatientBirthDate="19700101", StudyDate=None)
    )
    assert image.identity.patient_name == "Doe^Jane"
    assert image.identity.patient_id == "4711"
    assert image.identity.birth_date == "19700101"
    assert image.identity.study_date == ""
    assert image.identity.instance_uid == "1.2.826.0.1.3680043.8.498.1"


def test_odd_identity_is_neither_logged_nor_warned_of(make_dicom, read):
    log = io.StringIO()
    handler = logging.StreamHandler(log)  # pytest's caplog also hears what does not reach the root logger
    logging.getLogger().addHandler(handler)
    try:
        image = read(make_dicom(GREY, StudyInstanceUID="1.2.3.4.777"), patch=(b"1.2.3.4.777", b"Doe.1970.77"))
    finally:
        logging.getLogger().removeHandler(handler)
    assert image.identity.study_uid == "Doe.1970.77"
    assert log.getvalue() == ""
