"""Colour maps: complete, and dark to light or symmetric, as their kind promises."""

import numpy as np
import pytest

from softcam_core.export.colormaps import COLORMAPS, DEFAULT_DIVERGING, DEFAULT_SEQUENTIAL


def lightness(table: np.ndarray) -> np.ndarray:
    """CIE L* of sRGB colours, (N, 3) uint8 -> (N,)."""
    rgb = table / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27)


@pytest.mark.parametrize("name", COLORMAPS)
def test_a_map_has_256_colours_and_its_lightness_tells_the_order_of_values_without_hue(name):
    chosen = COLORMAPS[name]
    table = chosen.table()
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    light = lightness(table)
    if chosen.kind == "sequential":
        # One step of a colour is 1 of 255, which is up to 1 in L*.
        assert (np.diff(light) > -1).all()
        assert light[-1] - light[0] > 60
    else:
        outward = np.diff(light[128:]), np.diff(light[127::-1])
        signs = [np.sign(half.sum()) for half in outward]
        assert signs[0] == signs[1]
        assert min(abs(light[-1] - light[128]), abs(light[0] - light[127])) > 35


def test_standard_maps_are_of_their_kind():
    assert COLORMAPS[DEFAULT_DIVERGING].kind == "diverging"
    assert COLORMAPS[DEFAULT_SEQUENTIAL].kind == "sequential"
