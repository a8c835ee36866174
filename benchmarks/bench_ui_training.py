"""Measure the window while a training job has all cores: from a change in four panes to the repaint of all of them.

The job is a real one of the viewer's own, in its queue and in its strip. Changes come as from a mouse, each a moment
after the one before, with and without annotations on the image. Writes build/bench-ui-training.json. Run by
``make bench-ui-training``, offscreen.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from bench_ui import METHODS, SIDE, Panes
from measuring import machine
from PySide6.QtCore import qInstallMessageHandler

from softcam_core.annotations.annotation import VERDICTS
from softcam_core.annotations.shapes import Bitmap, Ellipse, Polygon, Rectangle, Shape
from softcam_core.data.phantom_files import write_phantoms
from softcam_viewer.app import log_qt_message
from softcam_viewer.model.job import Job
from softcam_viewer.model.training_jobs import TrainingJobs
from softcam_viewer.model.user_folders import UserFolders

IMAGES, IMAGE_SIDE = 64, 256
CHANGES = 150
PAUSE_S = 0.008
"""Between two changes, in which the job takes all cores again."""
MARKS = 50
STEPS_BEFORE = 3
START_LIMIT_S = 300.0
LIMIT_MS, LIMIT_P95_MS = 33.0, 100.0


class Training:
    """A job that trains on phantoms for longer than anybody measures."""

    def __init__(self, jobs: TrainingJobs, turn: Callable[[], None], folder: Path) -> None:
        self._jobs, self._turn = jobs, turn
        manifest = write_phantoms(folder, IMAGES, size=IMAGE_SIDE)
        settings = {
            "data": {"path": manifest},
            "model": {"architecture": "compact", "name": "Phantoms"},
            "preprocessing": {"shorter_side": IMAGE_SIDE},
            "training": {"epochs": 10_000, "batch_size": 16},
            "hardware": {"device": "cpu"},
        }
        jobs.start()
        self.id = jobs.add(settings, title="while the window is measured").id
        end = time.monotonic() + START_LIMIT_S
        while self.step < STEPS_BEFORE:
            assert time.monotonic() < end, "the job does not begin"
            self.check()
            turn()

    @property
    def step(self) -> int:
        return self._jobs.progress(self.id).step

    @property
    def job(self) -> Job:
        return next(job for job in self._jobs.jobs if job.id == self.id)

    @property
    def cpu_seconds(self) -> float:
        """Processor time of its process so far; 0 where the system does not tell."""
        status = Path(f"/proc/{self.job.pid}/stat")
        if not status.is_file():
            return 0.0
        # Behind the program's name, which may hold anything.
        fields = status.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check(self) -> None:
        """Whether it is still at it."""
        assert self.job.state in ("queued", "running"), f"{self.job.state}: {self.job.message}"

    def end(self) -> None:
        """Cancel it, or the window would ask what becomes of it."""
        self._jobs.cancel(self.id)
        while not self.job.is_over:
            self._turn()


def shapes() -> list[Shape]:
    """Places as people mark them, all over the image."""
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    rows, columns = np.mgrid[:40, :40] / 40 - 0.5
    made: list[Shape] = []
    for number in range(MARKS):
        top, left = (float(v) for v in rng.uniform(0, SIDE * 0.85, 2))
        size = float(rng.uniform(60, 300))
        radius = size * (0.4 + 0.1 * rng.random(len(angles)))
        region = Bitmap.of(
            np.hypot(rows, columns) < 0.3 + 0.15 * rng.random(rows.shape), (top, left, top + size, left + size)
        )
        assert region is not None
        outline = zip(top + radius * (1 + np.sin(angles)), left + radius * (1 + np.cos(angles)), strict=True)
        made.append(
            (
                Rectangle(top=top, left=left, height=size, width=size),
                Ellipse(row=top, column=left, down=size / 2, across=size / 3),
                Polygon(points=tuple((float(row), float(column)) for row, column in outline), is_freehand=True),
                region,
            )[number % 4]
        )
    return made


def measure(panes: Panes, change: Callable[[float], None]) -> list[float]:
    """Milliseconds from each change to the end of the repaint of all panes, panels included."""
    times = []
    for number in range(CHANGES):
        end = time.perf_counter() + PAUSE_S
        while time.perf_counter() < end:
            panes.app.processEvents()
            time.sleep(PAUSE_S / 8)
        times.append(panes.measure_one(partial(change, number / CHANGES)))
    return times


def measure_all(panes: Panes, name: str) -> dict[str, list[float]]:
    panes.set_overlays(threshold=0.2, opacity=0.6)
    panes.views[0].fit()
    found = {
        f"threshold{name}": measure(panes, lambda share: panes.set_overlays(threshold=0.05 + 0.8 * share)),
        f"pan{name}": measure(panes, panes.pan),
    }
    panes.views[0].zoom(1.1 / panes.views[0].scale_factor)
    return found | {
        f"threshold{name}, magnified": measure(panes, lambda share: panes.set_overlays(threshold=0.05 + 0.8 * share)),
        f"pan{name}, magnified": measure(panes, panes.pan),
    }


def main() -> int:
    qInstallMessageHandler(log_qt_message)
    load = os.getloadavg() if hasattr(os, "getloadavg") else ()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "films").mkdir()
        panes = Panes(folder / "films", UserFolders(folder / "config", folder / "data"))
        training = Training(panes.viewer.desk.jobs, panes.app.processEvents, folder / "phantoms")
        step, cpu, start = training.step, training.cpu_seconds, time.perf_counter()
        measured = measure_all(panes, "")
        annotating = panes.viewer.session.annotating
        for number, shape in enumerate(shapes()):
            annotating.draw(shape, list(VERDICTS)[number % len(VERDICTS)])
        panes.wait()
        assert (len(annotating.annotations), annotating.unsaved) == (MARKS, 0)
        measured |= measure_all(panes, f", {MARKS} marks")
        training.check()
        seconds = time.perf_counter() - start
        steps, cores = training.step - step, (training.cpu_seconds - cpu) / seconds
        training.end()
        panes.close()
    assert steps, "the job did not train meanwhile"
    rows = {
        name: {"median": round(statistics.median(v), 2), "p95": round(float(np.percentile(v, 95)), 2), "runs": len(v)}
        for name, v in measured.items()
    }
    report = {
        "machine": machine(),
        "load_before": [round(each, 2) for each in load],
        "qt_platform": os.environ.get("QT_QPA_PLATFORM", ""),
        "image": [SIDE, SIDE],
        "panes": list(METHODS),
        "job": {"seconds": round(seconds, 1), "steps": steps, "cores": round(cores, 2)},
        "limits": [LIMIT_MS, LIMIT_P95_MS],
        "milliseconds": rows,
    }
    Path("build").mkdir(exist_ok=True)
    Path("build/bench-ui-training.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"a job made {steps} steps in {seconds:.0f} s on {cores:.2f} cores; load before {report['load_before']}")
    print(f"{'':32}{'median':>10}{'p95':>10}  ms   ({report['machine']})")
    for name, row in rows.items():
        print(f"{name:32}{row['median']:10.1f}{row['p95']:10.1f}")
    print(f"{'limits':32}{LIMIT_MS:10.1f}{LIMIT_P95_MS:10.1f}")
    return int(any(row["median"] > LIMIT_MS or row["p95"] > LIMIT_P95_MS for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
