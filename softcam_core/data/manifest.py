"""CSV manifests: which image has which label and belongs to which split."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from softcam_core.errors import ManifestError

Split = Literal["train", "val", "test"]

_SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
_WHOLE_NUMBER = re.compile(r"\d+(\.0+)?")
_MAX_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled image.

    Attributes
    ----------
    path : Path
    label : int
        Index of the class.
    split : {"train", "val", "test"}
    row : int
        Row of the table as a spreadsheet shows it; the header is row 1.
    extra : dict of str to str
        The other columns of the row.
    """

    path: Path
    label: int
    split: Split
    row: int
    extra: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A table of labelled images.

    Attributes
    ----------
    path : Path
        The CSV file.
    class_names : tuple of str
        One for each label, in order.
    samples : tuple of Sample
    """

    path: Path
    class_names: tuple[str, ...]
    samples: tuple[Sample, ...]

    def split(self, name: Split) -> tuple[Sample, ...]:
        """All samples of a split."""
        return tuple(s for s in self.samples if s.split == name)

    def counts(self, name: Split) -> dict[str, int]:
        """Count the samples of each class in a split, classes without samples included."""
        found = Counter(s.label for s in self.samples if s.split == name)
        return {class_name: found[label] for label, class_name in enumerate(self.class_names)}


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    image: str
    label: str
    split: str
    extra: dict[str, str]


def read_manifest(
    path: Path | str,
    *,
    image_column: str = "image",
    label_column: str = "label",
    split_column: str = "split",
    root: Path | str | None = None,
    class_names: Sequence[str] | None = None,
) -> Manifest:
    """Read a CSV of labelled images and check it as a whole.

    Parameters
    ----------
    path : Path or str
        UTF-8, with a header; separated by commas, semicolons or tabs.
    image_column, label_column, split_column : str
        Names of the columns.
    root : Path or str, optional
        Folder that the image paths start from; that of the CSV by default.
    class_names : sequence of str, optional
        Labels are these names, or their numbers from 0. By default the distinct labels, sorted (by value where all
        of them are numbers).

    Returns
    -------
    Manifest

    Raises
    ------
    ManifestError
        When the table cannot be read, a column is missing, or any row has an empty field, an unknown label or
        split, a missing image, or an image that another row puts in another split or class. All rows concerned are
        listed with their numbers.
    """
    path = Path(path)
    if class_names and (len(set(class_names)) < len(class_names) or not all(name.strip() for name in class_names)):
        raise ManifestError(path, f"the class names {', '.join(class_names)} must differ and not be empty")
    rows = _read_rows(path, (image_column, label_column, split_column))
    root = path.parent if root is None else Path(root)
    names = tuple(class_names) if class_names else _distinct(row.label for row in rows if row.label)
    problems: list[tuple[int, str]] = []
    samples: list[Sample] = []
    missing: list[str] = []
    first_of: dict[Path, Sample] = {}
    for row in rows:
        columns = {image_column: row.image, label_column: row.label, split_column: row.split}
        found = [f"column {column!r} is empty" for column, value in columns.items() if not value]
        image, label, split = root / row.image, _label(row.label, names), _SPLITS.get(row.split.lower())
        if row.label and label is None:
            found.append(f"unknown label {row.label!r}")
        if row.split and split is None:
            found.append(f"unknown split {row.split!r}")
        if row.image and not image.is_file():
            found.append(f"no such image file {row.image}")
            missing.append(row.image)
        if not found and label is not None and split is not None:
            sample = Sample(image, label, split, row.number, row.extra)
            first = first_of.setdefault(image, sample)
            if first.split != sample.split:
                found.append(f"{row.image} is in {sample.split} here and in {first.split} in row {first.row}")
            if first.label != sample.label:
                found.append(f"{row.image} is {names[label]} here and {names[first.label]} in row {first.row}")
            samples.append(sample)
        problems += [(row.number, text) for text in found]
    if problems:
        raise ManifestError(path, _list(problems), _advice(problems, names, root, missing))
    return Manifest(path, names, tuple(samples))


def _read_rows(path: Path, wanted: tuple[str, str, str]) -> list[_Row]:
    """All rows that are not blank, with the wanted columns found."""
    text = _read_text(path)
    header_line = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header_line.count)
    try:
        # Blank lines are rows too in a spreadsheet, so they are counted and then left out.
        table = [
            [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        ]
    except csv.Error as error:
        raise ManifestError(path, f"is not a CSV table ({error})", "Save it as CSV (UTF-8).") from error
    header = table[0] if table else []
    missing = [column for column in wanted if column not in header]
    if missing:
        columns = ", ".join(column for column in header if column)
        reason = f"has no column {' and no column '.join(repr(m) for m in missing)}; its columns are {columns}"
        raise ManifestError(path, reason, "Name the columns with --image-column, --label-column and --split-column.")
    twice = [column for column in wanted if header.count(column) > 1]
    if twice:
        raise ManifestError(path, f"has more than one column {twice[0]!r}", "Rename one of them.")
    places = [header.index(column) for column in wanted]
    rows = []
    for number, cells in enumerate(table[1:], start=2):
        if not any(cells):
            continue
        padded = cells + [""] * (len(header) - len(cells))
        extra = {name: cell for i, (name, cell) in enumerate(zip(header, padded, strict=False)) if i not in places}
        image, label, split = (padded[place] for place in places)
        rows.append(_Row(number, image, label, split, extra))
    if not rows:
        raise ManifestError(path, "has a header but no rows", "Add one row an image.")
    return rows


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise ManifestError(path, "is a folder", "Choose a CSV file.")
    try:
        # utf-8-sig also takes files without the byte order mark that spreadsheets write.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ManifestError(path, "there is no such file", "Check the path.") from error
    except OSError as error:
        raise ManifestError(path, f"cannot be read: {error.strerror}", "Check its permissions.") from error
    except UnicodeDecodeError as error:
        raise ManifestError(path, "is not a text file in UTF-8", "Save the table as CSV (UTF-8).") from error
    if "\0" in text:
        raise ManifestError(path, "is not a text file", "Save the table as CSV (UTF-8).")
    if not text.strip():
        raise ManifestError(path, "is empty", "It needs a header and one row an image.")
    return text


def _number(text: str) -> int | None:
    """Whole number that a label stands for; tables made with pandas write 1 as 1.0."""
    return int(text.split(".")[0]) if _WHOLE_NUMBER.fullmatch(text) else None


def _distinct(labels: object) -> tuple[str, ...]:
    distinct = {str(label) for label in labels}  # type: ignore[attr-defined]
    numbers = [_number(label) for label in distinct]
    if None in numbers:
        return tuple(sorted(distinct))
    return tuple(str(n) for n in sorted({n for n in numbers if n is not None}))


def _label(text: str, names: tuple[str, ...]) -> int | None:
    """Index of the class that a label names or numbers."""
    if text in names:
        return names.index(text)
    number = _number(text)
    if number is None:
        return None
    if str(number) in names:
        return names.index(str(number))
    # Where the names themselves are numbers ("1", "2"), another number is a slip and not an index.
    named_by_number = all(_number(name) is not None for name in names)
    return number if number < len(names) and not named_by_number else None


def _list(problems: Sequence[tuple[int, str]]) -> str:
    lines = [f"\n  row {row}: {text}" for row, text in problems[:_MAX_SHOWN]]
    if len(problems) > _MAX_SHOWN:
        lines.append(f"\n  and {len(problems) - _MAX_SHOWN} more")
    return f"{len(problems)} problem{'s' * (len(problems) > 1)} in the table:" + "".join(lines)


def _advice(problems: Sequence[tuple[int, str]], names: tuple[str, ...], root: Path, missing: Sequence[str]) -> str:
    advice = []
    if any("unknown label" in text for _, text in problems):
        advice.append(f"Labels are {', '.join(names)}, or their numbers from 0.")
    if any("unknown split" in text for _, text in problems):
        advice.append("Splits are train, val and test.")
    if missing:
        advice.append(f"Images are looked for in {root}.")
        if any((root / "images" / name).is_file() for name in missing[:_MAX_SHOWN]):
            advice.append(f"They are in {root / 'images'}: use --root {root / 'images'}.")
    return "\n" + " ".join(advice) if advice else ""
