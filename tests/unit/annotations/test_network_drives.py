import sys

import pytest

from softcam_core.annotations import network_drives
from softcam_core.annotations.network_drives import is_on_network_drive

MOUNTS = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
30 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
41 30 0:50 / /mnt/team rw,relatime shared:9 master:2 - nfs4 server:/team rw,vers=4.2
42 41 8:1 / /mnt/team/local rw,relatime - xfs /dev/sda1 rw
43 30 0:51 / /media/two\040words/ünlü rw - fuse.sshfs host:/ rw
44 30 0:52 / /mnt/twice rw - cifs //host/share rw
45 44 8:2 / /mnt/twice rw - ext4 /dev/sda2 rw
"""


@pytest.mark.skipif(sys.platform != "linux", reason="where file systems are mounted is written there on Linux only")
@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/home/somebody", False),
        ("/mnt/team", True),
        ("/mnt/team/deeper/folder", True),
        ("/mnt/team/local/folder", False),
        ("/mnt/teamwork", False),
        ("/media/two words/ünlü/folder", True),
        ("/mnt/twice", False),
    ],
)
def test_drives_of_other_computers_are_known(tmp_path, monkeypatch, folder: str, expected: bool) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS, encoding="utf-8")
    monkeypatch.setattr(network_drives, "_MOUNTS", table)
    assert is_on_network_drive(network_drives.Path(folder) / "store.sqlite") == expected


def test_the_folder_of_a_test_is_at_home(tmp_path) -> None:
    assert not is_on_network_drive(tmp_path / "store.sqlite")


def test_what_cannot_be_told_is_taken_for_local(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(network_drives, "_MOUNTS", tmp_path / "gone")
    assert not is_on_network_drive(tmp_path / "store.sqlite")
