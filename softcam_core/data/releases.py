"""Data sets as they are published: Kaggle's diabetic retinopathy, RSNA's pneumonia."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from softcam_core.data.boxes import parse_box
from softcam_core.data.records import Listing, Record, merge_boxes
from softcam_core.data.samples import Box
from softcam_core.data.tables import read_table
from softcam_core.errors import ManifestError

if TYPE_CHECKING:
    from softcam_core.data.source import DataSource

AMBIGUOUS = "No Lung Opacity / Not Normal"
"""RSNA's class of images that are neither healthy nor pneumonia."""

_LEVELS = "trainLabels.csv"
_BOXES = "stage_2_train_labels.csv"
_CLASSES = "stage_2_detailed_class_info.csv"
_IMAGES = "stage_2_train_images"
_OPACITY = "Lung Opacity"
_BOX_COLUMNS = ("x", "y", "width", "height")


def release_in(folder: Path) -> Literal["kaggle_dr", "rsna"] | None:
    """Which release a folder holds, if any."""
    if (folder / _LEVELS).is_file():
        return "kaggle_dr"
    return "rsna" if (folder / _BOXES).is_file() else None


def kaggle_dr_source(source: DataSource) -> DataSource:
    """Describe Kaggle's diabetic retinopathy release as a table.

    ``trainLabels.csv`` (image, level) lists ``<image>.jpeg``, in the same folder or in ``train``; a patient's images
    are ``<patient>_left`` and ``_right``. Without `labels`, two classes are level 0 and levels 1 to 4 ("onset1" in the
    paper's code; for "onset2" level 1 belongs to the first class). With five class names they are the levels.
    """
    folder = source.path
    names, labels = source.class_names, source.labels
    if not labels and len(names) in (0, 2):
        names = names or ("No DR", "DR")
        labels = {"0": names[0]} | dict.fromkeys("1234", names[1])
    train = folder / "train"
    return source.model_copy(
        update={
            "path": folder / _LEVELS,
            "files": {},
            "root": source.root or (train if train.is_dir() else folder),
            "image_column": "image",
            "label_column": "level",
            "label_columns": (),
            "split_column": "",
            "mask_column": "",
            "boxes_column": "",
            "box_columns": None,
            "boxes_size": None,
            "image_suffix": source.image_suffix or ".jpeg",
            "patient_column": "",
            "patient_pattern": "^(.+)_(?:left|right)",
            "class_names": names,
            "labels": labels,
        }
    )


def rsna_source(source: DataSource) -> DataSource:
    """Leave out RSNA's ambiguous class as the paper does, unless the source has a class for it."""
    is_wanted = AMBIGUOUS in source.labels or AMBIGUOUS in source.class_names
    return source if source.exclude or is_wanted else source.model_copy(update={"exclude": (AMBIGUOUS,)})


def read_rsna(source: DataSource) -> Listing:
    """List the images of RSNA's pneumonia release.

    ``stage_2_train_labels.csv`` (patientId, x, y, width, height, Target) has one row a box;
    ``stage_2_detailed_class_info.csv`` (patientId, class) tells healthy from otherwise ill, which the first does not.
    Labels are the latter's classes. Images are ``stage_2_train_images/<patientId>.dcm``.

    Raises
    ------
    ManifestError
        When one of the tables is missing or not such a table.
    """
    folder = source.path
    labels = read_table(folder / _BOXES)
    if not (folder / _CLASSES).is_file():
        raise ManifestError(
            folder / _CLASSES,
            f"there is no such file, and {_BOXES} alone does not tell healthy patients from otherwise ill ones",
            "Unpack it from the release, beside the other table.",
        )
    advice = "Copy it from the release again."
    info = read_table(folder / _CLASSES)
    labels.require(("patientId", *_BOX_COLUMNS, "Target"), advice)
    info.require(("patientId", "class"), advice)
    classes: dict[str, set[str]] = {}
    for _, cells in info.rows:
        classes.setdefault(cells["patientId"], set()).add(cells["class"])
    records = [_rsna_record(row, cells, classes.get(cells["patientId"], set())) for row, cells in labels.rows]
    if not records:
        raise ManifestError(labels.path, "has a header but no rows", advice)
    images = folder / _IMAGES
    root = source.root or (images if images.is_dir() else folder)
    suffix = source.image_suffix or ".dcm"
    return Listing(
        labels.path,
        root,
        merge_boxes(replace(record, name=record.name and record.name + suffix) for record in records),
        has_splits=False,
        class_names=("Normal", AMBIGUOUS, _OPACITY),
    )


def _rsna_record(row: int, cells: dict[str, str], classes: set[str]) -> Record:
    patient, target = cells["patientId"], cells["Target"]
    problems = []
    label = next(iter(classes)) if len(classes) == 1 else ""
    boxes: tuple[Box, ...] = ()
    numbers = [cells[column] for column in _BOX_COLUMNS]
    if not patient:
        problems.append("column 'patientId' is empty")
    elif len(classes) != 1:
        problems.append(f"{patient} has {len(classes)} classes in {_CLASSES}, not one")
    elif (label == _OPACITY) != (target == "1"):
        problems.append(f"Target is {target!r}, but {_CLASSES} says {label}")
    elif target == "1":
        try:
            boxes = (parse_box(numbers),)
        except ValueError:
            problems.append(f"{' '.join(numbers)!r} is not a box: x, y, width and height in pixels")
    return Record(f"row {row}", row, patient, label, patient=patient, boxes=boxes, problems=tuple(problems))
