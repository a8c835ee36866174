"""Exporting from the window: a picture of the panes, a report, and what the dialog says."""

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import QApplication

from softcam_viewer.app import Viewer
from softcam_viewer.ui.export_dialog import ExportDialog
from softcam_viewer.ui.pictures import as_array, caption_lines, picture_of


@pytest.fixture
def demo(open_demo) -> Viewer:
    """The bundled model, and two of the bundled cases."""
    return open_demo(2)


@pytest.fixture
def dialog(demo, tmp_path, qtbot) -> ExportDialog:
    dialog = ExportDialog(demo.session, demo.session.exporting, demo.window.grid.films, tmp_path / "out")
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def choose(dialog: ExportDialog, *names: str) -> None:
    for name, box in dialog.formats.items():
        box.setChecked(name in names)


def export(dialog: ExportDialog, qtbot) -> None:
    qtbot.mouseClick(dialog.export, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not dialog.progress.isVisible(), timeout=60_000)


def test_a_picture_shows_the_panes_at_its_scale_with_model_threshold_and_notice(demo, settle):
    demo.session.panes.set_layout("1x2")
    settle()
    films = demo.window.grid.films
    once, twice = (as_array(picture_of(films, demo.session, scale)) for scale in (1, 2))
    assert twice.shape[:2] == (2 * once.shape[0], 2 * once.shape[1])
    shown = as_array(demo.window.grab(QRect(films.mapTo(demo.window, QPoint()), films.size())).toImage())
    assert np.abs(once[: shown.shape[0]].astype(int) - shown).mean() < 1
    lines = caption_lines(demo.session)
    assert len(lines) == 2
    assert "opacity against no finding" in lines[0]
    assert "threshold ±" in lines[0]
    assert demo.session.model.card.sha256[:12] in lines[0]
    assert "phantom_00001" not in "".join(lines)


def test_a_case_is_exported_and_the_dialog_says_where(demo, dialog, qtbot, tmp_path):
    choose(dialog, "picture", "report", "ledger", "seg", "npz")
    export(dialog, qtbot)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "case_0001.pdf",
        "case_0001.png",
        "case_0001_evidence.npz",
        "case_0001_image.dcm",
        "case_0001_ledger.csv",
        "case_0001_regions.dcm",
    ]
    assert "1 case exported" in dialog.message.text()
    assert (tmp_path / "out" / "case_0001.pdf").read_bytes().startswith(b"%PDF")
    with Image.open(tmp_path / "out" / "case_0001.png") as picture:
        assert picture.width == 2 * demo.window.grid.films.width()


def test_all_cases_are_exported_with_progress_and_without_what_belongs_to_one(demo, dialog, qtbot, tmp_path):
    choose(dialog, "picture", "overlay")
    dialog.all_cases.setChecked(True)
    assert not dialog.formats["picture"].isEnabled()
    assert dialog.request.formats == ("overlay",)
    export(dialog, qtbot)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "case_0001_overlay.png",
        "case_0002_overlay.png",
        "scores.csv",
    ]
    assert "2 cases exported" in dialog.message.text()


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_lost(demo, dialog, qtbot, tmp_path):
    (tmp_path / "taken").write_text("a file")
    dialog.folder.setText(str(tmp_path / "taken" / "out"))
    choose(dialog, "npz")
    export(dialog, qtbot)
    assert str(tmp_path / "taken" / "out") in dialog.message.text()
    assert dialog.message.objectName() == "failure"
    assert dialog.export.isEnabled()


def test_nothing_chosen_cannot_be_exported(dialog):
    choose(dialog)
    assert not dialog.export.isEnabled()
    choose(dialog, "npz")
    assert dialog.export.isEnabled()
    assert not dialog.keep_identity.isEnabled()
    choose(dialog, "seg")
    assert dialog.keep_identity.isEnabled()


def test_the_picture_can_be_copied(demo):
    demo.window.commands["copy_picture"].trigger()
    copied = QApplication.clipboard().image()
    assert copied.width() == 2 * demo.window.grid.films.width()
