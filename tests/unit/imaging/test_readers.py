import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from softcam_core.errors import ImageReadError
from softcam_core.imaging import checks
from softcam_core.imaging.readers import find_images, read_header, read_image


@pytest.fixture
def png(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(path)
    return path


def _refusal(path, frame=0) -> str:
    with pytest.raises(ImageReadError) as caught:
        read_image(path, frame)
    error = caught.value
    assert error.path == Path(path)
    assert error.reason
    assert not error.reason.endswith(".")
    assert error.advice.endswith(".")
    return str(error)


def test_content_decides_and_not_the_suffix(png, tmp_path):
    misnamed = tmp_path / "a.dcm"
    shutil.copy(png, misnamed)
    np.testing.assert_array_equal(read_image(misnamed).pixels, read_image(png).pixels)


def test_path_may_be_text(png):
    assert read_image(str(png)).source == png


@pytest.mark.parametrize("suffix", [".dcm", ".png", ".jpg", ".tif", ""])
def test_junk_is_refused_under_any_name(tmp_path, suffix):
    path = tmp_path / f"junk{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(4000))
    assert "not that of an image" in _refusal(path)


@pytest.mark.parametrize("magic", [bytes(128) + b"DICM", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0", b"MM\0*"])
@pytest.mark.parametrize("length", [0, 3, 5000])
def test_junk_behind_the_mark_of_an_image_is_refused(tmp_path, magic, length):
    path = tmp_path / "junk"
    path.write_bytes(magic + np.random.default_rng(1).bytes(length))
    assert str(path) in _refusal(path)


def test_empty_file_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    assert "empty" in _refusal(tmp_path / "a.png")


def test_missing_file_is_refused(tmp_path):
    assert "no such file" in _refusal(tmp_path / "a.png")


def test_folder_is_refused(tmp_path):
    assert "folder" in _refusal(tmp_path)


def test_impossible_name_is_refused():
    assert "could not be opened" in _refusal("a\0.png")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_refused(png):
    png.chmod(0)
    assert "could not be opened" in _refusal(png)


@pytest.mark.parametrize("frame", [-1, 1, 99])
def test_frame_out_of_range_is_refused_with_the_frames_there_are(png, frame):
    message = _refusal(png, frame)
    assert f"no frame number {frame}" in message
    assert "single frame" in message


def test_a_frame_at_the_limit_is_read_and_one_pixel_more_is_refused(png, monkeypatch):
    monkeypatch.setattr(checks, "MAX_PIXELS", 12)
    assert read_image(png).size == (3, 4)
    monkeypatch.setattr(checks, "MAX_PIXELS", 11)
    assert "more than 11 pixels" in _refusal(png)


def test_a_file_stands_for_itself(png):
    assert find_images(png) == [png]


def test_a_folder_stands_for_its_images_sorted_and_nested(png, tmp_path):
    names = ["b/z.DCM", "b/a.jpeg", "B.TIFF", "c.jpg", "d.tif", "e.dicom", "f/g/h.png"]
    for name in [*names, "notes.txt", "table.csv", "noext", "._a.png", "b/.hidden.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"content does not matter")
    assert find_images(tmp_path) == sorted([png, *(tmp_path / name for name in names)])


def test_files_without_suffix_are_found_by_the_dicom_mark(tmp_path):
    for name in ("IM0001", "1.2.840.10008.17", "DICOMDIR"):
        (tmp_path / name).write_bytes(bytes(128) + b"DICM")
    assert [path.name for path in find_images(tmp_path)] == ["1.2.840.10008.17", "IM0001"]


def test_folder_without_images_is_refused_with_what_could_be_read(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(ImageReadError, match=r"no image in this folder.*DICOM, PNG, JPEG and TIFF"):
        find_images(tmp_path)


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(ImageReadError, match="no such file"):
        find_images(tmp_path / "missing")


@pytest.mark.parametrize(
    ("folder", "count"),
    [
        ("cxr_nih_boxes", 68),
        ("cxr_nih_examples", 8),
        ("cxr_nih_train320", 1000),
        ("fundus_idrid_lesions/images", 21),
        ("oct_drusen", 3),
    ],
)
def test_real_images_open(shared_data, folder, count):
    paths = find_images(shared_data / folder)
    assert len(paths) == count
    for path in paths:
        image = read_image(path)
        assert image.pixels.std() > 0
        assert image.is_color == (folder.startswith(("fundus", "oct")))


def test_reading_images_does_not_import_torch():
    script = "import sys, softcam_core.imaging.readers; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_header_tells_frames_and_whose_image_it_is(shared_data):
    header = read_header(shared_data / "dicom/examples_ybr_color.dcm")
    image = read_image(shared_data / "dicom/examples_ybr_color.dcm")
    assert header.is_dicom
    assert (header.frame_count, header.modality, header.identity) == (30, "US", image.identity)
    assert header.instance_number == 16117


def test_the_header_of_every_file_agrees_with_its_image(shared_data):
    seen = 0
    for path in find_images(shared_data / "dicom"):
        try:
            image = read_image(path)
        except ImageReadError:
            continue
        header = read_header(path)
        assert (header.frame_count, header.modality) == (image.frame_count, image.modality)
        assert header.identity == image.identity
        seen += 1
    assert seen > 20


def test_the_header_of_a_tiff_counts_its_pages_and_others_have_one(tmp_path):
    pages = [Image.fromarray(np.zeros((4, 4), np.uint8)) for _ in range(3)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "one.png")
    (tmp_path / "cut.tif").write_bytes((tmp_path / "pages.tif").read_bytes()[:20])
    (tmp_path / "text.png").write_text("no image")
    names = ("pages.tif", "one.png", "cut.tif", "text.png")
    assert [read_header(tmp_path / name).frame_count for name in names] == [3, 1, 1, 1]
    assert not read_header(tmp_path / "pages.tif").is_dicom


def test_a_header_says_what_is_wrong_with_its_file(tmp_path):
    with pytest.raises(ImageReadError, match="no such file"):
        read_header(tmp_path / "gone.dcm")
    damaged = tmp_path / "damaged.dcm"
    syntax = b"\x02\x00\x10\x00UI\x14\x00" + b"1.2.840.10008.1.2.1\0"
    frames = b"\x28\x00\x08\x00IS\x02\x00xy"
    damaged.write_bytes(b"\0" * 128 + b"DICM" + syntax + frames)
    with pytest.raises(ImageReadError, match="header is damaged"):
        read_header(damaged)
