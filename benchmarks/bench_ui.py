"""Measure the window: time to the first paint, and from a change in four panes to the repaint of all of them.

The next case is one that was read and explained ahead; its limit is one of the median.

Writes build/bench-ui.json. Run by ``make bench-ui``, offscreen.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from measuring import machine
from PySide6.QtCore import QEvent, QObject, QPointF, qInstallMessageHandler
from PySide6.QtWidgets import QApplication, QWidget

from softcam_core.data.phantoms import make_phantom
from softcam_core.imaging.image import Window
from softcam_core.resources import resource
from softcam_viewer.app import Viewer, log_qt_message
from softcam_viewer.model.user_folders import UserFolders

SIDE = 2048
CHANGES = 100
STARTS = 5
METHODS = ("evidence", "layercam", "gradxinput", "occlusion")
QUICK_METHODS = ("evidence", "layercam", "gradxinput", "gradcam++")
"""What is explained ahead."""
FILMS, STEPS = 6, 30
TURN_S, QUIET_TURNS = 0.01, 50
"""The window is at rest when nothing was done for so many turns: what is made ahead waits a moment now and then."""
LIMIT_MS, LIMIT_P95_MS, LIMIT_NEXT_MS, LIMIT_VISIBLE_MS = 16.0, 33.0, 100.0, 1500.0

# Measures itself from the time the parent started it to the first paint of the window.
START = """
import sys, time
from PySide6.QtWidgets import QApplication
from softcam_viewer.app import Viewer
app = QApplication([])
viewer = Viewer(app)
viewer.window.painted.connect(app.quit)
viewer.window.show()
app.exec()
print(time.time() - float(sys.argv[1]), "torch" in sys.modules)
viewer.close()
"""


class PaintCounter(QObject):
    """Counts the paint events of a widget."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.paints = 0
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        self.paints += event.type() == QEvent.Type.Paint
        return False


class Panes:
    """Four panes with four maps over films of 2048 x 2048 pixels, which are put into a folder."""

    def __init__(self, folder: Path, user: UserFolders | None = None) -> None:
        for number in range(FILMS):
            # The phantom with fine noise of its own at this size, so that the maps of pixels have something to follow.
            film = cv2.resize(make_phantom(7 + number, 512).pixels, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(folder / f"film_{number}.png"), film)
        app = QApplication.instance() or QApplication([])
        assert isinstance(app, QApplication)
        self.app, self.viewer = app, Viewer(app, device="cpu", folders=user)
        self.viewer.window.resize(1440, 900)
        self.viewer.window.show()
        self.viewer.session.open_model(resource("demo/model.safetensors"))
        self.viewer.session.open_paths([folder])
        self.wait()
        panes = self.viewer.session.panes
        panes.set_layout("2x2")
        for pane, method in zip(panes.shown, METHODS, strict=True):
            pane.set_method(method)
        self.wait()
        assert self.viewer.session.film.image.size == (SIDE, SIDE)
        assert [pane.overlay_map is not None for pane in panes.shown] == [True] * 4
        self.views = [pane.view for pane in self.viewer.window.grid.panes]
        self.counters = [PaintCounter(view.viewport()) for view in self.views]

    def wait(self) -> None:
        """Until nothing is read, computed or saved any more."""
        quiet = 0
        while quiet < QUIET_TURNS:
            self.app.processEvents()
            quiet = quiet + 1 if self.viewer.is_idle else 0
            time.sleep(TURN_S)

    def measure(self, change: Callable[[float], None]) -> list[float]:
        """As `measure_one`, of each change."""
        return [self.measure_one(partial(change, number / CHANGES)) for number in range(CHANGES)]

    def measure_one(self, change: Callable[[], None]) -> float:
        """Milliseconds from a change to the end of the repaint of all panes, panels included."""
        before, start = [counter.paints for counter in self.counters], time.perf_counter()
        change()
        while any(counter.paints == paints for counter, paints in zip(self.counters, before, strict=True)):
            self.app.processEvents()
        return (time.perf_counter() - start) * 1000

    def measure_steps(self) -> list[float]:
        """Milliseconds from each step to the next case to the repaint of all panes with its image and maps."""
        shown, times = self.viewer.session.panes.shown, []
        for pane, method in zip(shown, QUICK_METHODS, strict=True):
            pane.set_method(method)
        for number in range(STEPS):
            self.wait()
            times.append(self.measure_one(partial(self._step, -1 if number // (FILMS - 1) % 2 else 1)))
        return times

    def _step(self, by: int) -> None:
        session = self.viewer.session
        before = session.film.image
        session.step(by)
        assert session.film.image is not before, "the next case was not read ahead"
        assert all(pane.overlay_map is not None for pane in session.panes.shown), "nor explained"

    def set_overlays(self, **changes: float) -> None:
        for pane in self.viewer.session.panes.shown:
            pane.set_overlay(**changes)

    def set_window(self, share: float) -> None:
        self.viewer.session.film.set_window(Window.from_limits(20 * share, 160 + 80 * share))

    def pan(self, share: float) -> None:
        self.views[0].pan(QPointF(3 if share < 0.5 else -3, 2 if share < 0.5 else -2))

    def point(self, share: float) -> None:
        """As the mouse does over the first pane."""
        view = self.views[0]
        at = view.image_position(QPointF(view.width() * (0.2 + 0.6 * share), view.height() * (0.8 - 0.6 * share)))
        view.pointed.emit(at.y(), at.x())

    def run(self) -> dict[str, list[float]]:
        measured = {}
        scales = {"": None, ", magnified": 1.1}
        for name, scale in scales.items():
            self.set_overlays(threshold=0.2, opacity=0.6)
            view = self.views[0]
            view.fit()
            if scale:
                view.zoom(scale / view.scale_factor)
            self.wait()
            measured |= {
                f"threshold{name}": self.measure(lambda share: self.set_overlays(threshold=0.05 + 0.8 * share)),
                f"opacity{name}": self.measure(
                    lambda share: self.set_overlays(threshold=0.2, opacity=0.2 + 0.7 * share)
                ),
                f"window/level{name}": self.measure(self.set_window),
                f"pan{name}": self.measure(self.pan),
                f"crosshair{name}": self.measure(self.point),
            }
        return measured | {"next case": self.measure_steps()}

    def close(self) -> None:
        self.viewer.close()
        self.viewer.window.deleteLater()


def window_visible() -> list[float]:
    """Milliseconds from the start of the process to the first paint, after one run that warms the disk cache."""
    times = []
    for _ in range(STARTS + 1):
        result = subprocess.run(
            [sys.executable, "-c", START, str(time.time())], capture_output=True, text=True, check=True
        )
        seconds, torch_imported = result.stdout.split()
        assert torch_imported == "False", "the window waited for torch"
        times.append(float(seconds) * 1000)
    return times[1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-start", action="store_true", help="leave out the time to the first paint")
    parser.add_argument("--profile", metavar="FILE", help="write a profile of the changes, for pstats")
    arguments = parser.parse_args()
    qInstallMessageHandler(log_qt_message)
    with tempfile.TemporaryDirectory() as folder:
        panes = Panes(Path(folder))
        if arguments.profile:
            import cProfile

            with cProfile.Profile() as profile:
                panes.run()
            profile.dump_stats(arguments.profile)
            return 0
        measured = panes.run()
        panes.close()
    limits = dict.fromkeys(measured, (LIMIT_MS, LIMIT_P95_MS)) | {"next case": (LIMIT_NEXT_MS, float("inf"))}
    if not arguments.no_start:
        measured["window visible"] = window_visible()
        limits["window visible"] = LIMIT_VISIBLE_MS, float("inf")
    rows = {
        name: {
            "median": round(statistics.median(values), 2),
            "p95": round(float(np.percentile(values, 95)), 2),
            "limits": [limit for limit in limits[name] if np.isfinite(limit)],
            "runs": len(values),
        }
        for name, values in measured.items()
    }
    report = {
        "machine": machine(),
        "qt_platform": os.environ.get("QT_QPA_PLATFORM", ""),
        "image": [SIDE, SIDE],
        "panes": list(METHODS),
        "milliseconds": rows,
    }
    Path("build").mkdir(exist_ok=True)
    Path("build/bench-ui.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"{'':28}{'median':>10}{'p95':>10}{'limits':>14}  ms   ({report['machine']})")
    for name, row in rows.items():
        limit = " / ".join(f"{value:.0f}" for value in row["limits"])
        print(f"{name:28}{row['median']:10.1f}{row['p95']:10.1f}{limit:>14}")
    return int(any(row["median"] > limits[name][0] or row["p95"] > limits[name][1] for name, row in rows.items()))


if __name__ == "__main__":
    sys.exit(main())
