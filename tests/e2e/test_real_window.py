"""A real window on a virtual screen, moved by a real mouse."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def viewer(tmp_path: Path, signed_model_file: Path, start: Callable):
    """The viewer with a film and a model, of which a map is shown."""
    film = tmp_path / "film.png"
    pixels = np.random.default_rng(0).integers(0, 80, (400, 500), dtype=np.uint8)
    pixels[100:200, 150:300] = 200
    cv2.imwrite(str(film), pixels)
    viewer = start(film, "--model", signed_model_file)
    viewer.part(kind="LedgerPanel")
    viewer.focus()
    return viewer


def test_dragging_the_threshold_with_the_mouse_changes_the_picture(viewer, is_colored):
    screen, image = viewer.screen, viewer.part(kind="ImageView").inside
    before = screen.wait(lambda frame: is_colored(frame[image]).sum() > 1000, "the evidence")
    left, _, width, _ = viewer.part(name="Threshold", kind="QSlider").area
    viewer.drag(viewer.part(name="Threshold", text="handle"), to_left=left + 0.9 * width)
    colored = is_colored(before[image]).sum()
    after = screen.wait(lambda frame: is_colored(frame[image]).sum() < 0.5 * colored, "less evidence over the film")
    # The film itself is still there: grey where evidence was.
    gone = is_colored(before[image]) & ~is_colored(after[image])
    assert gone.sum() > 0.5 * colored
    assert after[image][gone].mean() > 10


def test_two_panes_with_methods_chosen_by_keyboard(viewer, is_colored):
    screen = viewer.screen
    viewer.part(kind="ImageView")
    # Without the crosshair, which comes and goes with the cursor.
    screen.do("key", "x", "key", "alt+2")
    viewer.wait(lambda _: len(viewer.parts(kind="ImageView")) == 2, "two panes")
    left, right = (part.inside for part in viewer.parts(kind="ImageView"))
    two = screen.wait(lambda frame: min(is_colored(frame[at]).sum() for at in (left, right)) > 500, "two maps")
    # The random map, last but two in the list, of the second pane; the first stays as it is.
    screen.do("key", "F6", "key", "m")
    viewer.part(window="", text="Edge detector")
    screen.do("key", "End", "key", "Up", "key", "Up", "key", "Return")
    viewer.part(name="Method", text="Random map")
    after = screen.wait(
        lambda frame: (frame[right] != two[right]).any(axis=2).mean() > 0.1, "another method's map in the second pane"
    )
    assert np.array_equal(after[left], two[left])


def test_the_keys_work_in_a_real_window(viewer, is_colored):
    screen, image = viewer.screen, viewer.part(kind="ImageView").inside
    screen.wait(lambda frame: is_colored(frame[image]).sum() > 1000, "the evidence")
    screen.do("key", "h")
    hidden = screen.wait(lambda frame: is_colored(frame[image]).sum() == 0, "the film alone")
    assert hidden[image].mean() > 5
    screen.do("key", "h")
    screen.wait(lambda frame: is_colored(frame[image]).sum() > 1000, "the evidence again")
