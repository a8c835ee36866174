"""Files that are written whole or not at all, and text that is read at a border."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from softcam_core.errors import BorderError, SettingsError


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


def read_text(path: Path, error_type: type[BorderError]) -> str:
    """Text of a file in UTF-8, with or without a byte order mark; ends of lines are as they are there.

    Raises
    ------
    BorderError
        Of the type given, when it cannot be read.
    """
    if path.is_dir():  # which not every system says when it is opened
        raise error_type(path, "is a folder", "Name the file in it.")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise error_type(path, "there is no such file", "Check the path.") from error
    except OSError as error:
        raise error_type(path, f"cannot be read: {error.strerror}", "Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise error_type(path, "is not a text file in UTF-8", "Save it as UTF-8.") from error
