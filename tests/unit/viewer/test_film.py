"""Films: windows by presets, which are remembered for each modality."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from softcam_core.imaging.image import MedicalImage, Window
from softcam_viewer.model.backend import OpenedImage
from softcam_viewer.model.film import Film
from softcam_viewer.model.histogram import BINS, histogram


def image_of(values, modality="", **changes) -> MedicalImage:
    values = np.asarray(values)
    if values.ndim == 2:
        values = values.astype(np.float32)
    image = MedicalImage(Path("a.dcm"), values, values, values, Window.from_limits(0, 255), modality=modality)
    return replace(image, **changes)


def opened(image: MedicalImage) -> OpenedImage:
    return OpenedImage(image, (image.source,))


@pytest.fixture
def film(qapp) -> Film:
    return Film()


def titles(film: Film) -> list[str]:
    return [preset.title for preset in film.presets]


def test_presets_are_those_of_the_file_of_the_values_and_of_the_modality(film):
    values = np.arange(1000.0).reshape(20, 50)
    film.show(opened(image_of(values)))
    assert titles(film) == ["Standard", "Middle 98 % of the values", "All values"]  # the file has none
    film.use_preset("Middle 98 % of the values")
    assert film.window.limits == (10, 989)
    film.show(opened(image_of(values, window_presets=(("", Window.from_limits(3, 4)),))))
    assert titles(film)[0] == "File"
    two = (("LUNG", Window.from_limits(-1350, 150)), ("BONE", Window.from_limits(-500, 1300)))
    film.show(opened(image_of(values, "CT", window=two[0][1], window_presets=two)))
    assert titles(film)[:2] == ["File 1: LUNG", "File 2: BONE"]
    assert {"Soft tissue", "Lung", "Bone", "Brain"} <= set(titles(film))
    film.use_preset("Soft tissue")
    assert film.window.limits == (-160, 240)


def test_a_preset_is_used_for_images_of_its_modality_from_then_on(film):
    told = []
    film.preferred_changed.connect(lambda: told.append(dict(film.preferred)))
    first = image_of(np.arange(100.0).reshape(10, 10), "CT")
    film.show(opened(first))
    film.use_preset("Lung")
    film.use_preset("Lung")
    assert told == [{"CT": "Lung"}]
    film.show(opened(image_of(np.zeros((4, 4)), "CR")))
    assert film.window.limits == (0, 255)
    film.show(opened(first))
    assert film.window.limits == (-1350, 150)
    film.set_window(Window.from_limits(0, 1))  # by hand: for this image only
    film.show(opened(first))
    assert film.window.limits == (-1350, 150)


def test_a_preset_that_an_image_does_not_have_leaves_its_own_window(film):
    film.preferred = {"CT": "File 3"}
    film.show(opened(image_of(np.zeros((4, 4)), "CT")))
    assert film.window.limits == (0, 255)


def test_colours_have_no_presets(film):
    film.show(opened(image_of(np.zeros((4, 4, 3), np.uint8))))
    assert film.presets == ()
    film.use_preset("All values")
    assert film.window.limits == (0, 255)


def test_a_histogram_counts_all_values_between_its_ends():
    values = np.random.default_rng(0).normal(size=(64, 48)).astype(np.float32)
    found = histogram(image_of(values))
    assert found.counts.sum() == values.size
    assert (found.low, found.high) == (values.min(), values.max())
    expected, _ = np.histogram(values, bins=BINS)
    assert np.abs(found.counts - expected).max() <= 1


@pytest.mark.parametrize("value", [0.0, -1000.0, 3e38, 7.0])
def test_a_constant_image_has_a_histogram(value):
    found = histogram(image_of(np.full((5, 4000), value)))
    assert found.low < found.high
    assert found.counts.max() == found.counts.sum() > 0


def test_values_that_are_no_numbers_are_not_counted_and_colours_count_by_brightness():
    values = np.array([[np.nan, 1.0], [2.0, np.inf]], np.float32)
    assert histogram(image_of(values)).counts.sum() == 2
    colors = np.zeros((2, 2, 3), np.uint8)
    colors[0, 0] = 30, 60, 90
    assert histogram(image_of(colors)).high == 60
