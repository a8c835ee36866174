"""COCO-style annotations: a JSON of images, categories, and what was found where."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from softcam_core.data.checks import MAX_SHOWN, counted, listed
from softcam_core.data.records import Listing, Record, find_patient
from softcam_core.data.samples import Box
from softcam_core.errors import ManifestError
from softcam_core.files import read_text

if TYPE_CHECKING:
    from softcam_core.data.source import DataSource

Identifier = int | str


class _Image(BaseModel):
    # The keys of split and patient are the user's choice.
    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    id: Identifier
    file_name: str = Field(min_length=1)

    def key(self, name: str) -> str:
        """Value of a key as text; empty where it is missing."""
        value = (self.model_extra or {}).get(name)
        return "" if value is None else str(value).strip()


class _Annotation(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    image_id: Identifier
    category_id: Identifier
    bbox: list[float] = []
    segmentation: Any = None


class _Category(BaseModel):
    id: Identifier
    name: str = Field(min_length=1)


class _Coco(BaseModel):
    images: list[_Image] = Field(min_length=1)
    annotations: list[_Annotation] = []
    categories: list[_Category] = Field(min_length=1)


def read_coco(source: DataSource) -> Listing:
    """List the images of a COCO JSON.

    Each image has one label where none has more than one category and `negative_class` covers those without;
    otherwise any number. Boxes are `bbox`, or drawn around the polygons of `segmentation`; run-length masks give none.
    An image may have the keys `split` and `patient_column`.

    Raises
    ------
    ManifestError
        When it is not such a file, or refers to images or categories that are not in it.
    """
    coco = _parse(source)
    _check_references(source, coco)
    names = {category.id: category.name for category in coco.categories}
    found: defaultdict[Identifier, list[_Annotation]] = defaultdict(list)
    for annotation in coco.annotations:
        found[annotation.image_id].append(annotation)
    written = {image.id: {names[a.category_id] for a in found[image.id]} for image in coco.images}
    kept = [image for image in coco.images if not written[image.id] & set(source.exclude)]
    if not kept:
        raise ManifestError(source.path, "has no image that is not excluded", "Exclude fewer categories.")
    labels = {image.id: {source.labels.get(name, name) for name in written[image.id]} for image in kept}
    present = tuple(name for name in names.values() if name not in source.exclude)
    is_single = all(len(label) == 1 or (not label and source.negative_class) for label in labels.values())
    if is_single:  # labels are resolved later, as those of other sources
        class_names = tuple(dict.fromkeys(name for name in (source.negative_class, *present) if name))
    else:
        class_names = source.class_names or tuple(dict.fromkeys(source.labels.get(name, name) for name in present))
    has_splits = bool(source.split_column) and any(image.key(source.split_column) for image in kept)
    records = []
    for row, image in enumerate(kept, start=1):
        boxes, problems = _boxes(found[image.id])
        patient = image.key(source.patient_column)
        if not source.patient_column:
            patient, unfound = find_patient(image.file_name, source.patient_pattern)
            problems += unfound
        elif not patient:
            problems.append(f"{source.patient_column!r} is missing")
        split = image.key(source.split_column)
        if has_splits and not split:
            problems.append(f"{source.split_column!r} is missing")
        label: str | tuple[int, ...]
        if is_single:
            label = min(written[image.id], default=source.negative_class)
        else:
            label = tuple(int(name in labels[image.id]) for name in class_names)
            unknown = sorted(labels[image.id] - {*class_names, source.negative_class})
            problems += [f"unknown label {name!r}" for name in unknown]
        place = f"image {image.id}"
        name = image.file_name
        records.append(Record(place, row, name, label, split, patient, boxes, problems=tuple(problems)))
    notes = []
    if len(kept) < len(coco.images):
        left_out = counted(len(coco.images) - len(kept), "image")
        notes.append(f"Left out: {left_out} with {', '.join(source.exclude)}.")
    if source.negative_class and not is_single:
        notes.append(f"Some images have several categories, so {source.negative_class} is no class but their absence.")
    return Listing(
        source.path,
        source.root or source.path.parent,
        tuple(records),
        has_splits,
        class_names=class_names,
        task="single_label" if is_single else "multi_label",
        notes=tuple(notes),
    )


def _parse(source: DataSource) -> _Coco:
    path = source.path
    text = read_text(path, ManifestError)
    try:
        return _Coco.model_validate_json(text)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        if problems[0]["type"] == "json_invalid":
            reason = problems[0]["msg"].removeprefix("Invalid JSON: ")
            raise ManifestError(path, f"is not JSON: {reason}", "Copy or export it again.") from error
        lines = [f"\n  {'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems[:MAX_SHOWN]]
        if len(problems) > MAX_SHOWN:
            lines.append(f"\n  and {len(problems) - MAX_SHOWN} more")
        reason = "is not in the form of COCO annotations:" + "".join(lines)
        advice = "\nIt needs the lists images (id, file_name), annotations (image_id, category_id) and categories."
        raise ManifestError(path, reason, advice) from error


def _check_references(source: DataSource, coco: _Coco) -> None:
    problems: list[tuple[str, str]] = []
    for what, parts in (("image", coco.images), ("category", coco.categories)):
        counts = Counter(part.id for part in parts)
        problems += [(f"{what} {i}", "the id is used twice") for i, count in counts.items() if count > 1]
    names = Counter(category.name for category in coco.categories)
    problems += [(f"category {name}", "the name is used twice") for name, count in names.items() if count > 1]
    images, categories = {image.id for image in coco.images}, {category.id for category in coco.categories}
    for number, annotation in enumerate(coco.annotations, start=1):
        if annotation.image_id not in images:
            problems.append((f"annotation {number}", f"there is no image {annotation.image_id}"))
        if annotation.category_id not in categories:
            problems.append((f"annotation {number}", f"there is no category {annotation.category_id}"))
    if problems:
        raise ManifestError(source.path, listed(problems), "\nCopy or export it again.")


def _boxes(annotations: list[_Annotation]) -> tuple[tuple[Box, ...], list[str]]:
    """Boxes of an image, and what is wrong with them."""
    boxes: list[Box] = []
    problems: list[str] = []
    for annotation in annotations:
        if annotation.bbox:
            if len(annotation.bbox) == 4:
                x, y, width, height = annotation.bbox
                boxes.append((x, y, width, height))
            else:
                problems.append(f"the bbox {annotation.bbox} is not x, y, width and height")
        elif isinstance(annotation.segmentation, list) and annotation.segmentation:
            box = _around(annotation.segmentation)
            if box is None:
                problems.append("a segmentation is not a list of polygons")
            else:
                boxes.append(box)
    return tuple(dict.fromkeys(boxes)), problems


def _around(polygons: list[Any]) -> Box | None:
    """Smallest box around polygons, each x, y, x, y, ...; None where they are no such."""
    xs: list[float] = []
    ys: list[float] = []
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            return None
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in polygon):
            return None
        xs += polygon[::2]
        ys += polygon[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
