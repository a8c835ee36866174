import numpy as np
import pytest

from softcam_core.evaluation.localization import pointing_hit, relevance_mass


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((6, 8), dtype=bool)
    mask[2:4, 3:6] = True
    return mask


def test_a_map_that_peaks_in_the_annotation_hits(mask):
    on_image = np.zeros(mask.shape)
    on_image[3, 5] = 1
    assert pointing_hit(on_image, mask)
    on_image[0, 0] = 2
    assert not pointing_hit(on_image, mask)


def test_a_peak_beside_the_annotation_hits_within_the_margin(mask):
    on_image = np.zeros(mask.shape)
    on_image[0, 0] = 1  # two rows and three columns away
    assert not pointing_hit(on_image, mask, margin=3.6)
    assert pointing_hit(on_image, mask, margin=3.7)
    assert not pointing_hit(on_image, np.zeros_like(mask), margin=99)


def test_pixels_that_were_not_analysed_cannot_win(mask):
    on_image = np.full(mask.shape, -3.0)
    on_image[2, 3] = -1
    on_image[0] = np.nan
    assert pointing_hit(on_image, mask)


def test_mass_is_the_share_of_the_positive_evidence(mask):
    on_image = np.full(mask.shape, -5.0)
    on_image[2, 3], on_image[0, 0], on_image[5, 5] = 3, 1, np.nan
    assert relevance_mass(on_image, mask) == pytest.approx(0.75)


def test_a_constant_map_has_the_mass_of_the_annotated_area(mask):
    assert relevance_mass(np.ones(mask.shape), mask) == pytest.approx(mask.mean())


def test_without_positive_evidence_there_is_no_share(mask):
    assert np.isnan(relevance_mass(np.full(mask.shape, -1.0), mask))


@pytest.mark.parametrize("function", [pointing_hit, relevance_mass])
def test_sizes_must_agree_and_something_must_be_analysed(function, mask):
    with pytest.raises(ValueError, match="size"):
        function(np.zeros((3, 3)), mask)
    with pytest.raises(ValueError, match="analysed"):
        function(np.full(mask.shape, np.nan), mask)
