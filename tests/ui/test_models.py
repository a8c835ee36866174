"""Opening models: their card, and weights that become one."""

from pathlib import Path

import pytest
import torch
import torchvision.models as tv
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialogButtonBox

from softcam_core.models.checkpoint import load_model
from softcam_core.notice import NOTICE
from softcam_viewer.ui.card_dialog import CardDialog
from softcam_viewer.ui.conversion_dialog import ConversionDialog


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "trained.ckpt"
    torch.save({"state_dict": {f"model.{k}": v for k, v in tv.resnet18(num_classes=2).state_dict().items()}}, path)
    return path


@pytest.fixture
def dialog(viewer, weights, folder, settle, tmp_path) -> ConversionDialog:
    viewer.session.open_paths([folder])
    settle()
    viewer.session.open_model(weights)
    settle()
    dialog = viewer.window.findChild(ConversionDialog)
    dialog.target.setText(str(tmp_path / "converted.safetensors"))
    return dialog


def test_the_dialog_tells_what_the_file_is_and_asks_for_the_rest(dialog, viewer, texts):
    assert "resnet18, all of its names and shapes fit, 2 outputs" in texts(dialog)
    assert NOTICE in texts(dialog)
    assert dialog.architecture.currentText() == "resnet18"
    assert dialog.names == ("class 1", "class 2")
    assert viewer.session.model is None
    assert dialog.convert_button.isEnabled()


@pytest.mark.parametrize(
    ("classes", "problem"),
    [
        ("a", "2 are needed"),
        ("a\nb\nc", "2 are needed"),
        ("a\na", "the same name"),
        ("", "2 are needed"),
    ],
)
def test_what_cannot_be_converted_is_said_before(dialog, classes, problem, texts):
    dialog.classes.setPlainText(classes)
    assert problem in texts(dialog)
    assert not dialog.convert_button.isEnabled()


def test_a_model_file_and_a_size_are_needed(dialog):
    dialog.side.setText("7")
    assert not dialog.convert_button.isEnabled()
    dialog.side.setText("64")
    assert dialog.convert_button.isEnabled()
    dialog.target.setText("model.pth")
    assert not dialog.convert_button.isEnabled()


def test_converting_opens_the_model_and_tells_how_equal_it_is(dialog, viewer, settle, qtbot, texts):
    dialog.classes.setPlainText("no finding\nopacity")
    dialog.side.setText("64")
    qtbot.mouseClick(dialog.convert_button, Qt.MouseButton.LeftButton)
    assert "Converting" in texts(dialog)
    assert not dialog.convert_button.isEnabled()
    settle()
    assert "Same function as the black box: largest logit difference" in texts(dialog)
    assert "on 1 image" in texts(dialog)
    card = load_model(dialog.target.text()).card
    assert card.class_names == ("no finding", "opacity")
    assert card.preprocessing.shorter_side == 64
    assert viewer.session.model.network.card.sha256 == card.sha256
    assert viewer.session.panes.active.explanation.class_names == ("no finding", "opacity")
    dialog.buttons.button(QDialogButtonBox.StandardButton.Close).click()


def test_a_conversion_that_fails_says_why_and_can_be_tried_again(dialog, viewer, settle, qtbot, texts):
    dialog.architecture.setCurrentText("resnet50")
    qtbot.mouseClick(dialog.convert_button, Qt.MouseButton.LeftButton)
    settle()
    assert "does not hold the weights of resnet50" in texts(dialog)
    assert dialog.convert_button.isEnabled()
    assert viewer.session.model is None
    assert not Path(dialog.target.text()).exists()


def test_a_new_model_file_is_proposed_where_one_is_taken(viewer, weights, settle):
    taken = weights.with_suffix(".safetensors")
    taken.touch()
    viewer.session.open_model(weights)
    settle()
    assert viewer.window.findChild(ConversionDialog).target.text() == str(weights.with_name("trained-2.safetensors"))
    taken.unlink()


def test_weights_of_something_else_are_one_message(viewer, tmp_path, settle):
    torch.save({"layer.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    viewer.session.open_model(tmp_path / "other.pth")
    settle()
    assert "fits no architecture" in viewer.window.messages.text
    assert viewer.window.findChild(ConversionDialog) is None


def test_the_card_can_be_read(viewer, signed_model_file, settle, texts):
    action = viewer.window.commands["show_card"]
    assert not action.isEnabled()
    viewer.session.open_model(signed_model_file)
    settle()
    assert action.isEnabled()
    dialog = CardDialog(viewer.session.model, viewer.window)
    dialog.show()
    QApplication.processEvents()
    shown = texts(dialog)
    for words in ("Test network", "compact", "no finding, opacity", "softmax", "shorter side 64 px", NOTICE):
        assert words in shown
    assert "every 4 × 4 px of the input" in shown
    assert "54 × 54 px of the input" in shown
    assert viewer.session.model.network.card.sha256 in shown
    dialog.close()


def test_the_probe_tells_what_a_cell_is_and_sees(viewer, folder, signed_model_file, settle):
    viewer.session.open_model(signed_model_file)
    viewer.session.open_paths([folder])
    settle()
    # case_0 is 120 x 90 pixels, its shorter side resized to 64: a cell of 4 input pixels is 5.6 image pixels wide.
    viewer.window.grid.active.view.pointed.emit(60.0, 45.0)
    assert "(6 × 6 px, sees 76 × 76 px)" in viewer.window.status.text
    viewer.window.grid.active.view.pointed.emit(0.5, 0.5)
    assert "cell 0, 0 (6 × 6 px, sees 41 × 41 px)" in viewer.window.status.text


def test_a_conversion_that_fails_behind_a_closed_dialog_is_a_message(dialog, viewer, settle, qtbot):
    dialog.architecture.setCurrentText("resnet50")
    qtbot.mouseClick(dialog.convert_button, Qt.MouseButton.LeftButton)
    dialog.close()
    qtbot.waitUntil(lambda: viewer.window.findChild(ConversionDialog) is None)
    settle()
    assert "does not hold the weights of resnet50" in viewer.window.messages.text
