from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.imaging.image import MedicalImage, Window
from softcam_viewer.model.export_names import ExportNames, names_after, titles_of, with_frame

A, B = (Path("a/chest.dcm"), 0), (Path("b/chest.dcm"), 0)


@pytest.fixture
def names() -> ExportNames:
    return ExportNames()


def test_files_of_another_case_are_left_alone_and_its_own_are_replaced(names, tmp_path):
    assert names.in_folder(tmp_path).take("chest", A) == "chest"
    (tmp_path / "chest_evidence.npz").touch()
    here = names.in_folder(tmp_path)
    assert [here.take("chest", owner) for owner in (B, A, B)] == ["chest-2", "chest", "chest-2"]
    assert here.changed == ["chest", "chest"]
    assert names.in_folder(tmp_path / "..").take("chest", B) == "chest"


@pytest.mark.parametrize("file", ["Chest.png", "chest_map.dcm", "CHEST.nii.gz", "chest.v2_overlay.png"])
def test_files_that_were_there_before_are_nobodys(names, tmp_path, file):
    (tmp_path / file).touch()
    here = names.in_folder(tmp_path)
    assert here.take("chest", A) == "chest-2"
    assert here.remark == "Other files named chest were there already and are kept: the new ones are numbered."
    assert here.take("ches", B) == "ches"


def test_how_many_names_are_changed_is_told_and_nothing_where_none_is(names, tmp_path):
    here = names.in_folder(tmp_path)
    here.take("one", A)
    assert here.remark == ""
    here.take("one", B)
    here.take("ONE", "c")
    assert here.remark.startswith("Other files named one and 1 more were there")


def test_names_tell_by_their_folders_which_of_two_is_meant():
    paths = [Path("/s/ward a/chest.dcm"), Path("/s/ward b/chest.dcm"), Path("/s/ward b/chest.png"), Path("/s/foot.png")]
    assert names_after(paths) == ["ward a_chest", "ward b_chest", "chest", "foot"]
    assert titles_of(paths) == ["ward a/chest.dcm", "ward b/chest.dcm", "chest.png", "foot.png"]


@given(st.lists(st.lists(st.sampled_from(["a", "B", "b", "a_b"]), min_size=1, max_size=3), max_size=8))
def test_no_two_images_ever_have_the_same_name_and_none_has_a_folder(parts):
    paths = list(dict.fromkeys(Path("/", *part).with_suffix(".png") for part in parts))
    made = names_after(paths)
    assert len({name.casefold() for name in made}) == len(paths)
    assert all("/" not in name for name in made)


def test_frames_have_numbers_of_the_same_width_and_single_ones_none():
    pixels = np.zeros((2, 2), np.float32)
    image = MedicalImage(Path("us.dcm"), pixels, pixels, pixels, Window(0, 1), frame=6, frame_count=30)
    assert with_frame("us", image) == "us_frame_07"
    assert with_frame("us", replace(image, frame=0, frame_count=1)) == "us"
