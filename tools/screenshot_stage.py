"""A viewer that is set up for pictures: what is opened in it, and how they are taken."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtWidgets import QApplication, QDialog, QScrollArea, QWidget
from screenshots import COMPARED, DATA, ROOT, wait

from softcam_viewer.app import Viewer
from softcam_viewer.ui.theme import current_theme

OUT, STUDIES = ROOT / "build" / "screenshots", ROOT / "build" / "studies"
SIZE, SMALL = (1440, 900), (1280, 720)
SHOWN = "00002711_000.png"


class Stage:
    """A viewer that is set up for pictures, and how they are taken."""

    def __init__(self, app: QApplication) -> None:
        self._app = app

    @contextmanager
    def viewer(self, theme: str = "dark", size: tuple[int, int] = SIZE) -> Iterator[Viewer]:
        """A window of its own, closed at the end."""
        viewer = Viewer(self._app, device="cpu", theme=theme)
        viewer.window.resize(*size)
        viewer.window.show()
        wait(viewer)
        yield viewer
        viewer.close()
        viewer.window.deleteLater()
        self._app.processEvents()
        viewer.garbage.thaw()

    @contextmanager
    def radiographs(self, theme: str = "dark", size: tuple[int, int] = SIZE, twin: bool = False) -> Iterator[Viewer]:
        """The same with labelled radiographs and the model of the study; on request with a black box beside it."""
        with self.viewer(theme, size) as viewer:
            viewer.session.open_model(chest_model())
            viewer.session.open_paths(chest_tables())
            wait(viewer)
            select(viewer, SHOWN)
            black_box = STUDIES / "explanations" / "nih_black_box" / "best.safetensors"
            if twin and black_box.is_file():
                viewer.session.add_model(black_box)
                wait(viewer)
            yield viewer

    def save(self, picture: QPixmap, name: str) -> None:
        """Write a picture."""
        picture.save(str(OUT / f"{name}.png"))
        sys.stdout.write(f"Wrote {OUT.relative_to(ROOT)}/{name}.png\n")

    def take(self, viewer: Viewer, name: str) -> None:
        """Picture the window when it is done."""
        wait(viewer)
        self.save(viewer.window.grab(), name)

    def take_over(self, viewer: Viewer, name: str, command: str) -> None:
        """Picture what a command opens, over the window."""
        done = []

        def grab() -> None:
            over = opened()
            if over is None:
                QTimer.singleShot(100, grab)  # it takes longer to be made
                return
            picture = viewer.window.grab()
            place = QRect(viewer.window.mapFromGlobal(over.mapToGlobal(QPoint())), over.size())
            if over.windowType() != Qt.WindowType.Popup:
                place.moveCenter(viewer.window.rect().center())  # the screen there is not is smaller
            with QPainter(picture) as painter:
                painter.drawPixmap(place.topLeft(), over.grab())
                painter.setPen(QColor(current_theme().muted))  # for the frame that a window manager draws
                painter.drawRect(place.adjusted(-1, -1, 0, 0))
            self.save(picture, name)
            over.close()
            done.append(name)

        QTimer.singleShot(200, grab)
        viewer.window.commands[command].trigger()
        while not done:  # some are open() and others exec()
            QApplication.processEvents()
        wait(viewer)


def opened() -> QWidget | None:
    """The dialog or list that is open."""
    over = QApplication.activePopupWidget() or QApplication.activeModalWidget()
    dialogs = (w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible())
    return over or next(dialogs, None)


# What is opened


def chest_model() -> Path:
    """The model of a study of radiographs, or that of the demo where none was made."""
    for folder in (STUDIES / "explanations" / "nih_sparse", STUDIES / "nih_sparse"):
        if (folder / "best.safetensors").is_file():
            return folder / "best.safetensors"
    sys.stdout.write(
        "No model of `make study-nih` or `make study-explanations`: the demo's, which knows phantoms only.\n"
    )
    return ROOT / "resources" / "demo" / "model.safetensors"


def chest_tables() -> list[Path]:
    """Tables of the radiographs: labels of all, and boxes where a radiologist drew one around a pneumonia."""
    folder = DATA / "cxr_nih_boxes"
    with (folder / "labels.csv").open(newline="") as file:
        names = {"0": "no finding", "1": "pneumonia"}
        labels = [[str(folder / "images" / row["image"]), names[row["pneumonia"]]] for row in csv.DictReader(file)]
    with (folder / "boxes.csv").open(newline="") as file:
        found = [row for row in csv.DictReader(file) if row["finding"] == "Pneumonia"]
    boxes = [[str(folder / "images" / row["image"]), "pneumonia", *(row[key] for key in "xywh")] for row in found]
    return [
        write_table(OUT / "tables" / "labels.csv", ["image", "label"], labels),
        write_table(OUT / "tables" / "boxes.csv", ["image", "label", *"xywh"], boxes),
    ]


def fundus_table() -> Path:
    """A table of fundus photographs with masks of their lesions."""
    folder = DATA / "fundus_idrid_lesions"
    rows = [
        [str(image), "lesions", str(folder / "masks" / f"{image.stem}_lesions.png")]
        for image in sorted((folder / "images").iterdir())
    ]
    return write_table(OUT / "tables" / "fundus.csv", ["image", "label", "mask"], rows)


def write_table(path: Path, head: list[str], rows: list[list[str]]) -> Path:
    """Write a table, and say where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return path


def untrained(name: str, class_names: tuple[str, ...], task: str) -> Path:
    """A model that nobody trained, whose maps mean nothing; for its classes."""
    import torch

    from softcam_core.imaging.preprocessing import Preprocessing
    from softcam_core.models.card import ModelCard
    from softcam_core.models.checkpoint import save_model
    from softcam_core.models.softcam import SoftCAM

    torch.manual_seed(3)
    path = OUT / "tables" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    feed = Preprocessing(shorter_side=256)
    card = ModelCard(name=name, architecture="compact", class_names=class_names, task=task, preprocessing=feed)
    save_model(SoftCAM.from_card(card), path)
    return path


def select(viewer: Viewer, name: str) -> None:
    """Bring a case into view by its file."""
    rows = range(len(viewer.session.cases))
    viewer.session.select(next((row for row in rows if viewer.session.cases[row].path.name == name), 0))
    wait(viewer)


def show_methods(viewer: Viewer) -> None:
    """Four methods in four panes: the model's own evidence, and others of the black box where there is one."""
    panes = viewer.session.panes
    panes.set_layout("2x2")
    for pane, method in zip(panes.shown, COMPARED, strict=True):
        pane.set_model(viewer.session.models[0 if method == "evidence" else -1])
        pane.set_method(method)
    panes.activate(0)
    wait(viewer)
    panes.shown[2].set_overlay(smooth=True)
    # What a cursor over the first pane brings up in all of them.
    viewer.window.grid.panes[0].view.pointed.emit(560.0, 700.0)
    wait(viewer)


def scroll(viewer: Viewer, widget: QWidget) -> None:
    """Bring a part of the panels to their top."""
    wait(viewer)
    side = next(area for area in viewer.window.findChildren(QScrollArea) if area.isAncestorOf(widget))
    side.verticalScrollBar().setValue(widget.mapTo(side.widget(), QPoint()).y())
