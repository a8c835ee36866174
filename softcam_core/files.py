"""Files that are complete or not there."""

from __future__ import annotations

from pathlib import Path

from softcam_core.errors import SettingsError


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file by a complete one or not at all.

    Raises
    ------
    SettingsError
        When it cannot be written; what was there is still there.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise SettingsError(path, f"cannot be written: {error.strerror}", "Check the folder and its free space.") from error
