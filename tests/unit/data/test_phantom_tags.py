import csv

import numpy as np
import pytest

from softcam_core.data.phantom_files import write_phantoms
from softcam_core.data.phantoms import make_phantom
from softcam_core.errors import SettingsError


@pytest.mark.parametrize("seed", range(6))
def test_a_tag_changes_its_corner_alone(seed: int) -> None:
    plain, tagged = (make_phantom(seed, 160, lesion=True, tag=on) for on in (False, True))
    assert plain.tag_box is None
    x, y, width, height = tagged.tag_box
    assert max(x + width, y + height) < 0.15 * 160
    rows, columns = np.nonzero(plain.pixels != tagged.pixels)
    assert y - 4 <= rows.min() <= rows.max() < y + height + 4
    assert x - 4 <= columns.min() <= columns.max() < x + width + 4
    assert tagged.pixels[y + height // 2, x + width // 2] > np.percentile(plain.pixels, 95)
    left, top, across, down = tagged.marker_box
    assert left > x + width or top > y + height or left + across < x or top + down < y


def test_tags_go_with_lesions_as_often_as_asked_for(tmp_path) -> None:
    rows = {}
    for name, tags in (("planted", (1.0, 0.0)), ("even", (0.5, 0.5))):
        manifest = write_phantoms(tmp_path / name, 60, size=64, seed=5, tags=tags)
        with manifest.open(newline="") as file:
            rows[name] = list(csv.DictReader(file))
    assert all(bool(row["tag"]) == (row["label"] == "opacity") for row in rows["planted"])
    for label in ("opacity", "no finding"):
        worn = [bool(row["tag"]) for row in rows["even"] if row["label"] == label]
        assert 0.25 < np.mean(worn) < 0.75
    seeds = [[row["seed"] for row in table] for table in rows.values()]
    assert seeds[0] == seeds[1]


@pytest.mark.parametrize(("kind", "tags"), [("fundus", (1, 0)), ("chest", (1.5, 0))])
def test_tags_that_cannot_be_are_refused(tmp_path, kind, tags) -> None:
    with pytest.raises(SettingsError, match="--tags"):
        write_phantoms(tmp_path / "set", 4, kind=kind, size=64, tags=tags)
    assert not (tmp_path / "set").exists()
