from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.pixels import apply_windowing

from softcam_core.imaging.image import Identity, MedicalImage, Window

FUNCTIONS = ["LINEAR", "LINEAR_EXACT", "SIGMOID"]
FINITE = st.floats(-1e6, 1e6, width=32)


def _windowed_by_pydicom(values: np.ndarray, window: Window) -> np.ndarray:
    dataset = Dataset()
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsStored, dataset.PixelRepresentation = 8, 0
    dataset.WindowCenter, dataset.WindowWidth = window.center, window.width
    dataset.VOILUTFunction = window.function
    with np.errstate(over="ignore"):
        return apply_windowing(values.astype(np.float64), dataset) / 255


def _image(values: np.ndarray, **kwargs) -> MedicalImage:
    return MedicalImage(Path("image.dcm"), values, values, values, **kwargs)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(("center", "width"), [(40, 400), (0, 1), (-600.5, 1500), (2048, 4096), (0.5, 3), (127.5, 255)])
def test_window_agrees_with_pydicom(function, center, width):
    values = np.concatenate([np.arange(-1024, 4096), np.arange(-8, 8, 0.25)])
    window = Window(center, width, function)
    np.testing.assert_allclose(window.apply(values), _windowed_by_pydicom(values, window), atol=1e-5)


def test_real_window_below_width_1_agrees_with_pydicom():
    values = np.linspace(-1, 2, 301)
    window = Window(0.3, 0.25, "LINEAR_EXACT")
    np.testing.assert_allclose(window.apply(values), _windowed_by_pydicom(values, window), atol=1e-5)


@pytest.mark.parametrize("function", FUNCTIONS)
@given(values=st.lists(FINITE, min_size=2), center=FINITE, width=st.floats(1, 1e6, width=32))
def test_window_is_monotonic_and_within_0_and_1(function, values, center, width):
    shown = Window(center, width, function).apply(np.sort(np.array(values)))
    assert shown.dtype == np.float32
    assert shown.min() >= 0
    assert shown.max() <= 1
    assert (np.diff(shown) >= 0).all()


@given(lower=FINITE, extent=st.floats(0.125, 1e6, width=32))
def test_window_from_limits_is_black_and_white_there(lower, extent):
    window = Window.from_limits(lower, lower + extent)
    np.testing.assert_allclose(window.limits, (lower, lower + extent), rtol=1e-6, atol=1e-6)
    assert window.apply(np.array([lower - extent, lower + 2 * extent])).tolist() == [0, 1]


def test_window_without_extent_is_a_step():
    assert Window.from_limits(0, 0).apply(np.array([-1.0, 0, 1e-3, 1e30])).tolist() == [0, 0, 1, 1]


def test_percentile_window_ignores_outliers():
    values = np.arange(1000, dtype=np.float32)
    values[0], values[-1] = -1e6, 1e6
    lower, upper = Window.from_percentiles(values).limits
    assert lower == pytest.approx(5, abs=1)
    assert upper == pytest.approx(994, abs=1)


def test_percentile_window_of_a_nearly_constant_image_spans_its_extremes():
    values = np.zeros(10_000, dtype=np.float32)
    values[7] = 3
    assert Window.from_percentiles(values).limits == (0, 3)


def test_percentile_window_of_a_constant_image_has_width_1():
    window = Window.from_percentiles(np.full((4, 5), 7, dtype=np.float32))
    assert (window.center, window.width) == (7, 1)
    assert np.isfinite(window.apply(np.full((4, 5), 7))).all()


@pytest.mark.parametrize("value", [1e20, -3e38, 2.0**60])
def test_a_window_around_one_large_number_has_limits_that_differ(value):
    values = np.full((2, 2), value, dtype=np.float32)
    for window in (Window.from_percentiles(values), Window.from_limits(value, value)):
        lower, upper = window.limits
        assert lower < float(values[0, 0]) < upper
        assert window.apply(values).tolist() == pytest.approx(np.full((2, 2), 0.5), abs=0.5)


def test_percentile_window_of_the_largest_floats_is_finite():
    big = np.finfo(np.float32).max
    assert np.isfinite(Window.from_percentiles(np.array([-big, big], dtype=np.float32)).limits).all()


def test_display_inverts_after_the_window():
    values = np.array([[0, 100, 200]], dtype=np.float32)
    image = _image(values, window=Window.from_limits(0, 200), inverted=True)
    np.testing.assert_allclose(image.display(), [[1, 0.5, 0]])
    np.testing.assert_allclose(image.display(Window.from_limits(0, 100)), [[1, 0, 0]])


def test_color_is_told_by_the_values():
    grey, color = np.zeros((2, 3), np.float32), np.zeros((2, 3, 3), np.uint8)
    assert not _image(grey, window=Window(0, 1)).is_color
    assert _image(color, window=Window(0, 1)).is_color
    assert _image(color, window=Window(0, 1)).size == (2, 3)


def test_identity_does_not_show_when_printed():
    identity = Identity(patient_name="Doe^Jane", patient_id="4711", birth_date="19700101", study_uid="1.2.3")
    image = _image(np.zeros((1, 1), np.float32), window=Window(0, 1), identity=identity)
    for secret in ("Doe", "4711", "19700101", "1.2.3"):
        assert secret not in repr(identity)
        assert secret not in repr(image)
