"""The images a sweep may see: those for training and validation, in a table that has no others."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

from softcam_core.data.manifest import Manifest
from softcam_core.data.samples import Sample
from softcam_core.data.source import DataSource
from softcam_core.errors import ManifestError, SettingsError
from softcam_core.files import write_whole


def without_test(manifest: Manifest) -> Manifest:
    """Leave the test images out: what is chosen by looking at them cannot be judged by them afterwards."""
    return replace(manifest, samples=tuple(sample for sample in manifest.samples if sample.split != "test"))


def write_images(manifest: Manifest, path: Path, *, keep: bool) -> DataSource:
    """Write a manifest as a table, and describe how to read the same manifest from there.

    All trials read this table, so that they have the same splits, and patients' names stay where they are.

    Parameters
    ----------
    manifest : Manifest
    path : Path
    keep : bool
        Whether a table that is there must be this one.

    Raises
    ------
    SettingsError
        When the table that is there is another one, or the file cannot be written.
    ManifestError
        When the name of a file cannot be written as text.
    """
    columns = [f"class_{index}" for index in range(len(manifest.class_names))]
    several = manifest.task == "multi_label"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "split", "mask", "boxes", *(columns if several else ["label"])])
    for sample in manifest.samples:
        writer.writerow(_row(sample))
    try:
        content = text.getvalue().encode("utf-8")
    except UnicodeEncodeError as error:
        raise ManifestError(manifest.path, "has names of files that are not UTF-8", "Rename these files.") from error
    if not (keep and path.exists()):
        write_whole(path, content)
    elif path.read_bytes() != content:
        reason = f"the images of {manifest.path} are not those that this sweep began with"
        raise SettingsError(path, reason, "Choose a new folder for a sweep with these images.")
    return DataSource(
        path=path,
        format="csv",
        class_names=manifest.class_names,
        label_columns=tuple(columns) if several else (),
        # By number: names of classes may be anything, other numbers too.
        labels={} if several else {str(index): name for index, name in enumerate(manifest.class_names)},
    )


def _row(sample: Sample) -> list[str | int]:
    boxes = "; ".join(" ".join(repr(float(number)) for number in box) for box in sample.boxes)
    labels = [sample.label] if isinstance(sample.label, int) else list(sample.label)
    mask = "" if sample.mask is None else str(sample.mask.absolute())
    return [str(sample.path.absolute()), sample.split, mask, boxes, *labels]
