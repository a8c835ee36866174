"""Files that are gone, odd or alike: the window says so where people must know, and goes on."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
import tifffile
import torch
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel

from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import save_model
from softcam_core.models.softcam import SoftCAM
from softcam_viewer.app import Viewer
from softcam_viewer.model.ahead import IMAGES
from softcam_viewer.model.ledger_lines import ledger_lines
from softcam_viewer.ui.export_dialog import DICOM, EACH, SINGLE, ExportDialog

METHODS = ("evidence", "gradcam", "layercam", "gradxinput")


def write_dicom(path: Path, pixels: np.ndarray, **elements: object) -> Path:
    """A file with these pixels, (H, W), (H, W, 3) or (N, H, W, 3)."""
    is_color = pixels.shape[-1] == 3
    shape = pixels.shape[:-1] if is_color else pixels.shape
    is_real = pixels.dtype.kind == "f"
    file = FileDataset(str(path), {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    file.update({"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": generate_uid(), "PatientID": "one"})
    file.SOPClassUID = UltrasoundMultiFrameImageStorage if len(shape) == 3 else SecondaryCaptureImageStorage
    file.SOPInstanceUID = generate_uid()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if len(shape) == 3:
        file.NumberOfFrames = shape[0]
    file.Rows, file.Columns = shape[-2:]
    file.SamplesPerPixel, file.PhotometricInterpretation = (3, "RGB") if is_color else (1, "MONOCHROME2")
    if is_color:
        file.PlanarConfiguration = 0
    file.BitsAllocated = 8 * pixels.itemsize
    if is_real:
        file.FloatPixelData = pixels.tobytes()
    else:
        file.BitsStored, file.HighBit = 8 * pixels.itemsize, 8 * pixels.itemsize - 1
        file.PixelRepresentation = int(pixels.dtype.kind == "i")
        file.PixelData = pixels.tobytes()
    file.update(elements)
    file.save_as(path, enforce_file_format=True)
    return path


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 255, shape, dtype=np.uint8)


@pytest.fixture
def opened(viewer, signed_model_file, settle) -> Callable[..., Viewer]:
    """Opens images with the two-class model, and shows them under four methods."""

    def open_them(*paths: Path) -> Viewer:
        viewer.session.open_model(signed_model_file)
        viewer.session.open_paths(list(paths))
        viewer.session.panes.set_layout("2x2")
        settle()
        for pane, method in zip(viewer.session.panes.shown, METHODS, strict=True):
            pane.set_method(method)
        settle()
        return viewer

    return open_them


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Three radiographs of one patient."""
    folder = tmp_path / "study"
    folder.mkdir()
    for number in range(3):
        write_dicom(folder / f"case_{number}.dcm", noise(60 + number, 50), Modality="CR")
    return folder


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


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def notices(viewer: Viewer) -> list[str]:
    return [pane.notice.text for pane in viewer.window.grid.panes]


def has_maps(viewer: Viewer) -> list[bool]:
    return [pane.overlay_map is not None for pane in viewer.session.panes.shown]


def texts(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


# A case that is removed


def test_a_case_that_is_removed_in_view_stays_until_it_is_left_and_is_named_when_it_is_wanted_again(
    opened, study, settle, export, tmp_path
):
    viewer = opened(study)
    gone = study / "case_0.dcm"
    gone.unlink()
    viewer.session.panes.shown[3].set_method("hirescam")
    settle()
    assert has_maps(viewer) == [True] * 4
    dialog = export(viewer, "seg", "npz", keep_identity=True)
    assert f"{gone}: it is no longer there. Put it back, or export without its identity." in dialog.message.text()
    dialog = export(viewer, "seg", "npz")
    assert "1 case exported" in dialog.message.text()
    viewer.session.step(1)
    settle()
    viewer.session.step(-1)
    settle()
    assert f"{gone}: there is no such file; it was removed" in viewer.window.messages.text
    assert viewer.session.film.image is None  # never the film of another case
    assert viewer.session.cases[0].status == "error"
    viewer.session.step(1)
    settle()
    assert has_maps(viewer) == [True] * 4


def test_a_neighbour_that_was_read_ahead_and_removed_is_not_shown(opened, study, settle, qtbot):
    viewer = opened(study)
    ahead = study / "case_1.dcm"
    qtbot.waitUntil(lambda: viewer.session._images.get((ahead, 0)) is not None, timeout=10_000)
    ahead.unlink()
    viewer.session.step(1)
    settle()
    assert viewer.session.film.image is None
    assert str(ahead) in viewer.window.messages.text
    viewer.session.step(1)
    settle()
    assert viewer.session.film.image.source.name == "case_2.dcm"


def test_a_folder_that_is_renamed_is_told_and_its_cases_come_back_with_it(opened, study, settle):
    viewer = opened(study)
    study.rename(study.with_name("renamed"))
    viewer.session.select(2)
    settle()
    assert f"{study}" in viewer.window.messages.text
    assert "moved with its folder. Put it back, or open its folder again." in viewer.window.messages.text
    study.with_name("renamed").rename(study)
    viewer.session.select(2)
    settle()
    assert has_maps(viewer) == [True] * 4
    assert viewer.session.cases[2].error == ""


# Exports


def test_of_all_cases_those_that_cannot_be_read_are_named_first(opened, study, settle, export, tmp_path):
    (study / "case_0a.dcm").write_bytes(b"\0" * 128 + b"DICM and nothing")
    viewer = opened(study)
    viewer.session.panes.active.set_overlay(threshold=1.0)  # no regions, which is told too
    dialog = export(viewer, *EACH, every=True)
    told = dialog.message.text()
    assert "3 cases exported" in told
    assert "case_0a.dcm: it does not say how it is encoded" in told
    assert "and 3 more" in told
    assert dialog.message.toolTip().count("no regions are written") == 3
    made = contents(tmp_path / "out")
    assert {name[:9] for name in made} == {"case_0001", "case_0003", "case_0004", "scores.cs"}


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch) -> Path:
    folder = tmp_path / "read only"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # root may write everywhere

        def deny(path: Path) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "touch", deny)
    return folder


@pytest.mark.parametrize("every", [False, True])
def test_a_folder_that_is_read_only_is_told_once_and_not_for_each_case(opened, study, export, read_only, every):
    viewer = opened(study)
    dialog = export(viewer, "npz", "seg", folder=read_only, every=every)
    assert dialog.message.text() == (
        f"{read_only}: cannot be written to: Permission denied. Choose another folder to export to."
    )
    assert dialog.message.objectName() == "failure"
    assert list(read_only.iterdir()) == []
    assert dialog.export.isEnabled()


def test_cases_of_one_name_are_exported_into_one_folder_under_names_that_tell_them_apart(
    opened, settle, export, tmp_path
):
    for ward in ("ward a", "ward b"):
        (tmp_path / "films" / ward).mkdir(parents=True)
        write_dicom(tmp_path / "films" / ward / "chest.dcm", noise(60, 50 + len(ward)), Modality="CR")
    viewer = opened(tmp_path / "films")
    ticks = {"keep_names": True, "keep_identity": True}
    export(viewer, *SINGLE, "ledger", "npz", "seg", **ticks)
    first = contents(tmp_path / "out")
    viewer.session.step(1)
    settle()
    export(viewer, *SINGLE, "ledger", "npz", "seg", **ticks)
    both = contents(tmp_path / "out")
    assert {name: both[name] for name in first} == first
    assert {name.partition("_")[0] for name in first} == {"ward a"}
    assert len(both) == 2 * len(first)
    uids = [case.header.identity.instance_uid for case in viewer.session.cases.snapshot]
    for ward, uid in zip(("ward a", "ward b"), uids, strict=True):
        regions = pydicom.dcmread(tmp_path / "out" / f"{ward}_chest_regions.dcm")
        assert regions.SourceImageSequence[0].ReferencedSOPInstanceUID == uid
    export(viewer, "npz", every=True, keep_names=True)
    assert "ward b/chest.dcm,ward b_chest," in (tmp_path / "out" / "scores.csv").read_text()
    assert len(contents(tmp_path / "out")) == len(both) + 1  # the same cases replace their own files


def test_numbered_cases_of_another_study_do_not_replace_those_of_the_first(opened, study, settle, export, tmp_path):
    viewer = opened(study / "case_0.dcm")
    export(viewer, "npz", "ledger", "parametric-map")
    first = contents(tmp_path / "out")
    viewer.session.open_paths([study / "case_1.dcm"])
    settle()
    dialog = export(viewer, "npz", "ledger", "parametric-map")
    both = contents(tmp_path / "out")
    assert {name: both[name] for name in first} == first
    assert "case_0001-2_evidence.npz" in both
    assert "Other files named case_0001 were there already" in dialog.message.text()


# Images of many kinds


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """One study: a radiograph, a clip of 30 frames in colour whose first row tells the frame, and a photograph."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    write_dicom(
        folder / "1.dcm", noise(120, 100).astype(np.uint16) * 16, Modality="CR", WindowCenter=2000, WindowWidth=900
    )
    clip = noise(30, 48, 64, 3)
    clip[:, 0] = np.arange(30, dtype=np.uint8)[:, None, None]
    write_dicom(folder / "2.dcm", clip, Modality="US")
    write_dicom(folder / "3.dcm", noise(30, 150, 3), Modality="XC")
    return folder


def test_a_study_of_several_kinds_and_sizes_is_grouped_and_each_kind_has_its_windows(opened, mixed, settle):
    viewer = opened(mixed)
    session, worklist = viewer.session, viewer.session.worklist
    lines = [worklist.data(worklist.index(line)) for line in range(worklist.rowCount())]
    assert lines[1:] == [
        "Study 1 · CR, US, XC · 3 images",
        *("Series 1 · CR · 1 image", "1", "Series 2 · US · 1 image", "2", "Series 3 · XC · 1 image", "3"),
    ]
    session.film.use_preset("All values")
    chosen = session.film.window
    viewer.window.grid.active.view.zoom(3.0)
    for row, modality in ((1, "US"), (2, "XC"), (0, "CR")):
        session.select(row)
        settle()
        assert session.film.image.modality == modality
        assert has_maps(viewer) == [True] * 4
        assert len({pane.view.view for pane in viewer.window.grid.panes}) == 1
        assert bool(session.film.presets) == (modality == "CR")  # colours are shown as they are
    assert session.film.window == chosen


def test_a_pinned_pane_keeps_a_case_of_another_kind_and_size_beside_the_others(opened, mixed, settle):
    viewer = opened(mixed)
    session, grid = viewer.session, viewer.window.grid
    session.panes.toggle_pinned(session.panes.shown[3])
    session.select(2)
    settle()
    assert [pane.view.image_size for pane in grid.panes] == [(30, 150)] * 3 + [(120, 100)]
    grid.panes[0].view.zoom(2.0)
    widths = [pane.view.view.scale * pane.view.view.size[0] for pane in grid.panes]
    assert widths == pytest.approx([widths[0]] * 4)
    session.figures.attend(viewer, on=True)
    settle()
    assert session.figures.rows[3].cells["rank_agreement"].why == "Pane 1 shows another case."
    session.figures.attend(viewer, on=False)


def test_the_frames_of_a_clip_are_stepped_through_and_no_more_than_a_few_are_kept(opened, mixed, settle):
    viewer = opened(mixed / "2.dcm")
    session = viewer.session
    session.panes.set_layout("1x1")
    for frame in range(1, 30):
        session.step_frame(1)
        settle()
        assert session.film.image.frame == frame
        assert (session.film.image.values[0] == frame).all()
        assert len(session._images) <= IMAGES
    assert "frame 30 of 30" in texts(viewer.window.grid)
    session.step_frame(1)
    assert session.film.image.frame == 29  # there is no other case


def test_exports_of_a_frame_refer_to_it_and_leave_those_of_another_alone(opened, mixed, settle, export, tmp_path):
    viewer = opened(mixed / "2.dcm")
    for frame in (12, 20):
        viewer.session.select(0, frame)
        settle()
        export(viewer, *DICOM, keep_identity=True)
        for part in ("evidence_map", "regions", "overlay"):
            file = pydicom.dcmread(tmp_path / "out" / f"case_0001_frame_{frame + 1}_{part}.dcm")
            assert file.SourceImageSequence[0].ReferencedFrameNumber == frame + 1
    assert pydicom.dcmread(tmp_path / "out" / "case_0001_frame_13_regions.dcm").Rows == 48


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (1, 20_000)])
def test_a_thread_of_an_image_is_shown_without_a_map_and_the_panes_say_why(opened, tmp_path, settle, size):
    cv2.imwrite(str(tmp_path / "thread.png"), noise(*size))
    cv2.imwrite(str(tmp_path / "usual.png"), noise(50, 40))
    viewer = opened(tmp_path / "thread.png", tmp_path / "usual.png")
    assert viewer.session.film.image.size == size
    assert has_maps(viewer) == [False] * 4
    assert all("thread.png: its " in told and "Cut out the part of interest." in told for told in notices(viewer))
    viewer.window.worklist.list.grab()
    settle()
    assert viewer.session.cases[0].status == "error"
    viewer.session.step(1)
    settle()
    assert has_maps(viewer) == [True] * 4
    assert notices(viewer) == [""] * 4


# Images that are the same everywhere


def write_constant(path: Path, value: float, dtype: type) -> Path:
    values = np.full((50, 40), value, dtype)
    if path.suffix == ".dcm":
        return write_dicom(path, values, Modality="OT")
    (tifffile.imwrite if dtype is np.float32 else cv2.imwrite)(str(path), values)
    return path


@pytest.mark.parametrize(
    ("name", "value", "dtype"),
    [
        ("black.png", 0, np.uint8),
        ("real.dcm", 0.25, np.float32),
        ("large.tiff", 1e30, np.float32),
    ],
)
def test_an_image_that_is_the_same_everywhere_can_be_seen_measured_and_exported(
    opened, tmp_path, settle, export, name, value, dtype
):
    viewer = opened(write_constant(tmp_path / name, value, dtype))
    session = viewer.session
    assert has_maps(viewer) == [True] * 4
    for preset in session.film.presets:
        session.film.use_preset(preset.title)
        lower, upper = session.film.window.limits
        assert lower < upper
        viewer.window.grab()
    session.figures.attend(viewer, on=True)
    settle()
    cells = [cell for row in session.figures.rows for cell in row.cells.values()]
    assert all(cell.value is None or np.isfinite(cell.value) for cell in cells)
    assert "nan" not in texts(viewer.window).lower().split()
    session.figures.attend(viewer, on=False)
    for threshold in (0.0, 1.0):
        session.panes.active.set_overlay(threshold=threshold)
        viewer.window.grab()
    dialog = export(viewer, *SINGLE, *EACH)
    assert "1 case exported" in dialog.message.text()


def test_maps_that_are_zero_everywhere_are_called_so_and_have_no_regions_and_no_correlations(
    viewer, opened, tmp_path, settle, export
):
    card = ModelCard(
        name="Zero", architecture="compact", class_names=("a", "b"), preprocessing=Preprocessing(shorter_side=48)
    )
    network = SoftCAM.from_card(card)
    with torch.no_grad():
        for weights in network.parameters():
            weights.zero_()
    save_model(network, tmp_path / "zero.safetensors")
    cv2.imwrite(str(tmp_path / "a.png"), noise(50, 40))
    opened(tmp_path / "a.png")
    viewer.session.open_model(tmp_path / "zero.safetensors")
    settle()
    assert all("zero every" in texts(pane.header) for pane in viewer.window.grid.panes)
    assert viewer.session.weighing.ledger.regions == ()
    assert [line.title for line in ledger_lines(viewer.session.weighing)] == ["Below threshold", "Offset", "Sum"]
    figures = viewer.session.figures
    figures.attend(viewer, on=True)
    settle()
    assert all("the same everywhere" in row.cells["rank_agreement"].why for row in figures.rows[1:])
    figures.attend(viewer, on=False)
    dialog = export(viewer, *SINGLE, *EACH)
    assert "1 case exported" in dialog.message.text()
    assert "no regions are written" in dialog.message.text()


def test_a_window_that_is_dragged_together_becomes_a_step_and_can_be_dragged_apart(opened, tmp_path, settle):
    cv2.imwrite(str(tmp_path / "a.png"), noise(50, 40))
    viewer = opened(tmp_path / "a.png")
    view, film = viewer.window.grid.active.view, viewer.session.film
    for right in (*(-300,) * 30, *(300,) * 40):
        view.windowed.emit(right, 0)
        lower, upper = film.window.limits
        assert lower < upper
        view.grab()
    assert upper - lower > 255


def test_a_window_of_a_file_that_is_a_step_is_drawn(opened, tmp_path, pixels):
    values = np.repeat(np.array([[10, 20]], np.uint8), 20, axis=1).repeat(40, axis=0)
    viewer = opened(write_dicom(tmp_path / "step.dcm", values, Modality="OT", WindowCenter=15, WindowWidth=1))
    viewer.session.panes.set_layout("1x1")
    viewer.session.panes.active.set_overlay(visible=False)
    QApplication.processEvents()
    view = viewer.window.grid.active.view
    shown = pixels(view)
    left, right = (view.widget_position(20, column).toPoint() for column in (10, 30))
    assert shown[left.y(), left.x()].max() < 20
    assert shown[right.y(), right.x()].min() > 235


def test_values_that_are_no_numbers_are_told_with_their_file(opened, tmp_path):
    values = np.zeros((50, 40), np.float32)
    values[3, :5] = np.nan
    tifffile.imwrite(tmp_path / "holes.tiff", values)
    viewer = opened(tmp_path / "holes.tiff")
    assert "holes.tiff: 5 of its 2,000 pixel values are not finite" in viewer.window.messages.text
    assert viewer.session.film.image is None


# Labels of class folders


def test_folders_called_like_the_models_classes_are_labels_as_soon_as_it_is_there(
    viewer, signed_model_file, three_class_file, tmp_path, settle
):
    for number, name in enumerate(("No Finding", "opacity")):
        (tmp_path / "cases" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "cases" / name / f"{number}.png"), noise(50, 40))
    viewer.session.open_paths([tmp_path / "cases"])
    settle()
    assert [case.label for case in viewer.session.cases.snapshot] == ["", ""]
    viewer.session.open_model(signed_model_file)
    settle()
    assert [case.label for case in viewer.session.cases.snapshot] == ["no finding", "opacity"]
    assert viewer.session.cases[0].is_wrong is not None
    viewer.session.open_model(three_class_file)
    settle()
    assert [case.label for case in viewer.session.cases.snapshot] == ["", ""]
