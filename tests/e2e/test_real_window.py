"""A real window on a virtual screen, moved by a real mouse."""

import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication, QStyle, QStyleOptionSlider

from softcam_viewer.app import Viewer

ROOT = Path(__file__).parents[2]
SCREEN = (1440, 900)

pytestmark = pytest.mark.skipif(
    shutil.which("Xvfb") is None or shutil.which("xdotool") is None,
    reason="needs Xvfb and xdotool (`make test` installs them on Debian)",
)


class Screen:
    """An X server whose screen is a file."""

    def __init__(self, folder: Path) -> None:
        read, write = os.pipe()
        width, height = SCREEN
        self.process = subprocess.Popen(
            [
                "Xvfb",
                "-displayfd",
                str(write),
                "-screen",
                "0",
                f"{width}x{height}x24",
                "-fbdir",
                str(folder),
                "-noreset",
            ],
            pass_fds=[write],
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as answer:
            self.display = f":{answer.readline().strip()}"
        self._frame = folder / "Xvfb_screen0"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "DISPLAY": self.display, "QT_QPA_PLATFORM": "xcb"}

    def pixels(self) -> np.ndarray:
        """What is on the screen, (H, W, 3) RGB, from the X window dump the server keeps."""
        data = self._frame.read_bytes()
        header = struct.unpack(">25I", data[:100])
        header_size, width, height, stride, colors = header[0], header[4], header[5], header[12], header[19]
        start = header_size + colors * 12
        rows = np.frombuffer(data, np.uint8, stride * height, start).reshape(height, stride // 4, 4)
        return rows[:, :width, 2::-1].astype(int)

    def mouse(self, *actions: object) -> None:
        subprocess.run(["xdotool", *map(str, actions)], env=self.environment, check=True, timeout=30)

    def wait(self, ready: Callable[[np.ndarray], bool], what: str) -> np.ndarray:
        """Wait until the screen is as wanted and still."""
        end, before = time.monotonic() + 60, None
        while time.monotonic() < end:
            now = self.pixels()
            if before is not None and np.array_equal(now, before) and ready(now):
                return now
            before = now
            time.sleep(0.3)
        raise AssertionError(f"not seen: {what}")


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    screen = Screen(tmp_path)
    yield screen
    screen.process.terminate()
    screen.process.wait(10)


@pytest.fixture
def opened(tmp_path: Path, screen: Screen, signed_model_file: Path) -> Iterator[tuple[Path, Path]]:
    """The viewer as a user starts it, with a film and a model."""
    film = tmp_path / "film.png"
    pixels = np.random.default_rng(0).integers(0, 80, (400, 500), dtype=np.uint8)
    pixels[100:200, 150:300] = 200
    cv2.imwrite(str(film), pixels)
    process = subprocess.Popen(
        [sys.executable, "-m", "softcam_viewer", str(film), "--model", str(signed_model_file)],
        env=screen.environment,
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    yield film, signed_model_file
    process.terminate()
    process.wait(20)


def layout(film: Path, model: Path, qtbot) -> tuple[QPoint, QPoint, tuple[slice, slice], tuple[slice, slice]]:
    """Where the threshold's handle is, where to drag it to, where image and colour bar are: from a twin window."""
    app = QApplication.instance()
    viewer = Viewer(app, device="cpu")
    window = viewer.window
    window.show()
    viewer.session.open_model(model)
    viewer.session.open_paths([film])
    qtbot.waitUntil(lambda: viewer.is_idle and viewer.session.panes.active.explanation is not None, timeout=30_000)
    app.processEvents()
    slider, option = window.overlay.threshold, QStyleOptionSlider()
    slider.initStyleOption(option)
    handle = slider.style().subControlRect(
        QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, slider
    )
    start = slider.mapTo(window, handle.center())
    end = slider.mapTo(window, QPoint(int(slider.width() * 0.9), handle.center().y()))

    def area(widget) -> tuple[slice, slice]:
        corner = widget.mapTo(window, QPoint(0, 0))
        return (
            slice(corner.y() + 2, corner.y() + widget.height() - 2),
            slice(corner.x() + 2, corner.x() + widget.width() - 2),
        )

    found = start, end, area(window.grid.active.view), area(window.grid.active.color_bar)
    viewer.close()
    window.deleteLater()
    return found


def is_colored(pixels: np.ndarray) -> np.ndarray:
    return pixels.max(axis=2) - pixels.min(axis=2) > 25


def test_dragging_the_threshold_with_the_mouse_changes_the_picture(screen, opened, qtbot):
    start, end, image, bar = layout(*opened, qtbot)
    before = screen.wait(lambda frame: is_colored(frame[bar]).sum() > 500, "the colour bar")
    screen.mouse("mousemove", start.x(), start.y(), "mousedown", 1)
    for step in range(1, 6):
        at = start + (end - start) * (step / 5)
        screen.mouse("mousemove", at.x(), at.y(), "sleep", 0.05)
    screen.mouse("mouseup", 1)
    colored = is_colored(before[image]).sum()
    assert colored > 1000
    after = screen.wait(lambda frame: is_colored(frame[image]).sum() < 0.5 * colored, "less evidence over the film")
    # The film itself is still there: grey where evidence was.
    gone = is_colored(before[image]) & ~is_colored(after[image])
    assert gone.sum() > 0.5 * colored
    assert after[image][gone].mean() > 10


def panes_of(film: Path, model: Path, qtbot) -> list[tuple[slice, slice]]:
    """Where the images of two panes are, from a twin window."""
    app = QApplication.instance()
    viewer = Viewer(app, device="cpu")
    viewer.window.show()
    viewer.session.open_model(model)
    viewer.session.open_paths([film])
    viewer.session.panes.set_layout("1x2")
    qtbot.waitUntil(lambda: viewer.is_idle and viewer.session.panes.active.explanation is not None, timeout=30_000)
    app.processEvents()
    found = []
    for pane in viewer.window.grid.panes:
        corner, view = pane.view.mapTo(viewer.window, QPoint(0, 0)), pane.view
        rows, columns = slice(corner.y() + 2, corner.y() + view.height() - 2), slice(corner.x() + 2, None)
        found.append((rows, slice(columns.start, corner.x() + view.width() - 2)))
    viewer.close()
    viewer.window.deleteLater()
    return found


def test_two_panes_with_methods_chosen_by_keyboard(screen, opened, qtbot):
    _, _, image, bar = layout(*opened, qtbot)
    left, right = panes_of(*opened, qtbot)
    screen.wait(lambda frame: is_colored(frame[bar]).sum() > 500, "the colour bar")
    middle = (image[1].start + image[1].stop) // 2, (image[0].start + image[0].stop) // 2
    # Without the crosshair, which comes and goes with the cursor.
    screen.mouse("mousemove", *middle, "click", 2, "key", "x", "key", "alt+2")
    two = screen.wait(lambda frame: min(is_colored(frame[at]).sum() for at in (left, right)) > 500, "two maps")
    # The random map, last but one in the list, of the second pane; the first stays as it is.
    screen.mouse("key", "F6", "sleep", 0.5, "key", "m", "sleep", 0.5, "key", "End", "key", "Up", "key", "Return")
    after = screen.wait(
        lambda frame: (frame[right] != two[right]).any(axis=2).mean() > 0.1, "another method's map in the second pane"
    )
    assert np.array_equal(after[left], two[left])


def test_the_keys_work_in_a_real_window(screen, opened, qtbot):
    _, _, image, bar = layout(*opened, qtbot)
    before = screen.wait(lambda frame: is_colored(frame[bar]).sum() > 500, "the colour bar")
    middle = (image[1].start + image[1].stop) // 2, (image[0].start + image[0].stop) // 2
    screen.mouse("mousemove", *middle, "click", 2, "key", "h")
    hidden = screen.wait(lambda frame: is_colored(frame[image]).sum() == 0, "the film alone")
    screen.mouse("key", "h")
    screen.wait(lambda frame: is_colored(frame[image]).sum() > 1000, "the evidence again")
    assert is_colored(before[image]).sum() > 1000
    assert hidden[image].mean() > 5
