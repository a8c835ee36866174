import io

import numpy as np
import torch
from PIL import Image

from softcam_core.evaluation.cases import Seen
from softcam_core.export.case_pictures import case_picture
from softcam_core.imaging.preprocessing import Preprocessing

PREPROCESSING = Preprocessing(shorter_side=80, mean=(0.5,) * 3, std=(0.25,) * 3)


def drawn(small_map: np.ndarray, box: tuple[slice, slice] = (slice(0, 0), slice(0, 0))) -> np.ndarray:
    """Picture of a grey image, (H, W, 3)."""
    region = torch.zeros(80, 160, dtype=torch.bool)
    region[box] = True
    picture = case_picture(Seen(torch.zeros(3, 80, 160), region, "seen"), PREPROCESSING, small_map)
    return np.asarray(Image.open(io.BytesIO(picture)), dtype=float)


def test_the_image_is_shown_as_it_is_where_the_map_says_nothing() -> None:
    picture = drawn(np.zeros((40, 80), np.int8))
    assert picture.shape == (80, 160, 3)
    np.testing.assert_allclose(picture, 127.5, atol=3)


def test_what_speaks_for_and_against_has_its_own_colour_and_place() -> None:
    small = np.zeros((40, 80), np.int8)
    small[:20, :20], small[20:, 60:] = 127, -127
    small[20:, :20] = 20  # below a fifth of the largest
    picture = drawn(small)
    pro, contra, weak = picture[10, 20], picture[70, 140], picture[70, 20]
    assert pro[0] > pro[2] + 40  # orange
    assert contra[2] > contra[0] + 10  # blue
    np.testing.assert_allclose(weak, 127.5, atol=4)


def test_annotations_are_outlined_and_their_inside_is_left() -> None:
    picture = drawn(np.zeros((40, 80), np.int8), (slice(20, 60), slice(40, 100)))
    assert picture[19, 70].mean() > 200  # just outside
    assert picture[18, 70].mean() < 70  # around that
    np.testing.assert_allclose(picture[40, 70], 127.5, atol=4)
