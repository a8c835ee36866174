import cv2
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from softcam_viewer.model.cases import CaseList
from softcam_viewer.model.worklist import Worklist
from softcam_viewer.ui.panels.worklist import WorklistPanel


@pytest.fixture
def panel(qtbot, session):
    """The worklist alone, on a session that works."""
    panel = WorklistPanel(session)
    panel.resize(240, 700)
    panel.show()
    qtbot.waitExposed(panel)
    yield panel
    panel.close()
    panel.deleteLater()


@pytest.fixture
def rest(session, lanes, qtbot):
    """Wait until nothing is read or computed any more."""

    def wait() -> None:
        QApplication.processEvents()
        qtbot.waitUntil(
            lambda: all(lane.is_idle for lane in lanes) and not session._ahead._timer.isActive(), timeout=60_000
        )
        QApplication.processEvents()

    return wait


@pytest.fixture
def labelled(folder):
    (folder / "labels.csv").write_text("image,label\ncase_0.png,opacity\ncase_1.png,no finding\ncase_2.png,opacity\n")
    return folder


@pytest.fixture
def opened(panel, labelled, signed_model_file, rest):
    panel._session.open_model(signed_model_file)
    panel._session.open_paths([labelled])
    rest()
    panel.grab()  # cases are asked for when they are drawn
    rest()
    return panel


def names(panel) -> list[str]:
    model = panel.list.model()
    return [model.data(model.index(line)) for line in range(model.rowCount())]


def write_dicom(path, patient: str, study: str, modality: str, number: int, pixels: np.ndarray) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.PatientName, data.PatientID, data.StudyInstanceUID = f"Doe^{patient}", patient, study
    data.SeriesInstanceUID, data.Modality, data.InstanceNumber = f"{study}.1", modality, number
    data.Rows, data.Columns = pixels.shape[-2:] if pixels.ndim == 2 else pixels.shape[1:3]
    data.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    data.PhotometricInterpretation = "RGB" if pixels.ndim == 4 else "MONOCHROME2"
    if pixels.ndim == 4:
        data.PlanarConfiguration, data.NumberOfFrames = 0, len(pixels)
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = pixels.tobytes()
    pydicom.dcmwrite(path, data)


def test_an_empty_worklist_says_what_to_do(panel):
    assert "Open folder…" in panel._empty.text()
    assert panel._empty.isVisible()
    assert not panel.filter.isEnabled()
    assert not panel.scan.isEnabled()


def test_a_folder_fills_with_thumbnails_predictions_labels_and_what_cannot_be_read(opened):
    cases = opened._session.cases.snapshot
    assert all(case.thumbnail is not None and case.prediction and case.border is not None for case in cases[:3])
    assert [case.label for case in cases[:3]] == ["opacity", "no finding", "opacity"]
    assert [case.is_wrong for case in cases[:3]] == [c.prediction[0] != c.label for c in cases[:3]]
    assert "damaged.png" in cases[3].error
    assert opened._count.text() == "4 cases"


def test_typing_a_filter_shows_what_meets_it_and_counts(opened, qtbot):
    opened.focus_filter()
    qtbot.keyClicks(opened.filter, "error")
    assert names(opened) == ["damaged"]
    assert opened._count.text() == "1 of 4"
    qtbot.keyClicks(opened.filter, " reviewed")
    assert opened._empty.isVisible()
    assert "No case meets the filter" in opened._empty.text()
    opened.filter.setText("foo:3")
    assert "There are wrong" in opened._trouble.text()
    assert len(names(opened)) == 4
    opened.filter.clear()
    assert not opened._trouble.isVisible()


def test_the_menus_offer_common_filters_and_orders(opened):
    for action in opened.choose_filter.menu().actions():
        if action.text().startswith("With an error"):
            action.trigger()
    assert opened.filter.text() == "error"
    assert names(opened) == ["damaged"]
    opened.filter.clear()
    opened._fill_sort_menu()
    titles = [action.text() for action in opened.sort.menu().actions()]
    assert "Probability of opacity" in titles
    for action in opened.sort.menu().actions():
        if action.text() == "Name":
            action.trigger()
    opened._fill_sort_menu()
    for action in opened.sort.menu().actions():
        if action.text() == "The other way round":
            action.trigger()
    assert names(opened) == ["damaged", "case_2", "case_1", "case_0"]


def test_a_scan_explains_all_cases_shows_how_far_it_is_and_can_be_stopped(
    panel, folder, signed_model_file, rest, qtbot
):
    panel._session.open_paths([folder])
    panel._session.open_model(signed_model_file)
    panel.hide()  # nothing is drawn, so nothing is asked for
    rest()
    panel._session.cases.use_classes(panel._session.cases.class_names, "single_label")
    panel.show()
    panel.list.setUpdatesEnabled(False)
    height = panel.list.height()
    qtbot.mouseClick(panel.scan, Qt.MouseButton.LeftButton)
    assert panel._session.previews.is_scanning
    assert panel.stop.isVisible()
    assert " of 4" in panel._progress.text()
    assert panel.list.height() == height  # the layout does not jump
    qtbot.mouseClick(panel.stop, Qt.MouseButton.LeftButton)
    assert not panel._session.previews.is_scanning
    rest()
    qtbot.mouseClick(panel.scan, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel._session.previews.is_scanning, timeout=30_000)
    assert all(case.is_explained for case in panel._session.cases.snapshot)
    assert panel.scan.isVisible()


def test_arrow_keys_go_from_case_to_case_in_the_order_on_screen(opened, qtbot, rest):
    opened._session.worklist.sort_by("name", is_turned=True)
    opened.list.setFocus()
    opened._session.select(3)
    qtbot.keyClick(opened.list, Qt.Key.Key_Down)
    rest()
    assert opened._session.film.image.source.name == "case_2.png"
    opened._session.step(1)
    rest()
    assert opened.list.currentIndex().data() == "case_1"


def test_a_new_order_keeps_the_case_in_view_current(opened):
    opened._session.select(1)
    opened._session.worklist.sort_by("name", is_turned=True)
    assert opened.list.currentIndex().data() == "case_1"
    assert opened._session.row == 1


def test_reviewed_cases_are_marked_by_shape_and_text_and_not_by_colour_alone(opened, pixels):
    before = pixels(opened.list)
    opened._session.select(1)
    opened._session.toggle_reviewed()
    QApplication.processEvents()
    assert opened._session.cases[1].reviewed
    assert not np.array_equal(before, pixels(opened.list))
    index = opened._session.worklist.index(1)
    assert "not reviewed" not in index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert opened._session.cases.reviewed_paths == (opened._session.cases[1].path,)


def test_the_next_case_that_is_not_reviewed_is_found_from_any_place(opened, rest):
    session = opened._session
    session.cases.set_reviewed([session.cases[0].path, session.cases[2].path])
    session.select(1)
    session.step_to_unreviewed()
    assert session.row == 3
    session.step_to_unreviewed()
    assert session.row == 1
    rest()


def test_a_study_that_mixes_modalities_and_sizes_is_grouped_and_every_image_opens(panel, tmp_path, rest, qtbot):
    generator = np.random.default_rng(0)
    write_dicom(tmp_path / "b.dcm", "1", "1.2", "CR", 2, generator.integers(0, 255, (40, 60), dtype=np.uint8))
    write_dicom(tmp_path / "a.dcm", "1", "1.2", "CR", 3, np.full((1, 4000), 9, np.uint8))
    write_dicom(tmp_path / "c.dcm", "2", "1.3", "US", 1, generator.integers(0, 255, (30, 20, 24, 3), dtype=np.uint8))
    cv2.imwrite(str(tmp_path / "d.png"), np.full((9, 9), 7, np.uint8))
    panel._session.open_paths([tmp_path])
    rest()
    panel.grab()
    rest()
    assert names(panel) == [
        *("Patient 1 · 2 images", "Study 1 · CR · 2 images", "b", "a"),
        *("Patient 2 · 1 image", "Study 1 · US · 1 image", "c"),
        *(f"{tmp_path.name} · 1 image", "d"),
    ]
    assert "Doe" not in "".join(names(panel))
    assert all(case.thumbnail is not None and not case.error for case in panel._session.cases.snapshot)
    frames = {case.name: case.frames for case in panel._session.cases.snapshot}
    assert frames == {"a": 1, "b": 1, "c": 30, "d": 1}
    for row in range(4):
        panel._session.select(row)
        rest()
        assert panel._session.film.image.source == panel._session.cases[row].path
    # A heading folds by a click and unfolds by a key.
    heading = panel.list.visualRect(panel._session.worklist.index(0)).center()
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=heading)
    assert names(panel)[:2] == ["Patient 1 · 2 images", "Patient 2 · 1 image"]
    panel.list.setFocus()
    panel.list.setCurrentIndex(panel._session.worklist.index(0))
    qtbot.keyClick(panel.list, Qt.Key.Key_Right)
    assert len(names(panel)) == 9
    assert panel._session.worklist.data(panel._session.worklist.index(0), Worklist.HEADING_ROLE).is_folded is False


def test_a_case_that_the_model_cannot_take_is_shown_and_says_so(opened, tmp_path, rest):
    long = tmp_path / "long.png"
    cv2.imwrite(str(long), np.random.default_rng(0).integers(0, 255, (1, 30000), dtype=np.uint8))
    opened._session.open_paths([long])
    rest()
    opened.grab()
    rest()
    case = opened._session.cases[0]
    assert case.thumbnail is not None
    assert case.error == ""
    assert "for the model" in case.refusal
    assert case.status == "error"


def test_a_case_removed_from_disk_says_so_where_it_stands_and_the_others_go_on(opened, labelled, rest):
    messages = []
    opened._session.failed.connect(messages.append)
    opened._session.select(0)
    rest()  # the next case has been read ahead
    (labelled / "case_1.png").unlink()
    opened._session.step(1)
    rest()
    assert opened._session.film.image is None
    assert "case_1.png" in messages[0]
    assert opened._session.cases[1].status == "error"
    opened._session.step(1)
    rest()
    assert opened._session.film.image.source.name == "case_2.png"


def test_a_file_that_was_replaced_is_read_anew(opened, labelled, rest):
    opened._session.select(0)
    rest()
    cv2.imwrite(str(labelled / "case_1.png"), np.full((33, 44), 100, np.uint8))
    opened._session.step(1)
    rest()
    assert opened._session.film.image.size == (33, 44)


def test_two_cases_of_one_name_are_shown_with_their_folders(panel, tmp_path, rest):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "film.png"), np.zeros((8, 8), np.uint8))
    panel._session.open_paths([tmp_path])
    rest()
    assert names(panel) == ["first · 1 image", "first/film.png", "second · 1 image", "second/film.png"]


def test_a_table_of_labels_opens_its_images(panel, labelled, rest):
    panel._session.open_paths([labelled / "labels.csv"])
    rest()
    assert [case.label for case in panel._session.cases.snapshot] == ["opacity", "no finding", "opacity"]


def test_ten_thousand_cases_ask_only_for_those_on_screen(panel, qtbot):
    from pathlib import Path

    wanted = []
    cases = panel._session.cases
    cases.preview_wanted.disconnect()
    cases.preview_wanted.connect(wanted.append)
    cases.reset([Path(f"{number}.png") for number in range(10_000)])
    panel.grab()
    assert 5 < len(wanted) < 30
    panel.list.scrollToBottom()
    panel.grab()
    assert 9_999 in wanted
    assert len(wanted) < 60
    redrawn = []
    panel._session.worklist.order_changed.connect(lambda: redrawn.append(1))
    cases.update_case(9_999, frames=1, label="x")
    assert redrawn == []


def test_everything_can_be_named_by_a_screen_reader(opened):
    for widget in (opened.filter, opened.choose_filter, opened.sort, opened.list, opened._bar):
        assert widget.accessibleName()
    index = opened._session.worklist.index(0)
    assert "case_0" in index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert opened.list.indexAt(QPoint(20, 20)).data(CaseList.CASE_ROLE).name == "case_0"
