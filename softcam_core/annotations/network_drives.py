"""Which files lie on a drive of another computer."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_NETWORK = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.rclone", "fuse.sshfs", "gpfs", "lustre"),
    *("ncpfs", "nfs", "nfs4", "smb3", "smbfs"),
}
_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")  # how blanks are written there
_REMOTE = 4  # DRIVE_REMOTE of Windows


def is_on_network_drive(path: Path) -> bool:
    """True where Linux or Windows says so; False elsewhere."""
    if sys.platform == "win32":
        import ctypes

        drive = path.absolute().drive
        return drive.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(f"{drive}\\") == _REMOTE
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    return _kind_of_drive(os.path.realpath(path.parent), mounts) in _NETWORK


def _kind_of_drive(folder: str, mounts: str) -> str:
    """File system that a folder lies on, by the longest path that something is mounted at, and the last mounted there.

    See proc_pid_mountinfo(5): the path is the fifth field, the file system the first after a lonely dash.
    """
    kind, longest = "", -1
    for line in mounts.splitlines():
        front, dash, back = line.partition(" - ")
        if not dash:
            continue
        at = _OCTAL.sub(lambda match: chr(int(match[1], 8)), front.split(" ")[4]).rstrip("/")
        if (folder == at or folder.startswith(f"{at}/")) and len(at) >= longest:
            kind, longest = back.split(" ")[0], len(at)
    return kind
