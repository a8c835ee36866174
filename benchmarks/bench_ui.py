"""Measure the window: time to the first paint, and from a threshold change to the repaint.

Writes build/bench-ui.json. Run by ``make bench-ui``, offscreen.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PySide6.QtCore import QEvent, QObject, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from softcam_core.data.phantoms import make_phantom
from softcam_core.resources import resource
from softcam_viewer.app import Viewer, log_qt_message

SIDE = 2048
CHANGES = 100
STARTS = 5
LIMITS_MS = {"threshold_to_repaint": 16.0, "window_visible": 1500.0}

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

    def __init__(self) -> None:
        super().__init__()
        self.paints = 0

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        self.paints += event.type() == QEvent.Type.Paint
        return False


def threshold_to_repaint(folder: Path) -> list[float]:
    """Milliseconds from each change to the end of the repaint it causes, panels included."""
    film = cv2.resize(make_phantom(7, 512).pixels, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    path = folder / "film.png"
    cv2.imwrite(str(path), film)
    qInstallMessageHandler(log_qt_message)
    app = QApplication.instance() or QApplication([])
    viewer = Viewer(app)
    viewer.window.show()
    viewer.session.open_model(resource("demo/model.safetensors"))
    viewer.session.open_paths([path])
    while not viewer.is_idle or viewer.session.panes.active.explanation is None:
        app.processEvents()
        time.sleep(0.01)
    assert viewer.session.film.image.size == (SIDE, SIDE)
    app.processEvents()
    counter = PaintCounter()
    viewer.window.grid.active.view.viewport().installEventFilter(counter)
    times = []
    for change in range(CHANGES):
        before, start = counter.paints, time.perf_counter()
        viewer.session.panes.active.set_overlay(threshold=0.05 + 0.8 * change / CHANGES)
        while counter.paints == before:
            app.processEvents()
        times.append((time.perf_counter() - start) * 1000)
    viewer.close()
    return times


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
    with tempfile.TemporaryDirectory() as folder:
        measured = {
            "threshold_to_repaint": threshold_to_repaint(Path(folder)),
            "window_visible": window_visible(),
        }
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "qt_platform": os.environ.get("QT_QPA_PLATFORM", ""),
        "image": [SIDE, SIDE],
        "milliseconds": {
            name: {
                "median": round(statistics.median(values), 2),
                "p95": round(float(np.percentile(values, 95)), 2),
                "limit": LIMITS_MS[name],
                "runs": len(values),
            }
            for name, values in measured.items()
        },
    }
    Path("build").mkdir(exist_ok=True)
    Path("build/bench-ui.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"{'':24}{'median':>10}{'p95':>10}{'limit':>10}  ms   ({report['machine']})")
    for name, row in report["milliseconds"].items():
        print(f"{name:24}{row['median']:10.1f}{row['p95']:10.1f}{row['limit']:10.0f}")
    return int(any(row["median"] > row["limit"] for row in report["milliseconds"].values()))


if __name__ == "__main__":
    sys.exit(main())
