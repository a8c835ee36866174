from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from softcam_core.evaluation.plots import Curve, Point, pareto, plot_cost, plot_curves, spread


@given(st.lists(st.floats(-1, 2), min_size=1, max_size=12), st.floats(0.01, 0.5))
def test_names_are_moved_apart_in_their_order_and_stay_inside(heights: list[float], gap: float) -> None:
    wanted = np.array(heights)
    placed = spread(wanted, gap, 0.0, 1.0)
    order = np.argsort(wanted, kind="stable")
    fits = min(gap, 1 / max(1, len(heights) - 1))
    assert (np.diff(placed[order]) >= fits - 1e-9).all()
    assert placed.min() >= -1e-9
    assert placed.max() <= 1 + 1e-9


def test_names_that_have_room_are_not_moved() -> None:
    wanted = np.array([0.5, 0.1, 0.9])
    np.testing.assert_allclose(spread(wanted, 0.2, 0.0, 1.0), wanted)
    np.testing.assert_allclose(spread(np.array([0.5, 0.5]), 0.2, 0.0, 1.0), [0.4, 0.6])
    assert len(spread(np.array([]), 0.2, 0.0, 1.0)) == 0


def point(title: str, seconds: float, mean: float) -> Point:
    return Point(title, seconds, mean, mean - 0.1, mean + 0.1, False, 0)


def test_pareto_keeps_what_nobody_beats_in_both() -> None:
    points = [point("slow", 9, 0.9), point("quick", 1, 0.5), point("beaten", 5, 0.4), point("tie", 1, 0.3)]
    assert [p.title for p in pareto(points, lower_is_better=False)] == ["quick", "slow"]
    assert [p.title for p in pareto(points, lower_is_better=True)] == ["tie"]
    assert pareto([], lower_is_better=True) == []


@pytest.mark.parametrize("count", [1, 16])
def test_figures_are_drawn_of_any_number_of_methods(count: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.random((5, 4))
    values[0, 3] = np.nan
    curves = [Curve(f"Method {i} with a $long$ name", values / (i + 1), np.arange(5), i == 3, i) for i in range(count)]
    plot_curves(curves, tmp_path / "curves.png", title="Deletion", x="Blocks", y="Probability")
    points = [point(f"Method {i}", 10.0**-i, 0.5) for i in range(count)]
    plot_cost(points, tmp_path / "cost.png", title="Cost", y="Deletion", lower_is_better=True)
    for name in ("curves.png", "cost.png"):
        with Image.open(tmp_path / name) as picture:
            shades = np.asarray(picture.convert("L"))
        assert picture.size[0] == 1620
        assert (shades < 128).mean() > 0.003  # something is drawn
