"""Annotations as users make and change them in the window: keys, panel, ledger, finding, and what cannot be saved."""

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox, QScrollArea

from softcam_core.annotations.shapes import Ellipse, Rectangle
from softcam_core.annotations.store import AnnotationStore
from softcam_viewer.app import Viewer
from softcam_viewer.ui.find_annotations_dialog import FindAnnotationsDialog, FoundModel
from softcam_viewer.ui.panels.annotation_list import MOST_ROWS, ROW_HEIGHT

BOX = Rectangle(top=10, left=10, height=20, width=30)


@pytest.fixture
def store(opened: Viewer, tmp_path: Path, settle) -> Path:
    path = tmp_path / "annotations.sqlite"
    opened.session.annotating.book.use_store(path)
    opened.session.annotating.use_reviewer("AB")
    settle()
    return path


def lines(viewer: Viewer) -> list[str]:
    model = viewer.window.annotations.list.model()
    return [model.index(row).data() for row in range(model.rowCount())]


def test_a_key_over_evidence_flags_it_and_the_panel_says_so(opened, store, qtbot, settle, texts):
    window, annotating = opened.window, opened.session.annotating
    assert "No annotations yet. Press F over evidence that is wrong, or draw." in texts(window.annotations)
    view = window.grid.active.view
    view.pointed.emit(45.0, 40.0)
    opened.session.panes.active.set_overlay(threshold=0.0)
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_F)
    settle()
    (made,) = annotating.annotations
    assert made.verdict == "wrong"
    assert lines(opened)[0].startswith(f"Wrong evidence, R1, {made.class_name}, AB · ")
    assert window.commands["undo"].text() == "Undo flag wrong evidence"
    qtbot.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    settle()
    assert lines(opened) == []
    assert window.status.hint == "Undone: flag wrong evidence."
    view.left.emit()
    qtbot.keyClick(view, Qt.Key.Key_F)
    assert "Point at the evidence that is wrong" in window.messages.text


def test_nothing_of_the_side_panel_is_cut_off(opened, store, settle):
    opened.session.annotating.draw(BOX, "wrong")
    settle()
    area = next(a for a in opened.window.findChildren(QScrollArea) if a.isAncestorOf(opened.window.annotations))
    opened.window.resize(1440, 900)
    settle()
    assert area.widget().minimumSizeHint().width() <= area.viewport().width()


def test_the_form_changes_what_is_chosen_and_each_change_is_undone(opened, store, qtbot, settle):
    panel, annotating = opened.window.annotations, opened.session.annotating
    annotating.draw(BOX, "unsure")
    form = panel.form
    assert form.isVisible()
    form.verdict.setCurrentIndex(form.verdict.findData("missed"))
    form.verdict.activated.emit(form.verdict.currentIndex())
    form.comment.setFocus()
    qtbot.keyClicks(form.comment, "behind the heart")
    qtbot.keyClick(form.comment, Qt.Key.Key_Return)
    form.confidence.setCurrentIndex(3)
    form.confidence.activated.emit(3)
    settle()
    (made,) = annotating.annotations
    assert (made.verdict, made.comment, made.confidence) == ("missed", "behind the heart", 1.0)
    assert "“behind the heart”" in lines(opened)[0]
    assert panel.remark.text() == "1  ·  saved"
    qtbot.mouseClick(form.delete_button, Qt.MouseButton.LeftButton)
    assert form.isHidden()
    for _ in range(4):
        opened.window.commands["undo"].trigger()
    settle()
    assert annotating.annotations[0].verdict == "unsure"
    assert form.comment.text() == ""


def test_a_remark_that_was_typed_is_kept_when_another_annotation_is_chosen(opened, store, qtbot):
    annotating, form = opened.session.annotating, opened.window.annotations.form
    annotating.draw(BOX)
    annotating.draw(Ellipse(row=50, column=50, down=5, across=8))
    first = annotating.annotations[0]
    qtbot.keyClicks(form.comment, "typed")
    annotating.select(first.id)
    assert [a.comment for a in annotating.annotations] == ["", "typed"]
    assert form.comment.text() == ""


def test_regions_of_the_ledger_are_judged_by_buttons(opened, store, qtbot, settle):
    ledger, annotating = opened.window.ledger, opened.session.annotating
    buttons = ledger.verdicts.buttons
    assert not any(button.isEnabled() for button in buttons.values())
    row = ledger.rows["R1"]
    qtbot.mouseClick(row, Qt.MouseButton.LeftButton, pos=QPoint(60, 10))
    qtbot.mouseClick(buttons["wrong"], Qt.MouseButton.LeftButton)
    (made,) = annotating.annotations
    assert (made.verdict, annotating.selected) == ("wrong", made.id)
    assert "R1" in lines(opened)[0]
    qtbot.mouseClick(buttons["correct"], Qt.MouseButton.LeftButton)  # of the annotation that is chosen now
    assert [a.verdict for a in annotating.annotations] == ["correct"]
    annotating.select("")
    assert not buttons["wrong"].isEnabled()
    assert "Choose a region" in buttons["wrong"].toolTip()


def test_who_reviews_is_asked_in_the_panel_and_kept_in_the_settings(opened, store, qtbot, settle):
    panel, annotating = opened.window.annotations, opened.session.annotating
    annotating.use_reviewer("")
    assert panel.question.isHidden()
    annotating.draw(BOX)
    assert panel.question.isVisible()
    qtbot.keyClicks(panel.question.name, "Dr. X")
    qtbot.keyClick(panel.question.name, Qt.Key.Key_Return)
    assert panel.question.isHidden()
    assert opened.desk.settings.settings.reviewer == "Dr. X"
    assert "Dr. X" in lines(opened)[0]


def test_status_and_labels_of_the_case_are_said_in_the_panel(opened, store, qtbot, settle, texts):
    review, session = opened.window.annotations.review, opened.session
    review.status.setCurrentIndex(review.status.findData("reviewed"))
    review.status.activated.emit(2)
    assert session.cases[session.row].reviewed
    assert opened.window.commands["toggle_reviewed"].isChecked()
    review._menu.aboutToShow.emit()
    names = [action.text() for action in review._menu.actions() if action.text()]
    assert names == [*session.model.card.class_names, "None of them", "Not said"]
    review._menu.actions()[1].trigger()
    assert session.annotating.review.labels == (session.model.card.class_names[1],)
    session.annotating.use_reviewer("CD")
    assert f"AB: reviewed, {session.model.card.class_names[1]}" in texts(review)
    assert not session.cases[session.row].reviewed


def test_many_annotations_scroll_and_others_can_be_left_out(opened, store, settle):
    panel, annotating = opened.window.annotations, opened.session.annotating
    for number in range(MOST_ROWS + 4):
        annotating.draw(Rectangle(top=number, left=1, height=5, width=5))
    annotating.use_reviewer("CD")
    annotating.draw(BOX, "correct")
    assert len(lines(opened)) == MOST_ROWS + 5
    assert panel.list.sizeHint().height() == MOST_ROWS * ROW_HEIGHT
    panel.mine.setChecked(True)
    assert [line.split(",")[0] for line in lines(opened)] == ["Correct evidence"]
    annotating.select(annotating.annotations[0].id)
    assert panel.form.isHidden()


def test_marks_in_the_worklist_are_drawn(opened, store, settle, pixels):
    view = opened.window.worklist.list
    before = pixels(view)
    opened.session.annotating.draw(BOX)
    settle()
    QApplication.processEvents()
    assert (pixels(view) != before).any()
    assert "1 flag" in view.model().index(0).data(Qt.ItemDataRole.ToolTipRole)


def test_edits_that_cannot_be_saved_are_told_and_saved_elsewhere(opened, qtbot, settle, tmp_path, monkeypatch):
    window, annotating = opened.window, opened.session.annotating
    annotating.book.use_store(tmp_path / "no such folder" / "store.sqlite")
    annotating.draw(BOX)
    settle()
    banner = window.annotations.banner
    assert "1 edit is not saved." in banner.text
    assert "not saved" in window.annotations.remark.text()
    # To close asks; nothing is lost by staying.
    chosen = []

    def click(title):
        def run(box):
            chosen.append(box.informativeText())
            monkeypatch.setattr(box, "clickedButton", lambda: next(b for b in box.buttons() if title in b.text()))

        return run

    monkeypatch.setattr(QMessageBox, "exec", click("Cancel"))
    window.close()
    assert window.isVisible()
    assert "its folder is not there" in chosen[0]
    copy = tmp_path / "copy.sqlite"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(copy), ""))
    qtbot.mouseClick(banner.copy, Qt.MouseButton.LeftButton)
    settle()
    with AnnotationStore(copy, read_only=True) as known:
        assert len(known.of_case(annotating.case)) == 1
    (tmp_path / "no such folder").mkdir()
    qtbot.mouseClick(banner.retry, Qt.MouseButton.LeftButton)
    settle()
    assert banner.isHidden()
    assert annotating.unsaved == 0


def test_annotations_are_found_and_their_cases_opened(opened, store, folder, qtbot, settle):
    session, annotating = opened.session, opened.session.annotating
    annotating.draw(BOX, "wrong")
    annotating.change(annotating.selected, comment="side marker")
    session.select(2)
    settle()
    annotating.draw(BOX, "correct")
    settle()
    opened.window.commands["find_annotations"].trigger()
    dialog = opened.window.findChild(FindAnnotationsDialog)
    settle()
    model = dialog.table.model()
    assert [model.index(row, 0).data() for row in range(model.rowCount())] == ["Correct evidence", "Wrong evidence"]
    qtbot.keyClicks(dialog.text, "MARKER")
    qtbot.waitUntil(lambda: model.rowCount() == 1)
    made = model.index(0, 0).data(FoundModel.FOUND_ROLE)[0]
    qtbot.mouseClick(dialog.open_button, Qt.MouseButton.LeftButton)
    settle()
    assert session.film.image.source.name == session.cases[session.row].path.name
    assert annotating.selected == made.id
    # Of a case that is not open, whose file is gone:
    gone = session.film.image.source
    session.open_paths([folder / "case_1.png"] if gone.name != "case_1.png" else [folder / "case_2.png"])
    settle()
    gone.rename(gone.with_name("moved.png"))
    dialog.table.selectRow(0)
    qtbot.mouseClick(dialog.open_button, Qt.MouseButton.LeftButton)
    settle()
    assert str(gone) in opened.window.messages.text
    dialog.close()
