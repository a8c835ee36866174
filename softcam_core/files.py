"""Files that are complete or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from softcam_core.errors import SettingsError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a file to write instead of `path`, which it replaces when the block ends well.

    Raises
    ------
    SettingsError
        When it cannot be written; what was there is still there.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        reason = f"cannot be written: {error.strerror}"
        raise SettingsError(path, reason, "Check the folder and its free space.") from error


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file by a complete one or not at all; raises SettingsError as `whole_file` does."""
    with whole_file(path) as partial:
        partial.write_bytes(content)
