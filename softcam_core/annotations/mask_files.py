"""Annotations as PNG masks, with a table of them."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import ValidationError

from softcam_core.annotations.annotation import Annotation, CaseRecord, Verdict
from softcam_core.annotations.coco import image_name
from softcam_core.annotations.collection import Collection, lasting_id
from softcam_core.annotations.masks import Mask, mask_of
from softcam_core.annotations.reading import Problems, counted, what_is_wrong
from softcam_core.annotations.shapes import Bitmap
from softcam_core.errors import AnnotationError, ImageReadError, SettingsError
from softcam_core.files import read_text, write_whole
from softcam_core.imaging.readers import read_image
from softcam_core.notice import NOTICE

MANIFEST = "masks.csv"
"""The table of a folder of masks."""

COLUMNS = (
    *("file", "case", "frame", "height", "width", "verdict", "class_name", "reviewers", "annotations", "pixels"),
    "notice",
)
_ADVICE = "Mend or export them again, or leave them out (--skip-bad)."
_SEPARATOR = "; "


def write_masks(folder: Path | str, collection: Collection) -> tuple[str, ...]:
    """Write a mask for each frame of a case, verdict and class: all its annotations together, as 8-bit PNG.

    Masks have the image's size; 255 is a pixel that an annotation covers by half or more, 0 any other, so soft edges
    are cut there and what is smaller than half a pixel is lost. Names are made of the keys of cases, verdicts and
    classes; `masks.csv` tells what is in which. Who said what, comments and single outlines are not kept: COCO keeps
    them. Files that are there are replaced.

    Parameters
    ----------
    folder : Path or str
        Made where it is not there.
    collection : Collection

    Returns
    -------
    tuple of str
        What was left out, sentences.

    Raises
    ------
    SettingsError
        When a file cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(folder, f"cannot be made: {error.strerror}", "Choose another folder.") from error
    cases = {case.key: case for case in collection.cases}
    groups: defaultdict[tuple[str, int, Verdict, str], list[Annotation]] = defaultdict(list)
    for each in collection.annotations:
        groups[each.case, each.frame, each.verdict, each.class_name].append(each)
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    names: set[str] = set()
    empty = 0
    for (key, frame, verdict, class_name), group in sorted(groups.items()):
        size = cases[key].height, cases[key].width
        mask = np.zeros(size, dtype=bool)
        for each in group:
            mask |= mask_of(each.shape, size)
        if not mask.any():
            empty += len(group)
            continue
        name = _file_name(f"{image_name(key, frame)}_{verdict}_{class_name}", names)
        write_whole(folder / name, _png(mask))
        reviewers = _SEPARATOR.join(sorted({each.reviewer for each in group} - {""}))
        count = int(np.count_nonzero(mask))
        writer.writerow([name, key, frame, *size, verdict, class_name, reviewers, len(group), count, NOTICE])
    write_whole(folder / MANIFEST, table.getvalue().encode())
    return (f"Left out: {counted(empty, 'annotation')} covering no pixel by half or more.",) if empty else ()


def read_masks(folder: Path | str, *, reviewer: str = "", skip_bad: bool = False) -> Collection:
    """Read a folder that `write_masks` wrote, or one like it: each mask becomes one annotation.

    Pixels above 0 are in it. Reading a folder twice gives the same annotations.

    Parameters
    ----------
    folder : Path or str
    reviewer : str
        Whose they are; empty for those whom the table names.
    skip_bad : bool
        Leave out masks that cannot be used, and say so, instead of refusing the folder.

    Raises
    ------
    AnnotationError
        When there is no such table, or there are masks that cannot be used: gone, no pictures, of another size, empty.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    problems = Problems(path)
    cases: dict[str, CaseRecord] = {}
    annotations: dict[str, Annotation] = {}
    for line, row in _rows(path):
        where = f"line {line}"
        try:
            case = CaseRecord.model_validate({"key": row["case"], "height": row["height"], "width": row["width"]})
            known = cases.setdefault(case.key, case)
            if known != case:
                raise ValueError("its image has another size than in a row above")
            annotation = _annotation(folder, row, case, reviewer or row["reviewers"])
        except ValidationError as error:
            for name, message in what_is_wrong(error):
                problems.add(where, f"{name}: {message}")
        except ImageReadError as error:
            problems.add(where, f"{row['file']}: {error.reason}")
        except ValueError as error:
            problems.add(where, str(error))
        else:
            annotations[annotation.id] = annotation
    remarks = problems.settle(_ADVICE, skip=skip_bad)
    used = {each.case for each in annotations.values()}
    return Collection(
        path,
        tuple(case for case in cases.values() if case.key in used),
        tuple(annotations.values()),
        remarks=remarks,
        undated=frozenset(annotations),
    )


def _annotation(folder: Path, row: dict[str, str], case: CaseRecord, reviewer: str) -> Annotation:
    name = row["file"]
    if not name or Path(name).name != name:
        raise ValueError("its file is not one beside the table")
    path = folder / name
    pixels = read_image(path).pixels
    mask = pixels.reshape(*pixels.shape[:2], -1).any(axis=2)
    if mask.shape != (case.height, case.width):
        raise ValueError(f"{name} has {mask.shape[1]} x {mask.shape[0]} pixels, and not {case.width} x {case.height}")
    shape = Bitmap.of(mask, (0.0, 0.0, float(case.height), float(case.width)))
    if shape is None:
        raise ValueError(f"{name} has no area")
    facts = {field: row[field] for field in ("case", "frame", "verdict", "class_name")} | {"reviewer": reviewer}
    number, when = lasting_id(*facts.values(), shape.model_dump()), path.stat().st_mtime
    return Annotation.model_validate({**facts, "shape": shape, "id": number, "created": when, "modified": when})


def _rows(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    """Rows below the header with the numbers of their last lines."""
    reader = csv.DictReader(io.StringIO(read_text(path, AnnotationError), newline=""), strict=True, restval="")
    needed = set(COLUMNS) - {"annotations", "pixels", "notice", "reviewers"}
    try:
        if missing := sorted(needed - set(reader.fieldnames or ())):
            reason = f"is no table of masks: it lacks the columns {', '.join(missing)}"
            raise AnnotationError(path, reason, "Tables are those of `softcam annotations export --format png`.")
        for row in reader:
            yield reader.line_num, {name: row.get(name) or "" for name in COLUMNS}
    except csv.Error as error:
        raise AnnotationError(path, f"is damaged in line {reader.line_num}: {error}", "Export it again.") from error


def _png(mask: Mask) -> bytes:
    notice = PngInfo()
    notice.add_text("Comment", NOTICE)
    buffer = io.BytesIO()
    Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))).save(buffer, "PNG", pnginfo=notice)
    return buffer.getvalue()


def _file_name(text: str, taken: set[str]) -> str:
    """A name that every file system takes, and no other file has, whatever the case of its letters."""
    stem = re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")[:150]
    name, number = f"{stem}.png", 1
    while name.lower() in taken:
        number += 1
        name = f"{stem}_{number}.png"
    taken.add(name.lower())
    return name
