"""Images of many kinds and sizes, and such as are the same everywhere: all are shown, and told where they cannot be."""

from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
import tifffile
import torch
from looking import has_maps, notices
from odd_images import noise, write_dicom
from PySide6.QtWidgets import QApplication

from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import save_model
from softcam_core.models.softcam import SoftCAM
from softcam_viewer.model.ahead import IMAGES
from softcam_viewer.model.ledger_lines import ledger_lines
from softcam_viewer.ui.export_dialog import DICOM, EACH, SINGLE


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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


def test_a_study_of_several_kinds_and_sizes_is_grouped_and_each_kind_has_its_windows(show_four, mixed, settle):
    viewer = show_four(mixed)
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


def test_a_pinned_pane_keeps_a_case_of_another_kind_and_size_beside_the_others(show_four, mixed, settle):
    viewer = show_four(mixed)
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


def test_the_frames_of_a_clip_are_stepped_through_and_no_more_than_a_few_are_kept(show_four, texts, mixed, settle):
    viewer = show_four(mixed / "2.dcm")
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


def test_exports_of_a_frame_refer_to_it_and_leave_those_of_another_alone(show_four, mixed, settle, export, tmp_path):
    viewer = show_four(mixed / "2.dcm")
    for frame in (12, 20):
        viewer.session.select(0, frame)
        settle()
        export(viewer, *DICOM, keep_identity=True)
        for part in ("evidence_map", "regions", "overlay"):
            file = pydicom.dcmread(tmp_path / "out" / f"case_0001_frame_{frame + 1}_{part}.dcm")
            assert file.SourceImageSequence[0].ReferencedFrameNumber == frame + 1
    assert pydicom.dcmread(tmp_path / "out" / "case_0001_frame_13_regions.dcm").Rows == 48


@pytest.mark.parametrize("size", [(1, 4000), (4000, 1), (1, 20_000)])
def test_a_thread_of_an_image_is_shown_without_a_map_and_the_panes_say_why(show_four, tmp_path, settle, size):
    cv2.imwrite(str(tmp_path / "thread.png"), noise(*size))
    cv2.imwrite(str(tmp_path / "usual.png"), noise(50, 40))
    viewer = show_four(tmp_path / "thread.png", tmp_path / "usual.png")
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
    show_four, texts, tmp_path, settle, export, name, value, dtype
):
    viewer = show_four(write_constant(tmp_path / name, value, dtype))
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
    viewer, show_four, texts, tmp_path, settle, export
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
    show_four(tmp_path / "a.png")
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


def test_a_window_that_is_dragged_together_becomes_a_step_and_can_be_dragged_apart(show_four, tmp_path, settle):
    cv2.imwrite(str(tmp_path / "a.png"), noise(50, 40))
    viewer = show_four(tmp_path / "a.png")
    view, film = viewer.window.grid.active.view, viewer.session.film
    for right in (*(-300,) * 30, *(300,) * 40):
        view.windowed.emit(right, 0)
        lower, upper = film.window.limits
        assert lower < upper
        view.grab()
    assert upper - lower > 255


def test_a_window_of_a_file_that_is_a_step_is_drawn(show_four, tmp_path, pixels):
    values = np.repeat(np.array([[10, 20]], np.uint8), 20, axis=1).repeat(40, axis=0)
    viewer = show_four(write_dicom(tmp_path / "step.dcm", values, Modality="OT", WindowCenter=15, WindowWidth=1))
    viewer.session.panes.set_layout("1x1")
    viewer.session.panes.active.set_overlay(visible=False)
    QApplication.processEvents()
    view = viewer.window.grid.active.view
    shown = pixels(view)
    left, right = (view.widget_position(20, column).toPoint() for column in (10, 30))
    assert shown[left.y(), left.x()].max() < 20
    assert shown[right.y(), right.x()].min() > 235


def test_values_that_are_no_numbers_are_told_with_their_file(show_four, tmp_path):
    values = np.zeros((50, 40), np.float32)
    values[3, :5] = np.nan
    tifffile.imwrite(tmp_path / "holes.tiff", values)
    viewer = show_four(tmp_path / "holes.tiff")
    assert "holes.tiff: 5 of its 2,000 pixel values are not finite" in viewer.window.messages.text
    assert viewer.session.film.image is None
