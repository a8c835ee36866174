"""What an image is known by, wherever its file lies.

A DICOM image is known by its SOP Instance UID, any other file by its content. Keys hold a hash of either, so that they
can be written anywhere and tell nothing about a patient, and still say that two people looked at the same image.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from softcam_core.errors import ImageReadError

_DIGITS = 40
_CHUNK = 1 << 20


def case_key(path: Path, sop_instance_uid: str = "") -> str:
    """Key of an image file: "dicom-..." or "file-..." with 40 hexadecimal digits of a SHA-256.

    Parameters
    ----------
    path : Path
        Read only where there is no UID.
    sop_instance_uid : str
        As its header has it.

    Raises
    ------
    ImageReadError
        When the file cannot be read.
    """
    uid = sop_instance_uid.strip()
    if uid:
        return f"dicom-{hashlib.sha256(uid.encode()).hexdigest()[:_DIGITS]}"
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ImageReadError(
            path, f"cannot be read: {error.strerror}", "Check the path and its permissions."
        ) from error
    return f"file-{digest.hexdigest()[:_DIGITS]}"
