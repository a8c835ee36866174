"""CSV manifests: which image has which label and belongs to which split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from softcam_core.data.samples import Box, Manifest, Sample, Split, Task
from softcam_core.data.source import DataSource, read_source
from softcam_core.errors import ManifestError

__all__ = ["Box", "Manifest", "Sample", "Split", "Task", "read_manifest"]


def read_manifest(
    path: Path | str,
    *,
    image_column: str = "image",
    label_column: str = "label",
    split_column: str = "split",
    root: Path | str | None = None,
    class_names: Sequence[str] | None = None,
) -> Manifest:
    """Read a CSV of labelled images that has splits, and check it as a whole.

    Short for `read_source`, which reads other kinds of data too and can draw the splits.

    Parameters
    ----------
    path : Path or str
        UTF-8, with a header; separated by commas, semicolons or tabs. Its columns `mask` and `boxes` are read where
        there are such.
    image_column, label_column, split_column : str
        Names of the columns.
    root : Path or str, optional
        Folder that the image paths start from; that of the CSV by default.
    class_names : sequence of str, optional
        Labels are these names, or their numbers from 0. By default the distinct labels, sorted (by value where
        they are numbers).

    Returns
    -------
    Manifest

    Raises
    ------
    ManifestError
        When the table cannot be read, a column is missing, or any row is wrong (see `read_source`). All rows
        concerned are listed with their numbers.
    """
    try:
        source = DataSource(
            path=Path(path),
            format="csv",
            image_column=image_column,
            label_column=label_column,
            split_column=split_column,
            root=None if root is None else Path(root),
            class_names=tuple(class_names or ()),
        )
    except ValidationError as error:
        reasons = "; ".join(problem["msg"].removeprefix("Value error, ") for problem in error.errors())
        raise ManifestError(path, reasons) from error
    return read_source(source, make_splits=False)
