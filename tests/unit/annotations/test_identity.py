import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.annotations.identity import case_key
from softcam_core.errors import ImageReadError

UID = "1.2.826.0.1.3680043.8.498.1"


def test_a_file_is_known_by_its_content_wherever_it_lies(tmp_path) -> None:
    content = bytes(range(256)) * 9000  # more than is read at a time
    first, second, other = tmp_path / "a.png", tmp_path / "folder" / "b.jpg", tmp_path / "c.png"
    second.parent.mkdir()
    for path in (first, second):
        path.write_bytes(content)
    other.write_bytes(content[:-1])
    assert case_key(first) == case_key(second) == f"file-{hashlib.sha256(content).hexdigest()[:40]}"
    assert case_key(other) != case_key(first)


def test_an_image_with_a_uid_is_known_by_that_and_not_read() -> None:
    nowhere = Path("not/there.dcm")
    assert case_key(nowhere, UID) == case_key(Path("elsewhere.dcm"), f" {UID} ")
    assert case_key(nowhere, UID) != case_key(nowhere, UID + "1")
    assert case_key(nowhere, UID).startswith("dicom-")
    assert UID not in case_key(nowhere, UID)


@given(uid=st.text("0123456789.", min_size=1, max_size=64))
def test_keys_hold_nothing_but_digits(uid: str) -> None:
    kind, _, digits = case_key(Path("a.dcm"), uid).partition("-")
    assert kind == "dicom"
    assert len(digits) == 40
    assert set(digits) <= set("0123456789abcdef")


@pytest.mark.parametrize("uid", ["", "  "])
def test_a_file_that_is_gone_is_told(tmp_path, uid: str) -> None:
    with pytest.raises(ImageReadError, match=r"gone\.png: cannot be read: No such file or directory\. Check the path"):
        case_key(tmp_path / "gone.png", uid)
