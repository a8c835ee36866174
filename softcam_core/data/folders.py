"""Class folders: the folder that an image lies in is its label."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from softcam_core.data.checks import counted
from softcam_core.data.records import Listing, Record, find_patient
from softcam_core.data.samples import SPLIT_NAMES
from softcam_core.errors import ManifestError
from softcam_core.imaging.readers import is_image_file

if TYPE_CHECKING:
    from softcam_core.data.source import DataSource

_LAYOUT = "Choose a folder that holds a folder for each class, or train, val and test with such folders in them."


def has_class_folders(path: Path) -> bool:
    """Whether a folder looks as if its folders were classes or splits."""
    folders = list(_folders(path))
    inner = [folder.name.lower() for outer in folders for folder in (outer, *_folders(outer))]
    return len(folders) > 1 or any(name in SPLIT_NAMES for name in inner)


def read_folders(source: DataSource) -> Listing:
    """List the images under ``CLASS/`` or ``SPLIT/CLASS/``, in whatever folders below.

    Images that lie beside the class folders have no label; they are counted in the notes.

    Raises
    ------
    ManifestError
        When there are no such folders or no images in them, or splits and classes are mixed.
    """
    root = source.path
    if not root.is_dir():
        raise ManifestError(root, "there is no such folder", "Check the path.")
    top = list(_folders(root))
    splits = [folder for folder in top if folder.name.lower() in SPLIT_NAMES and any(_folders(folder))]
    others = [folder for folder in top if folder not in splits]
    if splits and any(_images(folder) for folder in others):
        names = ", ".join(folder.name for folder in others if _images(folder))
        raise ManifestError(root, f"holds splits, and {names} beside them", "Move that elsewhere.")
    for folder in others if not splits else ():
        if any(inner.name.lower() in SPLIT_NAMES and any(_folders(inner)) for inner in _folders(folder)):
            raise ManifestError(root, f"holds its splits one folder deeper, in {folder.name}", f"Choose {folder}.")
    parents = splits or [root]
    stray = sum(is_image_file(file) for parent in {root, *parents} for file in parent.iterdir())
    classes = [folder for parent in parents for folder in _folders(parent)]
    records: list[Record] = []
    for folder in classes:
        split = folder.parent.name if splits else ""
        for file in _images(folder):
            name = file.relative_to(root).as_posix()
            patient, problems = find_patient(name, source.patient_pattern)
            records.append(Record(name, len(records) + 1, name, folder.name, split, patient, problems=problems))
    if not records:
        raise ManifestError(root, "has no images in class folders", _LAYOUT)
    return Listing(
        root,
        root,
        tuple(records),
        bool(splits),
        class_names=tuple(sorted({folder.name for folder in classes})),
        redraws_small_val=True,
        notes=(f"Left out: {counted(stray, 'image')} beside the class folders.",) if stray else (),
    )


def _folders(path: Path) -> Iterator[Path]:
    """Folders in a folder, sorted, without those that systems and archives leave."""
    try:
        found = sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))
    except OSError as error:
        raise ManifestError(path, f"cannot be read: {error.strerror}", "Check its permissions.") from error
    yield from found


def _images(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if is_image_file(file))
