"""Images as their source describes them, before anything is checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from softcam_core.data.samples import Box, Task


@dataclass(frozen=True, slots=True)
class Record:
    """One image as written.

    Attributes
    ----------
    place : str
        Where it is described, for messages: "row 3", "val.csv row 3", "image 17".
    row : int
        See `Sample`.
    name : str
        The image, relative to the listing's root; empty where that is missing.
    label : str or tuple of int
        As written; for several labels 0 or 1 for each class.
    split : str
        As written; empty where the source has no splits.
    patient : str
    boxes : tuple of Box
        As written.
    mask : str
        Relative to the listing's root; empty for none.
    extra : dict of str to str
    problems : tuple of str
        What was found wrong while reading.
    """

    place: str
    row: int
    name: str
    label: str | tuple[int, ...]
    split: str = ""
    patient: str = ""
    boxes: tuple[Box, ...] = ()
    mask: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """All images of a source.

    Attributes
    ----------
    path : Path
        The file or folder that was read.
    root : Path
        Folder that image names start from.
    records : tuple of Record
    has_splits : bool
    class_names : tuple of str
        What the source names as its labels, in order; empty where only the labels themselves tell.
    task : {"single_label", "multi_label"}
    boxes_size : int or None
        Side of the square image that boxes are measured on; None for the image itself.
    redraws_small_val : bool
        A validation split too small to judge by is put back and drawn again.
    notes : tuple of str
        See `Manifest`.
    """

    path: Path
    root: Path
    records: tuple[Record, ...]
    has_splits: bool
    class_names: tuple[str, ...] = ()
    task: Task = "single_label"
    boxes_size: int | None = None
    redraws_small_val: bool = False
    notes: tuple[str, ...] = ()


def find_patient(name: str, pattern: str) -> tuple[str, tuple[str, ...]]:
    """Patient in a file's name (or nothing, without a pattern), and what is wrong."""
    if not pattern or not name:
        return "", ()
    found = re.search(pattern, Path(name).name)
    patient = (found.group(1) or "").strip() if found else ""
    return patient, () if patient else (f"the pattern {pattern} finds no patient in {Path(name).name}",)


def merge_boxes(records: Iterable[Record]) -> tuple[Record, ...]:
    """Make one record of rows that differ in their box alone; the first row gives place and extra columns.

    Rows without a box, or with one that the image has already, stay apart: those are listed twice by mistake.
    """
    merged: dict[tuple[object, ...], Record] = {}
    for number, record in enumerate(records):
        key: tuple[object, ...] = (record.name, record.label, record.split, record.patient, record.mask)
        first = merged.get(key)
        is_another_box = first is not None and first.boxes and record.boxes and record.boxes[0] not in first.boxes
        if first is not None and is_another_box and not record.problems:
            merged[key] = replace(first, boxes=first.boxes + record.boxes)
        else:
            merged[key if first is None else (number, *key)] = record
    return tuple(merged.values())
