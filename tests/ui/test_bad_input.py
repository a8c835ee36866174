"""Files that are gone or alike: the window says so where people must know, and goes on."""

import os
from pathlib import Path

import cv2
import pydicom
import pytest
from looking import has_maps
from odd_images import noise, write_dicom

from softcam_viewer.ui.export_dialog import EACH, SINGLE


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Three radiographs of one patient."""
    folder = tmp_path / "study"
    folder.mkdir()
    for number in range(3):
        write_dicom(folder / f"case_{number}.dcm", noise(60 + number, 50), Modality="CR")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# A case that is removed


def test_a_case_that_is_removed_in_view_stays_until_it_is_left_and_is_named_when_it_is_wanted_again(
    show_four, study, settle, export, tmp_path
):
    viewer = show_four(study)
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


def test_a_neighbour_that_was_read_ahead_and_removed_is_not_shown(show_four, study, settle, qtbot):
    viewer = show_four(study)
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


def test_a_folder_that_is_renamed_is_told_and_its_cases_come_back_with_it(show_four, study, settle):
    viewer = show_four(study)
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


def test_of_all_cases_those_that_cannot_be_read_are_named_first(show_four, study, settle, export, tmp_path):
    (study / "case_0a.dcm").write_bytes(b"\0" * 128 + b"DICM and nothing")
    viewer = show_four(study)
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
def test_a_folder_that_is_read_only_is_told_once_and_not_for_each_case(show_four, study, export, read_only, every):
    viewer = show_four(study)
    dialog = export(viewer, "npz", "seg", folder=read_only, every=every)
    assert dialog.message.text() == (
        f"{read_only}: cannot be written to: Permission denied. Choose another folder to export to."
    )
    assert dialog.message.objectName() == "failure"
    assert list(read_only.iterdir()) == []
    assert dialog.export.isEnabled()


def test_cases_of_one_name_are_exported_into_one_folder_under_names_that_tell_them_apart(
    show_four, settle, export, tmp_path
):
    for ward in ("ward a", "ward b"):
        (tmp_path / "films" / ward).mkdir(parents=True)
        write_dicom(tmp_path / "films" / ward / "chest.dcm", noise(60, 50 + len(ward)), Modality="CR")
    viewer = show_four(tmp_path / "films")
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


def test_numbered_cases_of_another_study_do_not_replace_those_of_the_first(show_four, study, settle, export, tmp_path):
    viewer = show_four(study / "case_0.dcm")
    export(viewer, "npz", "ledger", "parametric-map")
    first = contents(tmp_path / "out")
    viewer.session.open_paths([study / "case_1.dcm"])
    settle()
    dialog = export(viewer, "npz", "ledger", "parametric-map")
    both = contents(tmp_path / "out")
    assert {name: both[name] for name in first} == first
    assert "case_0001-2_evidence.npz" in both
    assert "Other files named case_0001 were there already" in dialog.message.text()


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
