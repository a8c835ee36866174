import numpy as np
import pytest

from softcam_core.sweep.labels import place_labels

BOUNDS = (0.0, 0.0, 1400.0, 600.0)
SIZE = (150.0, 22.0)
NO_LINES = np.empty((0, 2))


def boxes(centres: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)


def share(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod())


@pytest.mark.parametrize("seed", range(5))
def test_twenty_labels_lie_apart_within_the_area_and_off_the_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Half of them in a crowd, as good trials are.
    points = np.concatenate([rng.uniform((80, 40), (1320, 560), (10, 2)), rng.normal((900, 450), (90, 30), (10, 2))])
    sizes = np.tile(SIZE, (20, 1))
    placed = boxes(place_labels(points, sizes, BOUNDS, 8, NO_LINES), sizes)
    for i in range(20):
        # A sliver of a label costs less than the next place farther off.
        assert max((share(placed[i], placed[j]) for j in range(i)), default=0) < 0.01 * np.prod(SIZE)
        assert share(placed[i], np.array(BOUNDS)) == pytest.approx(np.prod(SIZE))
        assert not ((points > placed[i, :2]) & (points < placed[i, 2:])).all(1).any()


def test_a_label_with_room_lies_beside_its_point() -> None:
    centres = place_labels(np.array([[500.0, 300.0]]), np.array([SIZE]), BOUNDS, 8, NO_LINES)
    assert centres == pytest.approx(np.array([[583.0, 300.0]]))


def test_a_label_at_the_edge_goes_to_the_other_side() -> None:
    centres = place_labels(np.array([[1390.0, 300.0]]), np.array([SIZE]), BOUNDS, 8, NO_LINES)
    assert centres == pytest.approx(np.array([[1307.0, 300.0]]))


def test_labels_keep_off_lines() -> None:
    line = np.stack([np.linspace(500, 800, 100), np.full(100, 300.0)], axis=1)
    (centre,) = place_labels(np.array([[500.0, 300.0]]), np.array([SIZE]), BOUNDS, 8, line)
    low, high = centre - np.array(SIZE) / 2, centre + np.array(SIZE) / 2
    assert not ((line > low) & (line < high)).all(1).any()


def test_equal_points_get_labels_of_their_own() -> None:
    points = np.full((6, 2), 300.0)
    centres = place_labels(points, np.tile(SIZE, (6, 1)), BOUNDS, 8, NO_LINES)
    placed = boxes(centres, np.tile(SIZE, (6, 1)))
    assert all(share(placed[i], placed[j]) == 0 for i in range(6) for j in range(i))
