"""Pictures of the window with real images and in every state, in build/screenshots. Run by ``screenshots.py``.

``QT_SCALE_FACTOR=2 python tools/screenshots_real.py`` makes those of screens of twice the density; names after it make
these states alone.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable

from PySide6.QtCore import Qt, qInstallMessageHandler
from PySide6.QtWidgets import QApplication
from screenshot_stage import (
    OUT,
    SMALL,
    STUDIES,
    Stage,
    chest_model,
    fundus_table,
    opened,
    scroll,
    select,
    show_methods,
    untrained,
)
from screenshots import DATA, ROOT, wait

from softcam_viewer.app import log_qt_message
from softcam_viewer.model.measure import Measure

FINDINGS = (
    *("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax"),
    *("Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia"),
)
"""Of NIH ChestX-ray14: Wang et al., CVPR 2017."""
SCALE = os.environ.get("QT_SCALE_FACTOR", "1")


def four_methods(stage: Stage) -> None:
    """Four methods on a radiograph, in both themes."""
    for theme in ("dark", "light"):
        with stage.radiographs(theme, twin=True) as viewer:
            show_methods(viewer)
            stage.take(viewer, f"four-methods-{theme}-{SCALE}x")


def switched(stage: Stage) -> None:
    """The window after its theme was changed while it was open, to hold beside one that was made so."""
    with stage.radiographs("dark", twin=True) as viewer:
        show_methods(viewer)
        viewer.window.grid.tools.show_cells(on=True)
        viewer.session.figures.compute()
        viewer.window.ledger.as_waterfall.click()
        wait(viewer)
        viewer.window.appearance.toggle()
        stage.take(viewer, "switched-to-light")
        scroll(viewer, viewer.window.ledger)
        stage.take(viewer, "switched-to-light-panels")
        scroll(viewer, viewer.window.figures)
        stage.take(viewer, "switched-to-light-figures")


def ledger(stage: Stage) -> None:
    """The ledger with a region and a drawn shape left out, as a table and as a waterfall."""
    with stage.radiographs() as viewer:
        viewer.session.panes.active.set_overlay(threshold=0.35)
        viewer.session.weighing.set_counted(2, counted=False)
        viewer.session.weighing.add_shape([(420, 560), (420, 700), (560, 740), (600, 600)])
        scroll(viewer, viewer.window.ledger)
        stage.take(viewer, "ledger-region-unticked")
        viewer.window.ledger.as_waterfall.click()
        scroll(viewer, viewer.window.ledger)
        stage.take(viewer, "ledger-waterfall")


def worklist(stage: Stage) -> None:
    """Thumbnails, predictions and labels after a scan; a filter; and studies in groups."""
    with stage.radiographs() as viewer:
        viewer.session.explain_all()
        wait(viewer)
        viewer.session.cases.set_reviewed([viewer.session.cases[row].path for row in (0, 3)], on=True)
        viewer.window.worklist.list.grab()
        stage.take(viewer, "worklist-thumbnails")
        viewer.window.worklist.filter.setText("wrong")
        wait(viewer)
        viewer.window.worklist.list.grab()
        stage.take(viewer, "worklist-filter")
    with stage.viewer("light") as viewer:
        viewer.session.open_paths([DATA / "dicom"])
        wait(viewer)
        viewer.session.worklist.group(on=True)
        wait(viewer)
        viewer.window.worklist.list.grab()
        stage.take(viewer, "worklist-groups-light")


def contours(stage: Stage) -> None:
    """Lines at the threshold, the image unobscured."""
    with stage.radiographs() as viewer:
        viewer.session.panes.active.set_overlay(style="contour", threshold=0.3)
        stage.take(viewer, "contours")


def fundus(stage: Stage) -> None:
    """A photograph with the mask of its lesions."""
    with stage.viewer() as viewer:
        trained = sorted((STUDIES / "elastic" / "runs").glob("fundus_l1_*_seed_0_*/best.safetensors"))
        if not trained:
            sys.stdout.write("No model of `make study-elastic`: the fundus has one that nobody trained.\n")
        viewer.session.open_model(
            trained[-1] if trained else untrained("Not trained", ("healthy", "lesions"), "single_label")
        )
        viewer.session.open_paths([fundus_table()])
        wait(viewer)
        select(viewer, "IDRiD_06.jpg")
        viewer.session.panes.set_layout("2x1")
        viewer.session.panes.shown[1].set_overlay(visible=False)
        stage.take(viewer, "fundus")


def fourteen_classes(stage: Stage) -> None:
    """A long list of classes."""
    with stage.viewer() as viewer:
        viewer.session.open_model(untrained("Fourteen findings, not trained", FINDINGS, "multi_label"))
        viewer.session.open_paths([DATA / "cxr_nih_examples"])
        wait(viewer)
        stage.take(viewer, "fourteen-classes")
        viewer.session.panes.set_layout("2x2")
        for pane, target in zip(viewer.session.panes.shown, (0, 2, 8, 12), strict=True):
            pane.set_overlay(target=target)
        stage.take(viewer, "fourteen-classes-panes")


def error(stage: Stage) -> None:
    """A damaged file, and a method that cannot explain the model."""
    with stage.viewer() as viewer:
        viewer.session.open_model(chest_model())
        viewer.session.open_paths(
            [DATA / "dicom" / "emri_small_jpeg_2k_lossless_too_short.dcm", DATA / "dicom" / "RG1_J2KI.dcm"]
        )
        wait(viewer)
        select(viewer, "emri_small_jpeg_2k_lossless_too_short.dcm")
        stage.take(viewer, "error")
        viewer.session.open_model(ROOT / "pyproject.toml")
        stage.take(viewer, "error-model")


def windows(stage: Stage) -> None:
    """The empty window, in both themes, and the smallest that is supported."""
    for theme in ("dark", "light"):
        with stage.viewer(theme) as viewer:
            stage.take(viewer, f"empty-{theme}")
        with stage.radiographs(theme, SMALL, twin=True) as viewer:
            show_methods(viewer)
            stage.take(viewer, f"window-1280x720-{theme}")


def busy(stage: Stage) -> None:
    """A method that takes minutes, and a scan of all cases."""
    with stage.radiographs(twin=True) as viewer:
        viewer.session.panes.set_layout("1x2")
        wait(viewer)
        viewer.session.panes.shown[0].set_model(viewer.session.models[0])
        viewer.session.panes.shown[1].set_method("rise")
        viewer.session.explain_all()
        end = time.monotonic() + 60
        while (viewer.session.panes.shown[1].progress or 0) < 0.05 and time.monotonic() < end:
            QApplication.processEvents()
        stage.save(viewer.window.grab(), "busy")
        viewer.session.panes.cancel(viewer.session.panes.shown[1])
        viewer.session.previews.stop_scan()
        stage.take(viewer, "busy-stopped")


def figures(stage: Stage) -> None:
    """Figures of four methods, with curves."""
    with stage.radiographs(twin=True) as viewer:
        show_methods(viewer)
        scroll(viewer, viewer.window.figures)
        viewer.session.figures.compute()
        wait(viewer)
        scroll(viewer, viewer.window.figures)
        stage.take(viewer, "figures-panel")
        stage.take_over(viewer, "figures-table", "open_figures")
    with stage.radiographs("light", twin=True) as viewer:
        show_methods(viewer)
        viewer.session.figures.compute()
        scroll(viewer, viewer.window.figures)
        stage.take(viewer, "figures-panel-light")


def tools(stage: Stage) -> None:
    """Ruler, angle, lens, cell and crosshair, on a DICOM file."""
    with stage.viewer() as viewer:
        viewer.session.open_model(chest_model())
        viewer.session.open_paths([DATA / "dicom" / "RG1_J2KI.dcm"])
        wait(viewer)
        use, image = viewer.window.grid.tools, viewer.session.film.image
        assert image is not None
        for kind, points in (
            ("ruler", ((1300.0, 350.0), (1330.0, 1500.0))),
            ("angle", ((300.0, 700.0), (620.0, 920.0), (320.0, 1200.0))),
        ):
            use.add((image.source, image.frame), Measure(kind, points))
        use.show_cells(on=True)
        use.use("magnifier")
        viewer.window.grid.active.view.pointed.emit(900.0, 1300.0)
        stage.take(viewer, "tools")


def dialogs(stage: Stage) -> None:
    """What the commands open."""
    for theme in ("dark", "light"):
        with stage.radiographs(theme, SMALL) as viewer:
            for name, command in (
                ("export", "export"), ("palette", "show_palette"), ("shortcut-sheet", "show_shortcuts"),
                ("settings", "show_settings"), ("change-keys", "edit_shortcuts"), ("model-card", "show_card"),
                ("about", "show_about"),
            ):  # fmt: skip
                stage.take_over(viewer, f"{name}-{theme}", command)
            viewer.session.panes.active.set_method("occlusion")
            wait(viewer)
            stage.take_over(viewer, f"options-{theme}", "method_options")
            stage.take_over(viewer, f"methods-list-{theme}", "choose_method")
    with stage.viewer("dark", SMALL) as viewer:
        weights = DATA / "weights_squeezenet1_1" / "squeezenet1_1_imagenet.pth"
        if weights.is_file():
            viewer.session.open_model(weights)
            wait(viewer)
            over = opened()
            assert over is not None
            stage.save(over.grab(), "conversion")
            over.close()


STATES: dict[str, Callable[[Stage], None]] = {
    state.__name__.replace("_", "-"): state
    for state in (
        *(four_methods, switched, ledger, worklist, contours, fundus, fourteen_classes, error, windows, busy, figures),
        *(tools, dialogs),
    )
}


def main() -> int:
    """Make the pictures that are named, or all; at another scale than 1 those of four methods alone."""
    qInstallMessageHandler(log_qt_message)
    app = QApplication([])
    app.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
    OUT.mkdir(parents=True, exist_ok=True)
    stage = Stage(app)
    for name in sys.argv[1:] or (list(STATES) if SCALE == "1" else ["four-methods"]):
        STATES[name](stage)
    shutil.rmtree(OUT / "tables", ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
