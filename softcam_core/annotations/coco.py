"""Annotations as COCO JSON: what others read, and beside it all that makes them the same when they come back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from softcam_core.annotations.annotation import Annotation, CaseRecord, Line, Review
from softcam_core.annotations.coco_shapes import box_of, fingerprint_of, segmentation_of
from softcam_core.annotations.collection import Collection
from softcam_core.annotations.masks import area_within
from softcam_core.annotations.reading import MAX_SHOWN, what_is_wrong
from softcam_core.errors import AnnotationError
from softcam_core.files import read_text, write_whole
from softcam_core.imaging.checks import MAX_PIXELS
from softcam_core.notice import NOTICE
from softcam_core.version import __version__

VERSION = 1
"""Of what stands under the key "softcam"."""

Identifier = int | str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Foreign(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class FileFacts(_Strict):
    """Under "softcam" of a file.

    Attributes
    ----------
    version : int
    notice, software : str
    reviews : list of Review
    """

    version: Literal[1] = 1
    notice: str = NOTICE
    software: str = f"softcam {__version__}"
    reviews: list[Review] = []


class ImageFacts(_Strict):
    """Under "softcam" of an image: its case and frame, and on request what else is known of it."""

    case: Annotated[str, Field(min_length=1, max_length=200)]
    frame: Annotated[int, Field(ge=0)] = 0
    sop_instance_uid: str = ""
    path: str = ""


class AnnotationFacts(_Strict):
    """Under "softcam" of an annotation: the whole of it, and the fingerprint of the outline that others see."""

    annotation: Annotation
    outline: str


class CocoImage(_Foreign):
    """An image of a file; width and height may lack where the image itself can be asked."""

    id: Identifier
    file_name: str = ""
    width: Annotated[int, Field(ge=1, le=MAX_PIXELS)] | None = None
    height: Annotated[int, Field(ge=1, le=MAX_PIXELS)] | None = None
    softcam: ImageFacts | None = None


class CocoAnnotation(_Foreign):
    """An annotation of a file. Its place may be anything: what cannot be used is said for each."""

    id: Identifier | None = None
    image_id: Identifier
    category_id: Identifier
    segmentation: Any = None
    bbox: list[Any] = []
    score: Any = None
    softcam: AnnotationFacts | None = None


class CocoCategory(_Foreign):
    """A category: a class."""

    id: Identifier
    name: Line


class CocoFile(_Foreign):
    """A file of annotations."""

    images: list[CocoImage]
    annotations: list[CocoAnnotation] = []
    categories: list[CocoCategory] = []
    softcam: FileFacts | None = None


def write_coco(path: Path | str, collection: Collection, *, identifiers: bool = False) -> None:
    """Write annotations, reviews and cases as COCO JSON.

    An image of the file is one frame of a case, which its `file_name` names by the case's key; categories are classes.
    Rectangles and polygons are polygons, all else uncompressed runs of the pixels covered by half or more; `bbox` and
    `area` are of what lies within the image, and `score` is the reviewer's confidence where there is one. The objects
    "softcam" of file, images and annotations hold all of it again and exactly. A file that is there is replaced as a
    whole.

    Parameters
    ----------
    path : Path or str
        Ends in .json.
    collection : Collection
    identifiers : bool
        With SOP Instance UIDs, paths, and the names of image files as `file_name`.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    cases = {case.key: case for case in collection.cases}
    places = {(key, 0): None for key in cases} | {(each.case, each.frame): None for each in collection.annotations}
    used = {(each.case, each.frame) for each in collection.annotations}
    # A case of which only later frames were judged needs no entry for its first.
    later = {key for key, _ in used}
    images = {place: i for i, place in enumerate((p for p in sorted(places) if p in used or p[0] not in later), 1)}
    names = sorted({each.class_name for each in collection.annotations})
    categories = {name: i for i, name in enumerate(names, 1)}
    content = {
        "info": {"description": f"Annotations. {NOTICE}", "version": "1.0", "contributor": f"softcam {__version__}"},
        "licenses": [],
        "images": [_image(number, cases[key], frame, identifiers) for (key, frame), number in images.items()],
        "categories": [{"id": i, "name": name, "supercategory": ""} for name, i in categories.items()],
        "annotations": [
            _annotation(i, each, images[each.case, each.frame], categories[each.class_name], cases[each.case])
            for i, each in enumerate(collection.annotations, 1)
        ],
        "softcam": FileFacts(reviews=list(collection.reviews)).model_dump(mode="json"),
    }
    write_whole(Path(path), json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def image_name(key: str, frame: int) -> str:
    """Name of a frame of a case that tells nothing but its key; file names are made of it."""
    return f"{key}_frame{frame}" if frame else key


def parse_coco(path: Path) -> CocoFile:
    """Read a COCO file as it stands.

    Raises
    ------
    AnnotationError
        When it is not such a file, comes from a newer version, or refers to what is not in it.
    """
    try:
        content = json.loads(read_text(path, AnnotationError))
    except (ValueError, RecursionError) as error:
        raise AnnotationError(path, f"is not JSON: {error}", "Copy or export it again.") from error
    _check_version(path, content)
    try:
        file = CocoFile.model_validate(content)
    except ValidationError as error:
        problems = what_is_wrong(error)
        lines = "".join(f"\n  {place}: {message}" for place, message in problems[:MAX_SHOWN])
        more = f"\n  and {len(problems) - MAX_SHOWN} more" if len(problems) > MAX_SHOWN else ""
        advice = "\nIt needs the lists images (id, file_name), annotations (image_id, category_id) and categories."
        raise AnnotationError(path, f"is not in the form of COCO annotations:{lines}{more}", advice) from error
    _check_ids(path, "image", (image.id for image in file.images))
    _check_ids(path, "category", (category.id for category in file.categories))
    _check_ids(path, "annotation", (each.softcam.annotation.id for each in file.annotations if each.softcam))
    return file


def _image(number: int, case: CaseRecord, frame: int, identifiers: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {"case": case.key, "frame": frame}
    name = image_name(case.key, frame)
    if identifiers:
        facts |= {"sop_instance_uid": case.sop_instance_uid, "path": case.path}
        # Of another system perhaps; backslashes part names on one and are part of them on others.
        name = PureWindowsPath(case.path).name or name
    return {"id": number, "width": case.width, "height": case.height, "file_name": name, "softcam": facts}


def _annotation(number: int, annotation: Annotation, image: int, category: int, case: CaseRecord) -> dict[str, Any]:
    size = case.height, case.width
    segmentation = segmentation_of(annotation.shape, size)
    content: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "bbox": box_of(annotation.shape, size),
        "area": area_within(annotation.shape, size),
        "iscrowd": 0,
    }
    if annotation.confidence is not None:
        content["score"] = annotation.confidence
    facts = AnnotationFacts(annotation=annotation, outline=fingerprint_of(segmentation))
    return content | {"softcam": facts.model_dump(mode="json")}


def _check_version(path: Path, content: object) -> None:
    """Say that a file is too new before saying what of it is not understood."""
    facts = content.get("softcam") if isinstance(content, dict) else None
    version = facts.get("version") if isinstance(facts, dict) else None
    if isinstance(version, int) and version > VERSION:
        reason = f"was written by a newer version (its form is {version}, known is {VERSION})"
        raise AnnotationError(path, reason, "Update this program, or export it from the older one.")


def _check_ids(path: Path, what: str, ids: Iterable[Identifier]) -> None:
    twice = [str(each) for each, count in Counter(ids).items() if count > 1]
    if twice:
        reason = f"has the same id twice: {what} {', '.join(twice[:MAX_SHOWN])}"
        raise AnnotationError(path, reason, "Copy or export it again.")
