"""Remake the pictures of the window. Run by ``make screenshots``.

Those in docs/images show phantoms only. Those in build/screenshots show real images, which may not be passed on: see
``screenshots_real.py``, which is run once for each scale, as Qt takes its scale when it starts.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from PySide6.QtCore import qInstallMessageHandler
from PySide6.QtWidgets import QApplication, QScrollArea

from softcam_core.annotations.shapes import Ellipse, Rectangle
from softcam_viewer.app import Viewer, log_qt_message

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
DATA = ROOT.parent / "shared" / "data"
COMPARED = ("evidence", "layercam", "gradxinput", "occlusion")
SCALES = ("1", "1.5", "2")


def wait(viewer: Viewer) -> None:
    """Let the viewer finish what it is doing."""
    app = QApplication.instance()
    assert app is not None
    quiet = 0
    while quiet < 5:
        app.processEvents()
        quiet = quiet + 1 if viewer.is_idle else 0
        time.sleep(0.02)


def picture_phantoms() -> None:
    """Write one picture for each theme, of methods side by side, of annotations, and of the empty window."""
    qInstallMessageHandler(log_qt_message)
    app = QApplication([])
    IMAGES.mkdir(parents=True, exist_ok=True)
    for theme in ("dark", "light"):
        viewer = Viewer(app, device="cpu", theme=theme)
        viewer.window.show()
        wait(viewer)
        if theme == "dark":
            viewer.window.grab().save(str(IMAGES / "empty.png"))
        viewer.window.open_demo()
        wait(viewer)
        # The case of which the model is surest that there is something.
        rows = range(len(viewer.session.cases))
        viewer.window.worklist.list.grab()
        wait(viewer)
        predictions = [viewer.session.cases[row].prediction or ("", 0.0) for row in rows]
        surest = max(rows, key=lambda row: predictions[row][1] * (predictions[row][0] == "opacity"))
        viewer.session.select(surest)
        wait(viewer)
        viewer.window.grab().save(str(IMAGES / f"viewer-{theme}.png"))
        if theme == "dark":
            viewer.session.panes.set_layout("2x2")
            for pane, method in zip(viewer.session.panes.shown, COMPARED, strict=True):
                pane.set_method(method)
            wait(viewer)
            viewer.window.grab().save(str(IMAGES / "compare.png"))
            viewer.session.panes.set_layout("1x1")
            wait(viewer)
            annotate(viewer)
            viewer.window.grab().save(str(IMAGES / "annotations.png"))
        viewer.close()
        viewer.window.deleteLater()
        viewer.garbage.thaw()


def annotate(viewer: Viewer) -> None:
    """Say something of the case in view, and bring the panel into sight."""
    annotating, image = viewer.session.annotating, viewer.session.film.image
    assert image is not None
    height, width = image.size
    annotating.use_reviewer("Reviewer 1")
    annotating.flag_region(1, "correct")
    letter = Rectangle(top=0.87 * height, left=0.03 * width, height=0.1 * height, width=0.09 * width)
    annotating.draw(letter, "wrong")
    wait(viewer)
    annotating.change(annotating.annotations[-1].id, comment="side marker, not lung", confidence=1.0)
    annotating.draw(Ellipse(row=0.43 * height, column=0.22 * width, down=0.07 * height, across=0.06 * width), "missed")
    wait(viewer)
    annotating.select(annotating.annotations[1].id)
    for side in viewer.window.findChildren(QScrollArea):
        if side.isAncestorOf(viewer.window.annotations):
            side.ensureWidgetVisible(viewer.window.annotations, 0, 0)
    wait(viewer)


def main() -> int:
    """Write all pictures; those of real images only where these are."""
    picture_phantoms()
    if not DATA.is_dir():
        sys.stdout.write("No real images in ../shared/data: build/screenshots is left as it is.\n")
        return 0
    script = Path(__file__).with_name("screenshots_real.py")
    for scale in SCALES:
        done = subprocess.run([sys.executable, str(script)], env={**os.environ, "QT_SCALE_FACTOR": scale}, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
