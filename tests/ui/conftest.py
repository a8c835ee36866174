"""A viewer with a small model and small films, offscreen."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox

from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import save_model
from softcam_core.models.softcam import SoftCAM
from softcam_core.resources import resource
from softcam_viewer.app import Viewer
from softcam_viewer.jobs.lanes import Lanes, ThreadLane
from softcam_viewer.model.session import Session
from softcam_viewer.model.user_folders import UserFolders
from softcam_viewer.ui.export_dialog import ExportDialog
from softcam_viewer.ui.theme import DARK, apply_theme


@pytest.fixture(scope="session")
def three_class_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(4)
    names = ("normal", "drusen", "a class with a name that is much too long for any panel that anyone would make")
    card = ModelCard(
        name="Three classes",
        architecture="compact",
        class_names=names,
        preprocessing=Preprocessing(shorter_side=64, crop=(48, 48)),
    )
    path = tmp_path_factory.mktemp("model") / "three.safetensors"
    save_model(SoftCAM.from_card(card), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three films of different size and one damaged file."""
    generator = np.random.default_rng(0)
    films = tmp_path / "films"
    films.mkdir()
    for number, size in enumerate(((120, 90), (90, 120), (100, 100))):
        film = generator.integers(0, 60, size, dtype=np.uint8)
        film[30:60, 20:60] = 200
        cv2.imwrite(str(films / f"case_{number}.png"), film)
    (films / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing of use")
    return films


def _end(viewer: Viewer) -> None:
    """Close a viewer; nothing of it stays, as nothing stays of a program that has ended."""
    with pytest.MonkeyPatch.context() as patch:
        # Nobody is there to say whether to save the session.
        patch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Discard)
        viewer.close()
    viewer.window.deleteLater()
    viewer.session.deleteLater()


@pytest.fixture
def viewer(qtbot) -> Iterator[Viewer]:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    viewer = Viewer(app, device="cpu")
    viewer.window.resize(1200, 800)
    viewer.window.show()
    qtbot.waitExposed(viewer.window)
    yield viewer
    _end(viewer)


@pytest.fixture
def lanes(qapp) -> Iterator[Lanes]:
    """Lanes with threads, for parts of the window alone."""
    made = Lanes(*(ThreadLane(name) for name in Lanes._fields))
    yield made
    for lane in made:
        lane.shut_down()


@pytest.fixture
def session(qapp, lanes: Lanes) -> Iterator[Session]:
    """A session that works, for parts of the window alone."""
    apply_theme(qapp, DARK)
    session = Session(lanes, "cpu")
    yield session
    session.stop()
    session.deleteLater()


@pytest.fixture
def settle(qtbot, viewer: Viewer) -> Callable[[], None]:
    """Wait until nothing is read or computed any more."""

    def wait() -> None:
        qtbot.waitUntil(lambda: viewer.is_idle, timeout=120_000)
        QApplication.processEvents()

    return wait


@pytest.fixture
def opened(viewer: Viewer, folder: Path, signed_model_file: Path, settle) -> Viewer:
    """The model of two classes, and the first of the folder's films in view."""
    viewer.session.open_model(signed_model_file)
    viewer.session.open_paths([folder])
    settle()
    return viewer


@pytest.fixture
def open_demo(viewer: Viewer, settle) -> Callable[[int], Viewer]:
    """Open the bundled model, and as many of the bundled cases as one wants."""

    def make(count: int) -> Viewer:
        viewer.session.open_model(resource("demo/model.safetensors"))
        viewer.session.open_paths(sorted(resource("demo/cases").iterdir())[:count])
        settle()
        return viewer

    return make


@pytest.fixture
def demo(open_demo) -> Viewer:
    """The bundled model, and the first of the bundled cases."""
    return open_demo(1)


@pytest.fixture
def rest(qtbot) -> Callable[[Viewer], None]:
    """Wait until a viewer has nothing to read, compute or restore any more."""

    def wait(viewer: Viewer) -> None:
        qtbot.waitUntil(lambda: viewer.is_idle and not viewer.desk.restoring.is_active, timeout=60_000)
        QApplication.processEvents()

    return wait


@pytest.fixture
def make_viewer(qtbot, rest, tmp_path: Path) -> Iterator[Callable[[], Viewer]]:
    """Makes viewers of one user, one after another."""
    made = []

    def make() -> Viewer:
        viewer = Viewer(QApplication.instance(), "cpu", "dark", UserFolders(tmp_path / "config", tmp_path / "data"))
        viewer.window.show()
        qtbot.waitExposed(viewer.window)
        rest(viewer)
        made.append(viewer)
        return viewer

    yield make
    for viewer in made:
        _end(viewer)


def _pixels(widget) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    view = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return view[:, : image.width(), :3].astype(int)


def _texts(widget) -> str:
    labels = [label for label in widget.findChildren(QLabel) if label.isVisibleTo(widget)]
    return "\n".join(label.text().replace("\u200b", "") for label in labels)  # where long names may break


def _wheel_event(
    widget, turns: float, modifiers=Qt.KeyboardModifier.NoModifier, at: QPointF | None = None
) -> QWheelEvent:
    at = at or QPointF(widget.rect().center())
    return QWheelEvent(
        at,
        widget.mapToGlobal(at),
        QPoint(),
        QPoint(0, int(120 * turns)),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )


def _wheel(view, turns: float, modifiers=Qt.KeyboardModifier.NoModifier, at: QPointF | None = None) -> None:
    QApplication.sendEvent(view.viewport(), _wheel_event(view, turns, modifiers, at))


def _move(view, to: QPoint, button: Qt.MouseButton) -> None:
    at = QPointF(to)
    event = QMouseEvent(
        QEvent.Type.MouseMove, at, view.viewport().mapToGlobal(at), button, button, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(view.viewport(), event)


@pytest.fixture
def pixels() -> Callable[..., np.ndarray]:
    """What a widget shows, (H, W, 3)."""
    return _pixels


@pytest.fixture
def texts() -> Callable[..., str]:
    """What the labels of a widget say, as far as they are seen where it is."""
    return _texts


@pytest.fixture
def wheel_event() -> Callable[..., QWheelEvent]:
    """Turns of the wheel over a widget."""
    return _wheel_event


@pytest.fixture
def wheel() -> Callable[..., None]:
    """Turn the wheel over an image."""
    return _wheel


@pytest.fixture
def move() -> Callable[..., None]:
    """Move the mouse over an image."""
    return _move


@pytest.fixture
def show_four(viewer, signed_model_file, settle) -> Callable[..., Viewer]:
    """Opens images with the two-class model, and shows them under four methods."""

    def open_them(*paths: Path) -> Viewer:
        viewer.session.open_model(signed_model_file)
        viewer.session.open_paths(list(paths))
        viewer.session.panes.set_layout("2x2")
        settle()
        for pane, method in zip(
            viewer.session.panes.shown, ("evidence", "gradcam", "layercam", "gradxinput"), strict=True
        ):
            pane.set_method(method)
        settle()
        return viewer

    return open_them


@pytest.fixture
def export(qtbot, tmp_path: Path) -> Callable[..., ExportDialog]:
    """Exports with the dialog, and gives it as it then is."""

    def do(viewer: Viewer, *formats: str, folder: Path | None = None, every: bool = False, **ticks: bool):
        dialog = ExportDialog(viewer.session, viewer.session.exporting, viewer.window.grid.films, tmp_path / "out")
        qtbot.addWidget(dialog)
        dialog.show()
        if folder is not None:
            dialog.folder.setText(str(folder))
        for name, box in dialog.formats.items():
            box.setChecked(name in formats)
        dialog.all_cases.setChecked(every)
        for name, on in ticks.items():
            getattr(dialog, name).setChecked(on)
        qtbot.mouseClick(dialog.export, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: not dialog.progress.isVisible(), timeout=60_000)
        return dialog

    return do
