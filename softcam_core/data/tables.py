"""CSV tables of images, as spreadsheets and pandas write them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from softcam_core.data.boxes import parse_box, parse_boxes
from softcam_core.data.labelling import whole_number
from softcam_core.data.records import Listing, Record, find_patient, merge_boxes
from softcam_core.data.samples import SPLIT_NAMES, Box
from softcam_core.errors import ManifestError
from softcam_core.files import read_text

if TYPE_CHECKING:
    from softcam_core.data.source import DataSource

_NAME_COLUMNS = "Name the columns with --image-column, --label-column and --split-column."


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a CSV.

    Attributes
    ----------
    path : Path
    header : tuple of str
    rows : tuple of (int, dict of str to str)
        Number of the row as a spreadsheet shows it, and its cells by column. Blank rows are left out.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, str]], ...]

    def require(self, columns: Sequence[str], advice: str = _NAME_COLUMNS) -> None:
        """Raise ManifestError unless each column is there, once."""
        missing = [column for column in dict.fromkeys(columns) if column not in self.header]
        if missing:
            there = ", ".join(column for column in self.header if column)
            reason = f"has no column {' and no column '.join(repr(m) for m in missing)}; its columns are {there}"
            raise ManifestError(self.path, reason, advice)
        twice = [column for column in columns if self.header.count(column) > 1]
        if twice:
            raise ManifestError(self.path, f"has more than one column {twice[0]!r}", "Rename one of them.")


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which columns a table is read by; empty where there is none."""

    split: str
    mask: str
    boxes: str
    patient: str


def read_table(path: Path) -> Table:
    """Read a CSV.

    Parameters
    ----------
    path : Path
        UTF-8, with a header; separated by commas, semicolons or tabs.

    Raises
    ------
    ManifestError
        When it cannot be read, is not a table, or has no rows.
    """
    text = _read_text(path)
    header_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header_line.count)
    try:
        # Blank lines are rows too in a spreadsheet, so they are counted and then left out.
        lines = [
            [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        ]
    except csv.Error as error:
        raise ManifestError(path, f"is not a CSV table ({error})", "Save it as CSV (UTF-8).") from error
    header = lines[0] if lines else []
    rows = tuple(
        (number, dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=False)))
        for number, cells in enumerate(lines[1:], start=2)
        if any(cells)
    )
    return Table(path, tuple(header), rows)


def read_tables(source: DataSource) -> Listing:
    """List the images of one CSV, or of one for each split.

    Raises
    ------
    ManifestError
        When a table cannot be read, or lacks a column.
    """
    records: list[Record] = []
    has_splits = bool(source.files)
    if source.files:
        if source.path.is_file():
            reason = f"is a file, but {', '.join(map(str, source.files.values()))} are looked for in a folder"
            raise ManifestError(source.path, reason, "Give their folder as path, or set files to {}.")
        default_root = source.path
        for split, name in source.files.items():
            table = read_table(source.path / name)
            columns = _columns(table, source, has_split_column=False)
            records += [
                _record(source, columns, number, cells, split, f"{name} row {number}") for number, cells in table.rows
            ]
    else:
        default_root = source.path.parent
        table = read_table(source.path)
        columns = _columns(table, source, has_split_column=True)
        has_splits = bool(columns.split)
        records = [_record(source, columns, number, cells, None, f"row {number}") for number, cells in table.rows]
    return Listing(
        source.path,
        source.root or default_root,
        merge_boxes(records) if source.box_columns else tuple(records),
        has_splits,
        class_names=source.label_columns,
        task="multi_label" if source.label_columns else "single_label",
        boxes_size=source.boxes_size,
    )


def _columns(table: Table, source: DataSource, *, has_split_column: bool) -> _Columns:
    """Check that the columns are there, and find out which of the optional ones are."""
    wanted = {"split": source.split_column, "mask": source.mask_column, "boxes": source.boxes_column}
    if not has_split_column:
        wanted["split"] = ""
    if source.box_columns:
        wanted["boxes"] = ""
    there = {key: "" if name == key and name not in table.header else name for key, name in wanted.items()}
    needed = [source.image_column, *(source.label_columns or (source.label_column,))]
    needed += [name for name in there.values() if name]
    needed += [name for name in (source.patient_column, *(source.box_columns or ())) if name]
    if wanted["split"] and not there["split"] and _split_like(table):
        needed.append("split")
    table.require(needed)
    if not table.rows:
        raise ManifestError(table.path, "has a header but no rows", "Add one row an image.")
    return _Columns(there["split"], there["mask"], there["boxes"], source.patient_column)


def _split_like(table: Table) -> bool:
    """Whether some column holds names of splits: then drawing others would mix up training and test images."""
    return any(
        table.rows and all(cells[column].lower() in SPLIT_NAMES for _, cells in table.rows)
        for column in table.header
        if column
    )


def _record(
    source: DataSource, columns: _Columns, number: int, cells: dict[str, str], split: str | None, place: str
) -> Record:
    name, label_columns = cells[source.image_column], source.label_columns or (source.label_column,)
    filled = [source.image_column, *label_columns, columns.split, columns.patient]
    problems = [f"column {column!r} is empty" for column in filled if column and not cells[column]]
    label: str | tuple[int, ...] = cells[source.label_column] if not source.label_columns else ()
    if source.label_columns:
        label, found = _labels(source.label_columns, cells)
        problems += found
    if name:
        name = _with_suffix(name, source)
    if columns.patient:
        patient = cells[columns.patient]
    else:
        patient, unfound = find_patient(name, source.patient_pattern)
        problems += unfound
    boxes, found = _boxes(source, columns, cells)
    used = {source.image_column, *label_columns, columns.split}
    return Record(
        place,
        number,
        name,
        label,
        split if split is not None else cells[columns.split] if columns.split else "",
        patient,
        boxes,
        cells[columns.mask] if columns.mask and not _is_nothing(cells[columns.mask]) else "",
        {column: cell for column, cell in cells.items() if column not in used},
        (*problems, *found),
    )


def _labels(columns: Sequence[str], cells: dict[str, str]) -> tuple[tuple[int, ...], list[str]]:
    """0 or 1 for each class, and what is neither."""
    numbers = [whole_number(cells[column]) for column in columns]
    found = [
        f"column {column!r} is {cells[column]!r}, not 0 or 1"
        for column, number in zip(columns, numbers, strict=True)
        if cells[column] and number not in (0, 1)
    ]
    return tuple(number or 0 for number in numbers), found


def _with_suffix(name: str, source: DataSource) -> str:
    suffix = PurePosixPath(name).suffix
    if suffix[1:].isdigit():  # of a unique identifier, which has dots
        suffix = ""
    if not source.image_suffix or (suffix and not source.replace_suffix):
        return name
    return name.removesuffix(suffix) + source.image_suffix


def _boxes(source: DataSource, columns: _Columns, cells: dict[str, str]) -> tuple[tuple[Box, ...], list[str]]:
    """Boxes of a row, and what is wrong with them."""
    try:
        if source.box_columns:
            numbers = [cells[column] for column in source.box_columns]
            return ((), []) if all(map(_is_nothing, numbers)) else ((parse_box(numbers),), [])
        text = cells[columns.boxes] if columns.boxes else ""
        return () if _is_nothing(text) else parse_boxes(text), []
    except ValueError:
        written = " ".join(numbers) if source.box_columns else text
        return (), [f"{written!r} is not a box: x, y, width and height in pixels"]


def _is_nothing(cell: str) -> bool:
    """Whether a cell is empty, or what pandas writes for an empty one."""
    try:
        return not cell or math.isnan(float(cell))
    except ValueError:
        return False


def _read_text(path: Path) -> str:
    # Lines end as the program that wrote them had it.
    text = read_text(path, ManifestError).replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise ManifestError(path, "is not a text file", "Save the table as CSV (UTF-8).")
    if not text.strip():
        raise ManifestError(path, "is empty", "It needs a header and one row an image.")
    return text
