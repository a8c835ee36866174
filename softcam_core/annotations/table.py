"""Annotations as CSV: a row each."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from softcam_core.annotations.annotation import Annotation, CaseRecord
from softcam_core.annotations.collection import Collection
from softcam_core.annotations.masks import area_within
from softcam_core.annotations.reading import Problems, what_is_wrong
from softcam_core.annotations.shapes import SHAPES
from softcam_core.errors import AnnotationError
from softcam_core.files import read_text, write_whole
from softcam_core.notice import NOTICE

_CASE = ("height", "width", "sop_instance_uid", "path")
_IDENTIFIERS = ("sop_instance_uid", "path")
_NUMBERS_OR_NOTHING = ("confidence", "threshold")
_FIELDS = tuple(name for name in Annotation.model_fields if name != "shape")
# For people and spreadsheets; not read back.
_DERIVED = ("created_utc", "kind", "top", "left", "bottom", "right", "area_px", "notice")
COLUMNS = (*_FIELDS, *_CASE, *_DERIVED, "shape")
"""Of the table. Those of identifiers may be absent, and those that follow from others."""

_ADVICE = "Mend or export them again, or leave them out (--skip-bad)."


def write_table(path: Path | str, collection: Collection, *, identifiers: bool = False) -> None:
    """Write annotations as CSV, one row each, in UTF-8.

    Columns are the fields of `softcam_core.annotations.annotation.Annotation`, the size of the image, times in UTC, the
    bounds and area of the shape in pixels of the image, and the shape as JSON. Reviews of cases are not in it. A file
    that is there is replaced as a whole.

    Parameters
    ----------
    path : Path or str
        Ends in .csv.
    collection : Collection
    identifiers : bool
        With SOP Instance UIDs and paths.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    cases = {case.key: case for case in collection.cases}
    columns = [name for name in COLUMNS if identifiers or name not in _IDENTIFIERS]
    text = io.StringIO(newline="")
    # Lines end as in RFC 4180: only then are comments quoted in which a carriage return stands.
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_row(annotation, cases[annotation.case]) for annotation in collection.annotations)
    write_whole(Path(path), text.getvalue().encode())


def read_table(path: Path | str, *, skip_bad: bool = False) -> Collection:
    """Read annotations from a table that `write_table` wrote.

    Parameters
    ----------
    path : Path or str
    skip_bad : bool
        Leave out rows that cannot be used, and say so, instead of refusing the file.

    Raises
    ------
    AnnotationError
        When it is no such table, or has rows that cannot be used.
    """
    path = Path(path)
    problems = Problems(path)
    annotations: dict[str, Annotation] = {}
    cases: dict[str, CaseRecord] = {}
    for line, row in _rows(path):
        where = f"line {line}"
        try:
            annotation, case = _parsed(row)
        except ValidationError as error:
            for name, message in what_is_wrong(error):
                problems.add(where, f"{name}: {message}")
            continue
        except ValueError as error:
            problems.add(where, str(error))
            continue
        known = cases.setdefault(case.key, case)
        if annotation.id in annotations:
            problems.add(where, "its id is in the table twice")
        elif (known.height, known.width) != (case.height, case.width):
            problems.add(where, "its image has another size than in a row above")
        else:
            annotations[annotation.id] = annotation
    remarks = problems.settle(_ADVICE, skip=skip_bad)
    used = {each.case for each in annotations.values()}
    kept = tuple(case for case in cases.values() if case.key in used)
    return Collection(path, kept, tuple(annotations.values()), remarks=remarks)


def _row(annotation: Annotation, case: CaseRecord) -> dict[str, Any]:
    top, left, bottom, right = annotation.shape.bounds
    derived = {
        "created_utc": _utc(annotation.created),
        **{"kind": annotation.shape.kind, "top": top, "left": left, "bottom": bottom, "right": right},
        "area_px": f"{area_within(annotation.shape, (case.height, case.width)):.8g}",
        "notice": NOTICE,
        "shape": json.dumps(SHAPES.dump_python(annotation.shape, mode="json"), separators=(",", ":")),
    }
    return annotation.model_dump(exclude={"shape"}) | case.model_dump(include=set(_CASE)) | derived


def _utc(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):  # beyond the years that this system's calendar knows
        return ""


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows below the header with the numbers of their last lines."""
    with _long_fields():
        reader = csv.reader(io.StringIO(read_text(path, AnnotationError), newline=""), strict=True)
        try:
            header = next(reader, [])
            _check_header(path, header)
            for row in reader:
                if len(row) != len(header):
                    reason = f"line {reader.line_num} has {len(row)} fields where the header has {len(header)}"
                    raise AnnotationError(path, reason, "Save it as CSV with commas, or export it again.")
                yield reader.line_num, dict(zip(header, row, strict=True))
        except csv.Error as error:
            reason = f"is damaged in line {reader.line_num}: {error}"
            raise AnnotationError(path, reason, "Export it again.") from error


@contextmanager
def _long_fields() -> Iterator[None]:
    """With fields of any length: shapes of many corners are longer than the csv module takes by itself."""
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _check_header(path: Path, header: Iterable[str]) -> None:
    names = list(header)
    missing = [name for name in COLUMNS if name not in names and name not in {*_IDENTIFIERS, *_DERIVED}]
    unknown = [name for name in names if name not in COLUMNS]
    if missing or unknown or len(set(names)) < len(names):
        wrong = f"lacks the columns {', '.join(missing)}" if missing else "has unknown columns, or one twice"
        shown = f" ({', '.join(unknown[:5])})" if unknown and not missing else ""
        raise AnnotationError(
            path, f"is no table of annotations: it {wrong}{shown}", "Tables are those of `softcam annotations export`."
        )


def _parsed(row: dict[str, str]) -> tuple[Annotation, CaseRecord]:
    try:
        shape = json.loads(row["shape"])
    except (ValueError, RecursionError) as error:
        raise ValueError("its shape is not JSON") from error
    facts: dict[str, Any] = {name: row[name] for name in _FIELDS} | {"shape": shape}
    facts |= {name: None for name in _NUMBERS_OR_NOTHING if not row[name]}
    annotation = Annotation.model_validate(facts)
    size = {name: row[name] for name in _CASE if name in row}
    return annotation, CaseRecord.model_validate({"key": annotation.case, **size})
