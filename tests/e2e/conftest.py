"""A screen that is a file, and a viewer on it that real mouse and keyboard move."""

import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
FAILED = ROOT / "build" / "shots" / "e2e_failed.png"
"""What is on the screen when something that is waited for has not come."""
SCREEN = (1600, 1000)
"""Larger than the window."""
BESIDE = (5, 5)
"""On the screen; windows that have been moved are not there."""
PATIENCE = 60
"""Seconds after which nothing will come any more, also on a machine that does other things."""

Pixels = np.ndarray


class Screen:
    """An X server whose screen is a file, and a user of their own, who has set nothing yet.

    Parameters
    ----------
    folder : Path
        For the screen and the user's files.
    """

    def __init__(self, folder: Path) -> None:
        self._home = folder / "home"
        self._home.mkdir(mode=0o700)  # Qt complains of others
        self._frame = folder / "Xvfb_screen0"
        read, write = os.pipe()
        width, height = SCREEN
        screen = ("-screen", "0", f"{width}x{height}x24", "-fbdir", str(folder), "-noreset")
        self._process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), *screen], pass_fds=[write], stderr=subprocess.DEVNULL
        )
        os.close(write)
        with os.fdopen(read) as answer:
            self._display = f":{answer.readline().strip()}"

    @property
    def environment(self) -> dict[str, str]:
        """For programs on this screen."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "QT_", "WAYLAND_"))}
        home = {"HOME": str(self._home), "XDG_RUNTIME_DIR": str(self._home)}
        return {**kept, **home, "DISPLAY": self._display, "QT_QPA_PLATFORM": "xcb"}

    @property
    def remembered(self) -> Path:
        """Where the viewer keeps annotations, jobs and sessions of this user."""
        return self._home / ".local" / "share" / "softcam-viewer"

    def new_log(self) -> Path:
        """A file for what a program complains of."""
        return self._home / f"log-{len(list(self._home.glob('log-*')))}.txt"

    def pixels(self) -> Pixels:
        """What is on the screen, (H, W, 3) RGB, from the X window dump the server keeps."""
        data = self._frame.read_bytes()
        header = struct.unpack(">25I", data[:100])
        header_size, width, height, stride, colors = header[0], header[4], header[5], header[12], header[19]
        start = header_size + colors * 12
        rows = np.frombuffer(data, np.uint8, stride * height, start).reshape(height, stride // 4, 4)
        return rows[:, :width, 2::-1].astype(np.int16)

    def do(self, *actions: object) -> None:
        """Move the mouse and press keys, as xdotool takes it."""
        subprocess.run(["xdotool", *map(str, actions)], env=self.environment, check=True, timeout=PATIENCE)

    def wait(self, ready: Callable[[Pixels], bool], what: str) -> Pixels:
        """Wait until the screen is as wanted and still."""
        end, before = time.monotonic() + PATIENCE, None
        while time.monotonic() < end:
            now = self.pixels()
            if before is not None and np.array_equal(now, before) and ready(now):
                return now
            before = now
            time.sleep(0.2)
        raise AssertionError(f"not seen: {what}")

    def save(self, path: Path) -> None:
        """Write a picture of the screen."""
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(self.pixels().astype(np.uint8)).save(path)

    def close(self) -> None:
        """Turn it off."""
        self._process.terminate()
        self._process.wait(PATIENCE)


@dataclass(frozen=True, slots=True)
class Part:
    """Something on the screen: a widget, a row of a list, or the handle of a slider.

    Attributes
    ----------
    window : str
        Title of its window.
    kind : str
        Class of the widget.
    name, text : str
        What a screen reader calls it, and what it says.
    area : (int, int, int, int)
        What can be seen of it: left, top, width, height.
    is_whole : bool
        All of it can be seen.
    is_enabled, is_checked, has_focus : bool
    """

    window: str
    kind: str
    name: str
    text: str
    area: tuple[int, int, int, int]
    is_whole: bool
    is_enabled: bool
    is_checked: bool = False
    has_focus: bool = False

    @property
    def middle(self) -> tuple[int, int]:
        left, top, width, height = self.area
        return left + width // 2, top + height // 2

    @property
    def spot(self) -> tuple[int, int]:
        """Where to press it: boxes that are ticked are at the left of what they say."""
        left, top, _, height = self.area
        return (left + 8, top + height // 2) if self.kind == "QCheckBox" else self.middle

    @property
    def inside(self) -> tuple[slice, slice]:
        """Of the screen's pixels, without the edges."""
        left, top, width, height = self.area
        return slice(top + 2, top + height - 2), slice(left + 2, left + width - 2)


class RunningViewer:
    """The viewer in a process of its own, which tells what can be seen of it.

    Parameters
    ----------
    screen : Screen
    arguments : sequence of object
        Of the command line.
    """

    def __init__(self, screen: Screen, arguments: Sequence[object]) -> None:
        self.screen = screen
        self.patience = PATIENCE
        """Seconds to wait for what is to be seen."""
        self._log = screen.new_log()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("watched_viewer.py")), *map(str, arguments)],
                env={**screen.environment, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    @property
    def complaints(self) -> str:
        """What it and Qt wrote on standard error."""
        return self._log.read_text("utf-8", errors="replace")

    # What can be seen

    def look(self) -> list[Part]:
        """All that can be seen now."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"?\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            raise AssertionError("the window does not answer")
        answer = self._process.stdout.readline()
        assert answer, f"the viewer has ended: {self.complaints}"
        return [Part(**{**part, "area": tuple(part["area"])}) for part in json.loads(answer)]

    def wait(self, ready: Callable[[list[Part]], object], what: str) -> list[Part]:
        """Wait until what can be seen is as wanted."""
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            if ready(parts := self.look()):
                return parts
            time.sleep(0.05)
        self.screen.save(FAILED)
        raise AssertionError(f"not seen: {what}; see {FAILED.name}")

    def parts(self, **wanted: object) -> list[Part]:
        """What can be seen now and is as wanted, in the order in which one reads."""
        return _matching(self.look(), wanted)

    def part(self, number: int = 0, **wanted: object) -> Part:
        """Wait for something that is as wanted; the first or another one of its kind."""
        parts = self.wait(lambda parts: len(_matching(parts, wanted)) > number, str(wanted))
        return _matching(parts, wanted)[number]

    def still(self) -> Pixels:
        """The screen when nothing changes any more; the mouse is beside the window, where it shows nothing."""
        self.screen.do("mousemove", *BESIDE)
        end, before = time.monotonic() + PATIENCE, None
        while time.monotonic() < end:
            self.look()  # it has had the time to draw what it says
            now = self.screen.pixels()
            if before is not None and np.array_equal(now, before):
                return now
            before = now
            time.sleep(0.2)
        raise AssertionError("the screen is never still")

    # What a user does

    def click(self, number: int = 0, **wanted: object) -> None:
        """Click on something that is as wanted, as soon as it can be used."""
        part = self.part(number, is_enabled=True, **wanted)
        self.screen.do("mousemove", *part.spot, "click", 1)

    def tick(self, *, on: bool, **wanted: object) -> None:
        """Tick a box or untick it, and wait until it is."""
        if self.part(**wanted).is_checked != on:
            self.click(**wanted)
            self.part(is_checked=on, **wanted)

    def drag(self, part: Part, *, to_left: float) -> None:
        """Drag something sideways."""
        self.drag_between(part.middle, (to_left, part.middle[1]))

    def drag_between(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag from a place on the screen to another one, as a hand does: by and by."""
        ways = [[a + (b - a) * step / 5 for a, b in zip(begin, end, strict=True)] for step in range(6)]
        steps = [("mousemove", round(left), round(top), "sleep", 0.02) for left, top in ways[1:]]
        self.screen.do("mousemove", *map(round, ways[0]), "mousedown", 1, *chain.from_iterable(steps), "mouseup", 1)

    def choose(self, *titles: str) -> None:
        """Choose a command from the menus."""
        kinds = ("QMenuBar part", *["QMenu part"] * (len(titles) - 1))
        for kind, title in zip(kinds, titles, strict=True):
            self.click(kind=kind, text=title)

    def type_line(self, text: object) -> None:
        """Write a line in place of what is there."""
        self.screen.do("key", "ctrl+a", "type", "--delay", 1, str(text))
        self.screen.do("key", "Return")

    def focus(self) -> None:
        """Give the keyboard to the main window, as a window manager does when a dialog is closed; here is none."""
        self._as_manager("windowfocus", "--sync")

    def move_to(self, left: int, top: int) -> None:
        """Put the main window somewhere."""
        self._as_manager("windowmove", left, top)
        self.wait(lambda parts: parts[0].area[:2] == (left, top), f"the window at {left}, {top}")

    def _as_manager(self, *actions: object) -> None:
        title = "SoftCAM viewer"
        self.wait(lambda parts: all(part.window.endswith(title) for part in parts), "the main window alone")
        self.screen.do("search", "--sync", "--onlyvisible", "--name", f"{title}$", *actions)

    def leave(self) -> int:
        """Wait until it has ended; its exit code."""
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def _matching(parts: Sequence[Part], wanted: Mapping[str, object]) -> list[Part]:
    found = [part for part in parts if all(getattr(part, key) == value for key, value in wanted.items())]
    return sorted(found, key=lambda part: (part.area[1], part.area[0]))


def training_process(job: Path) -> int | None:
    """The process that trains a job, whose folder is in its command; None where there is none."""
    pid = json.loads((job / "job.json").read_text("utf-8"))["pid"]
    try:
        return pid if str(job) in Path(f"/proc/{pid}/cmdline").read_text("utf-8") else None
    except OSError:
        return None


@pytest.fixture(scope="session")
def is_training() -> Callable[[Path], bool]:
    """Tells whether the process of a job is at work, by its folder."""
    return lambda job: training_process(job) is not None


@pytest.fixture(scope="session")
def is_colored() -> Callable[[Pixels], np.ndarray]:
    """Tells coloured pixels from grey ones."""
    return lambda pixels: pixels.max(axis=2) - pixels.min(axis=2) > 25


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        pytest.skip("needs Xvfb and xdotool (`make test` installs them on Debian)")
    screen = Screen(tmp_path)
    yield screen
    screen.close()


@pytest.fixture
def start(screen: Screen) -> Iterator[Callable[..., RunningViewer]]:
    """Starts the viewer with arguments of its command line; none of them may have a defect."""
    started: list[RunningViewer] = []

    def run(*arguments: object) -> RunningViewer:
        started.append(RunningViewer(screen, ("--device", "cpu", *arguments)))
        return started[-1]

    yield run
    for viewer in started:
        viewer.close()
    for file in screen.remembered.glob("jobs/*/job.json"):
        if (process := training_process(file.parent)) is not None:
            os.kill(process, signal.SIGKILL)
    assert [text for viewer in started if "Traceback" in (text := viewer.complaints)] == []
