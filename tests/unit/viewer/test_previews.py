from pathlib import Path

import cv2
import numpy as np
import pytest

from softcam_core.errors import ImageReadError
from softcam_viewer.model import backend, previews
from softcam_viewer.model.cases import CaseList
from softcam_viewer.model.loaded_model import LoadedModel
from softcam_viewer.model.previews import Previews, time_left

THUMBNAIL = np.zeros((4, 4), np.uint8)


class Scene:
    """Six cases, the previews that were made of them, and a machine that is free or not."""

    def __init__(self, lane, monkeypatch) -> None:
        self.made: list[tuple[str, bool]] = []
        self.is_free = True
        self.cases, self.lane = CaseList(), lane
        self.previews = Previews(self.cases, self.lane, lambda: self.is_free)
        self.cases.reset([Path(f"{number}.png") for number in range(6)])
        monkeypatch.setattr(backend, "preview", self.preview)

    def preview(self, path: Path, model: LoadedModel | None) -> backend.Preview:
        self.made.append((path.stem, model is not None))
        if path.stem == "4":
            raise ImageReadError(path, "is damaged")
        if model is None:
            return backend.Preview(THUMBNAIL, 1, None)
        return backend.Preview(THUMBNAIL, 1, ("a", 0.9), (0.9, 0.1), 0.4, 0.2)


@pytest.fixture
def scene(qapp, lanes, monkeypatch) -> Scene:
    return Scene(lanes.preview, monkeypatch)


def test_what_was_scrolled_to_last_is_made_first_and_what_was_scrolled_past_is_dropped(scene, monkeypatch):
    monkeypatch.setattr(previews, "WANTED", 3)
    wanted = []
    scene.cases.preview_wanted.connect(wanted.append)
    for row in range(6):
        scene.cases.data(scene.cases.index(row), CaseList.CASE_ROLE)
    scene.lane.run_all()
    assert [name for name, _ in scene.made] == ["0", "5", "4", "3"]
    scene.cases.data(scene.cases.index(1), CaseList.CASE_ROLE)
    assert wanted[-1] == 1  # asked for again when it is seen again


def test_a_scan_explains_all_in_the_order_given_and_lets_those_in_view_pass(scene):
    scene.previews.use_model(object())
    scene.previews.start_scan([5, 3, 1])
    scene.lane.run_next()
    scene.previews.want(0)
    scene.lane.run_all()
    assert [name for name, _ in scene.made] == ["5", "3", "0", "1"]
    assert not scene.previews.is_scanning
    assert (scene.cases[1].prediction, scene.cases[1].entropy, scene.cases[1].border) == (("a", 0.9), 0.4, 0.2)


def test_a_scan_that_was_stopped_goes_on_where_it_was(scene):
    scene.previews.use_model(object())
    scene.previews.start_scan(list(range(6)))
    scene.lane.run_next()
    scene.lane.run_next()
    assert scene.previews.done == 2
    scene.previews.stop_scan()
    scene.lane.run_all()
    scene.previews.start_scan(list(range(6)))
    scene.lane.run_all()
    assert [name for name, _ in scene.made] == list("012345")
    assert "4.png: is damaged" in scene.cases[4].error


def test_a_scan_stands_back_while_the_case_in_view_is_waited_for(scene, qtbot):
    scene.previews.use_model(object())
    scene.is_free = False
    scene.previews.start_scan([0])
    qtbot.wait(2 * previews.WAIT_MS)
    assert scene.lane.waiting == []
    scene.is_free = True
    qtbot.waitUntil(lambda: len(scene.lane.waiting) == 1)


def test_another_model_ends_the_scan_and_what_the_old_one_said_late_is_not_believed(scene):
    scene.previews.use_model(object())
    scene.previews.start_scan([0, 1])
    work, done, _ = scene.lane.waiting[0]
    late = work()
    scene.previews.use_model(object())
    scene.cases.use_classes(("x", "y"), "single_label")
    done(late)
    assert not scene.previews.is_scanning
    assert scene.cases[0].prediction is None


def test_a_scan_keeps_no_thumbnails_in_the_place_of_those_in_view(scene, monkeypatch):
    from softcam_viewer.model import cases

    monkeypatch.setattr(cases, "THUMBNAILS", 1)
    scene.previews.use_model(object())
    scene.previews.want(0)
    scene.lane.run_all()
    scene.previews.start_scan([1, 2])
    scene.lane.run_all()
    assert scene.cases[0].thumbnail is not None
    assert scene.cases[1].thumbnail is None
    scene.previews.want(1)
    scene.lane.run_all()
    assert scene.made[-1] == ("1", False)  # what the model said is known
    assert scene.cases[1].thumbnail is not None
    assert scene.cases[1].entropy == 0.4


def test_without_a_model_there_is_nothing_to_scan_with(scene):
    scene.previews.start_scan([0, 1])
    assert not scene.previews.is_scanning
    assert scene.lane.waiting == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (10, "under a minute left"), (60, "a minute left"), (250, "4 min left"), (9000, "2 h left")],
)
def test_the_time_left_is_told_for_people(seconds, text):
    assert time_left(seconds) == text


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (1, 1), (300, 200), (2000, 240)])
def test_any_shape_of_image_has_a_square_thumbnail(tmp_path, size):
    path = tmp_path / "film.png"
    cv2.imwrite(str(path), np.full(size, 200, np.uint8))
    small = backend.preview(path, None).thumbnail
    assert small.shape == (backend.THUMBNAIL_SIDE, backend.THUMBNAIL_SIDE)
    assert small.max() == 200


def test_a_constant_image_is_a_grey_square_and_colours_stay(tmp_path):
    path = tmp_path / "film.png"
    cv2.imwrite(str(path), np.full((40, 60, 3), (10, 20, 30), np.uint8))
    small = backend.preview(path, None).thumbnail
    assert small.shape[2:] == (3,)
    assert (small == (30, 20, 10)).all()


def test_a_file_that_is_gone_says_so(tmp_path):
    with pytest.raises(ImageReadError, match="no such file"):
        backend.preview(tmp_path / "gone.png", None)
    with pytest.raises(ImageReadError, match="was removed"):
        backend.key_of(tmp_path / "gone.png", 0)
