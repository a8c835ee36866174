"""What tables beside images and folders around them say of them: labels, boxes and masks. Runs off the UI thread."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from softcam_core.errors import ManifestError

if TYPE_CHECKING:
    from softcam_core.data.records import Listing
    from softcam_core.data.samples import Box
    from softcam_core.data.source import DataSource
    from softcam_core.data.tables import Table

IMAGE_COLUMNS = ("image", "image index", "image_path", "path", "file", "filename", "file_name", "image_id")
LABEL_COLUMNS = ("label", "labels", "class", "diagnosis", "finding labels", "finding", "findings")
BOX_COLUMNS = (("x", "y", "w", "h"), ("x", "y", "width", "height"))
IMAGE_FOLDER = "images"
"""Beside a table, where images are looked for that are not in its own folder."""

_ADVICE = "It needs a column “image” and a column “label”."


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an image; see `softcam_viewer.model.cases.Case`."""

    label: str = ""
    boxes: tuple[Box, ...] = ()
    box_labels: tuple[str, ...] = ()
    mask: Path | None = None


@dataclass(frozen=True, slots=True)
class _Columns:
    image: str
    label: str
    boxes: tuple[str, str, str, str] | None


def images_of(path: Path) -> list[Path]:
    """Images that a table names.

    Raises
    ------
    ManifestError
        When it cannot be read, has no such columns, or none of its images is there. Single ones may be missing.
    """
    listing, _ = _read(path)
    names = list(dict.fromkeys(record.name for record in listing.records if record.name))
    found = [_place(listing.root, name) for name in names]
    if not any(image is not None for image in found):
        places = f"{listing.root} and {listing.root / IMAGE_FOLDER}"
        raise ManifestError(path, "none of its images is there", f"They are looked for in {places}.")
    return [image or listing.root / name for image, name in zip(found, names, strict=True)]


def read_labels(opened: Sequence[Path], images: Sequence[Path]) -> tuple[dict[Path, Known], tuple[str, ...]]:
    """Look for tables beside and above images, and read what they say of them.

    Parameters
    ----------
    opened : sequence of Path
        What the user opened, tables among them.
    images : sequence of Path

    Returns
    -------
    dict of Path to Known
        Of the images that are in a table.
    tuple of str
        Messages about tables that were not used.
    """
    by_place = {os.path.normpath(image): image for image in images}
    found: dict[Path, Known] = {}
    problems: list[str] = []
    for path in tables_of(opened, images):
        try:
            listing, are_boxes = _read(path)
        except ManifestError as error:
            problems.append(str(error))
            continue
        # An image without a label is nothing to complain of here.
        wrong = [(r.place, text) for r in listing.records for text in r.problems if not text.endswith("is empty")]
        if wrong:
            more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            problems.append(f"{path}: {wrong[0][0]}: {wrong[0][1]}{more}.")
        for record in listing.records:
            for place in (listing.root / record.name, listing.root / IMAGE_FOLDER / record.name):
                image = by_place.get(os.path.normpath(place)) if record.name else None
                if image is None:
                    continue
                known, label = found.get(image, Known()), str(record.label)
                found[image] = replace(
                    known,
                    label=known.label or ("" if are_boxes else label),
                    boxes=known.boxes + record.boxes,
                    box_labels=known.box_labels + (label,) * len(record.boxes),
                    mask=known.mask or (listing.root / record.mask if record.mask else None),
                )
                break
    return found, tuple(problems)


def class_folders(opened: Sequence[Path], images: Sequence[Path]) -> tuple[dict[Path, str], ...]:
    """Folders that may be classes, as `softcam_core.data.folders` has them: ``CLASS/`` or ``SPLIT/CLASS/`` in one root.

    Parameters
    ----------
    opened : sequence of Path
        What the user opened. A folder is the root of the images in it; the root of others is two folders above them.
    images : sequence of Path

    Returns
    -------
    tuple of dict of Path to str
        For each root with two such folders or more, in which one each image lies; images beside them are left out.
    """
    from softcam_core.data.samples import SPLIT_NAMES

    folders = [path for path in opened if path.is_dir()]
    found: dict[Path, dict[Path, str]] = {}
    for image in images:
        root = next((folder for folder in folders if image.is_relative_to(folder)), image.parent.parent)
        parts = image.relative_to(root).parts[:-1]
        if parts and parts[0].lower() in SPLIT_NAMES:
            parts = parts[1:]
        if parts:
            found.setdefault(root, {})[image] = parts[0]
    return tuple(named for named in found.values() if len(set(named.values())) > 1)


def labels_of_folders(folders: Sequence[Mapping[Path, str]], names: Sequence[str]) -> dict[Path, str]:
    """Labels of the images under roots all of whose folders are called like classes, whatever their case.

    Other folders may be wards or patients: nothing is guessed of them.
    """
    known = {name.casefold(): name for name in names}
    return {
        image: known[folder.casefold()]
        for named in folders
        if all(folder.casefold() in known for folder in set(named.values()))
        for image, folder in named.items()
    }


def _place(root: Path, name: str) -> Path | None:
    """Where an image of a table is; None where it is not there."""
    return next((place for place in (root / name, root / IMAGE_FOLDER / name) if place.is_file()), None)


def is_table(path: Path) -> bool:
    """Whether a file is a table by its name."""
    return path.suffix.lower() == ".csv"


def tables_of(opened: Sequence[Path], images: Iterable[Path]) -> list[Path]:
    """Tables the user opened; without such, those beside and above the images that list images."""
    named = [path for path in opened if is_table(path)]
    if named:
        return named
    beside = dict.fromkeys(image.parent for image in images)
    folders = dict.fromkeys(folder for own in beside for folder in (own, own.parent))
    return [path for folder in folders for path in sorted(folder.glob("*.csv")) if _looks_like_labels(path)]


def _looks_like_labels(path: Path) -> bool:
    """Whether the first line of a file names columns of images and labels."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            line = file.readline(10_000)
    except OSError:
        return False  # nobody asked for it
    header = [cell.strip().strip('"') for cell in line.split(max(",;\t", key=line.count))]
    return _find(header, IMAGE_COLUMNS) is not None and _label_column(header) is not None


def source_of(path: Path) -> DataSource:
    """How a table is read as labelled images: its columns are found by their names.

    Raises
    ------
    ManifestError
        When it cannot be read, or has no such columns.
    """
    from softcam_core.data.source import DataSource
    from softcam_core.data.tables import read_table

    table = read_table(path)
    columns = _columns(table)
    return DataSource(
        path=path,
        format="csv",
        image_column=columns.image,
        label_column=columns.label,
        split_column="split" if "split" in table.header else "",
        box_columns=columns.boxes,
    )


def _read(path: Path) -> tuple[Listing, bool]:
    """A table's rows, and whether these are of boxes rather than of images."""
    from softcam_core.data.tables import read_tables

    source = source_of(path)
    return read_tables(source), source.box_columns is not None


def _columns(table: Table) -> _Columns:
    image, label = _find(table.header, IMAGE_COLUMNS), _label_column(table.header)
    if image is None or label is None:
        table.require([image or "image", label or "label"], _ADVICE)
    assert image is not None
    assert label is not None
    boxes = next((names for names in BOX_COLUMNS if set(names) <= set(table.header)), None)
    return _Columns(image, label, boxes)


def _label_column(header: Sequence[str]) -> str | None:
    found = _find(header, LABEL_COLUMNS)
    # "nih_labels", "label_text" and the like
    return found or next((column for column in header if "label" in column.lower()), None)


def _find(header: Sequence[str], names: Sequence[str]) -> str | None:
    folded = {column.lower(): column for column in reversed(header)}
    return next((folded[name] for name in names if name in folded), None)
