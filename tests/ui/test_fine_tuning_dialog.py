"""The dialog that starts a fine-tuning, on a plan whose lane does its work when the test says so."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import Qt

from softcam_core.errors import SettingsError
from softcam_core.models.card import ModelCard
from softcam_viewer.model import survey as looking
from softcam_viewer.model.fine_tuning import FineTuningPlan
from softcam_viewer.model.survey import Survey
from softcam_viewer.ui.fine_tuning_dialog import FineTuningDialog
from softcam_viewer.ui.theme import DARK, apply_theme
from tests.support.fake_jobs import FakeJobs

FOUND = Survey(
    source=SimpleNamespace(path=Path("studies/labels.csv")),
    images={"train": 840, "val": 180, "test": 180},
    flags={"wrong": 34, "missed": 3},
    flagged=30,
    used={"wrong": 30, "correct": 0, "missed": 3},
    judged=4,
    notes=("Left out are the flags of 2 images that are not among the data.",),
)


class LaneByHand:
    def __init__(self):
        self.waiting = []

    def submit(self, work, done, failed):
        self.waiting.append((work, done, failed))

    def run(self):
        while self.waiting:
            work, done, failed = self.waiting.pop(0)
            try:
                result = work()
            except SettingsError as error:
                failed(str(error))
            else:
                done(result)


@pytest.fixture
def make(qapp, qtbot, tmp_path, monkeypatch):
    """Makes dialogs; their `lane` and `jobs` are the test's."""
    apply_theme(qapp, DARK)
    monkeypatch.setattr(looking, "devices", lambda: (("cuda:0", "cuda:0 (A GPU)"), ("cpu", "cpu")))
    monkeypatch.setattr(looking, "estimate", lambda settings: 245.0)
    monkeypatch.setattr(looking, "make_settings", lambda start, card, source, store, choices: {"choices": choices})
    monkeypatch.setattr(looking, "write_settings", lambda settings: "training:\n  epochs: 6\n")
    monkeypatch.setattr(looking, "finished", lambda settings: {"model": {"start": "start"}, **settings})
    jobs = FakeJobs(tmp_path)
    lane = LaneByHand()

    def show(found: Survey = FOUND, *, model=True) -> FineTuningDialog:
        monkeypatch.setattr(looking, "survey", lambda *_: found)
        card = ModelCard(name="Chest", architecture="compact", class_names=("no", "yes"))
        session = SimpleNamespace(
            model=SimpleNamespace(card=card, path=Path("chest.safetensors"), is_black_box=False) if model else None,
            tables=(),
            cases=SimpleNamespace(snapshot=()),
            annotating=SimpleNamespace(book=SimpleNamespace(path=Path("a.sqlite")), unsaved=0),
        )
        dialog = FineTuningDialog(FineTuningPlan(session, jobs, lane))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
        qtbot.addWidget(dialog)
        dialog.lane, dialog.jobs = lane, jobs
        dialog.show()
        return dialog

    yield show
    jobs.deleteLater()


def test_it_says_what_will_happen_and_starts_with_a_key(make, texts, qtbot):
    dialog = make()
    assert not dialog.start.isEnabled()
    dialog.lane.run()
    said = texts(dialog)
    for words in (
        "Trains a copy of Chest so that evidence flagged as wrong fades and missed findings are seen.",
        "1,200 images: 840 to train on, 180 to validate, 180 to test",
        "37 flags on 30 images: 34 wrong, 3 missed",
        "33 of them in training images",
        "4 in validation or test images",
        "2 images that are not among the data",
        "balanced with the labels · × 1",
    ):
        assert words in said
    assert dialog.device.currentText() == "The fastest there is   ·   cuda:0 (A GPU)"
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    dialog.lane.run()
    assert dialog.jobs.asked[0][1].title == "feedback on 33 flags"
    assert not dialog.isVisible()


def test_all_texts_have_the_room_they_need(make):
    dialog = make()
    dialog.lane.run()
    for label in (dialog._intent, dialog._flags, dialog._images):
        assert label.height() >= label.heightForWidth(label.width())


def test_choices_are_those_of_the_job(make):
    dialog = make()
    dialog.lane.run()
    dialog.part.setCurrentIndex(2)
    dialog.epochs.setValue(9)
    dialog.strength.setValue(dialog.strength.maximum())
    dialog.device.setCurrentIndex(2)
    dialog.name.setText("Mine")
    dialog.start.click()
    dialog.lane.run()
    choices = dialog.jobs.asked[0][1].settings["choices"]
    assert (choices.part, choices.epochs, choices.strength, choices.device, choices.name) == (
        "head", 9, 10.0, "cpu", "Mine",
    )  # fmt: skip


def test_what_is_refused_is_said_in_words_and_cannot_be_started(make, texts):
    dialog = make(replace(FOUND, used={}, flag_problem=looking.NO_FLAGS))
    dialog.lane.run()
    assert "Press F over evidence that is wrong" in texts(dialog)
    assert not dialog.start.isEnabled()
    without = make(model=False)
    assert "No model is open" in texts(without)
    assert not without.start.isEnabled()
    assert not without.choose_data.isEnabled()


def test_all_settings_can_be_edited_and_what_is_wrong_with_them_stands_beside(make, texts, monkeypatch):
    dialog = make()
    dialog.lane.run()
    dialog.advanced.click()
    dialog.lane.run()
    assert dialog.settings.text == "training:\n  epochs: 6\n"
    dialog.settings.editor.setPlainText("training: [")
    assert not dialog.epochs.isEnabled()
    dialog.start.click()
    dialog.lane.run()
    assert "not YAML" in dialog.settings.problem.text()
    assert dialog.start.isEnabled()
    dialog.settings.editor.setPlainText("training: {epochs: 9}")
    dialog.start.click()
    dialog.lane.run()
    assert dialog.jobs.asked[0][1].settings["training"] == {"epochs": 9}


def test_edits_of_settings_can_be_dropped(make):
    dialog = make()
    dialog.lane.run()
    dialog.advanced.click()
    dialog.lane.run()
    dialog.settings.editor.setPlainText("nonsense")
    dialog.settings.drop.click()
    dialog.lane.run()
    assert dialog.settings.text == "training:\n  epochs: 6\n"
    dialog.advanced.click()
    assert dialog.epochs.isEnabled()
