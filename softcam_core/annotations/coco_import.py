"""COCO JSON -> annotations: our own files as they were, others with what they do not say given."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from softcam_core.annotations.annotation import Annotation, CaseRecord, Verdict
from softcam_core.annotations.coco import AnnotationFacts, CocoAnnotation, CocoFile, CocoImage, Identifier, parse_coco
from softcam_core.annotations.coco_shapes import UnusableShapeError, fingerprint_of, shape_of
from softcam_core.annotations.collection import Collection, lasting_id
from softcam_core.annotations.image_files import ImageFiles, record_of
from softcam_core.annotations.reading import MAX_SHOWN, Problems, counted
from softcam_core.errors import AnnotationError, ImageReadError
from softcam_core.imaging.checks import MAX_PIXELS

# As `softcam_core.annotations.coco.image_name` writes it; other tools keep names and drop what they do not know.
_OWN_NAME = re.compile(r"((?:dicom|file)-[0-9a-f]{40})(?:_frame(\d{1,9}))?")
_ADVICE = "Mend or export them again, or leave them out (--skip-bad)."


@dataclass(frozen=True, slots=True)
class Given:
    """What is said of annotations whose file does not say it.

    Attributes
    ----------
    images : ImageFiles or None
        Where the images lie that a file names.
    verdict : {"wrong", "correct", "missed", "unsure"}
    reviewer : str
    class_names : tuple of str
        Classes that there are; empty for any.
    skip_bad : bool
        Leave out annotations that cannot be used, and say so, instead of refusing the file.
    """

    images: ImageFiles | None = None
    verdict: Verdict = "missed"
    reviewer: str = ""
    class_names: tuple[str, ...] = ()
    skip_bad: bool = False


def read_coco(path: Path | str, given: Given | None = None) -> Collection:
    """Read annotations from a COCO JSON.

    What carries our own facts comes back as it was, but for outlines and categories that another tool has changed
    since: those count, and the annotation is of now. Of others, an image is known by a `file_name` that is the key of a
    case, or found in the folder of images; `score` from 0 to 1 is the confidence. Polygons that reach beyond the image
    are kept as they are.

    Raises
    ------
    AnnotationError
        When it is no such file, does not say which images it is about, or has annotations that cannot be used: of
        images that are gone or of another size, of unknown categories, without area, outside the image.
    ImageReadError
        When the folder of images cannot be read.
    """
    return _Reader(Path(path), given or Given()).read()


@dataclass(slots=True)
class _Reader:
    path: Path
    given: Given
    problems: Problems = field(init=False)
    cases: dict[str, CaseRecord] = field(default_factory=dict)
    crossing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.problems = Problems(self.path)

    def read(self) -> Collection:
        file = parse_coco(self.path)
        used = {each.image_id for each in file.annotations}
        wanted = [image for image in file.images if image.id in used or image.softcam]
        categories: dict[Identifier, str] = {category.id: category.name for category in file.categories}
        self._check_categories(categories, file)
        self._check_images(wanted)
        places = {image.id: self._place(image) for image in wanted}
        when = self.path.stat().st_mtime
        annotations: dict[str, Annotation] = {}
        undated = set()
        twice = 0
        for number, each in enumerate(file.annotations, 1):
            where = f"annotation {number if each.id is None else each.id}"
            place = places.get(each.image_id, f"there is no image {each.image_id}")
            if isinstance(place, str):
                self.problems.add(where, place)
                continue
            annotation = self._annotation(each, where, place, categories[each.category_id], when)
            if annotation is None:
                continue
            twice += annotation.id in annotations
            annotations[annotation.id] = annotation
            if each.softcam is None:
                undated.add(annotation.id)
        reviews = file.softcam.reviews if file.softcam else []
        for review in reviews:
            if review.case not in self.cases:
                self.problems.add("a review", "its case is not among the images")
        remarks = list(self.problems.settle(_ADVICE, skip=self.given.skip_bad))
        if twice:
            remarks.append(f"Left out: {counted(twice, 'annotation')} that the file has twice.")
        if self.crossing:
            remarks.append(
                f"{counted(len(self.crossing), 'polygon')} crossing itself ({_few(self.crossing)}): places that the "
                "outline goes around an even number of times are outside."
            )
        if self.changed:
            remarks.append(f"Changed by another tool, and taken as changed: {_few(self.changed)}.")
        return Collection(
            self.path,
            tuple(self.cases.values()),
            tuple(annotations.values()),
            tuple(review for review in reviews if review.case in self.cases),
            tuple(remarks),
            frozenset(undated),
        )

    def _check_images(self, images: list[CocoImage]) -> None:
        nameless = [i for i in images if not i.softcam and not _OWN_NAME.fullmatch(i.file_name)]
        if nameless and self.given.images is None:
            reason = f"names {counted(len(nameless), 'image')} without saying what they show"
            raise AnnotationError(self.path, reason, "Give the folder that holds the images (--images).")

    def _check_categories(self, categories: dict[Identifier, str], file: CocoFile) -> None:
        used = {each.category_id for each in file.annotations}
        if absent := sorted(str(each) for each in used - set(categories)):
            reason = f"has annotations of categories that are not in it: {_few(absent)}"
            raise AnnotationError(self.path, reason, "Copy or export it again.")

    def _place(self, image: CocoImage) -> tuple[CaseRecord, int] | str:
        """Case and frame of an image, or why there is none."""
        frame = 0
        own = _OWN_NAME.fullmatch(image.file_name)
        if image.softcam or own:
            if image.height is None or image.width is None or image.height * image.width > MAX_PIXELS:
                return f"its image {image.id} has no height and width that an image can have"
            key, uid, path = own[1] if own else "", "", ""
            frame = int(own[2] or 0) if own else 0
            if facts := image.softcam:
                key, frame, uid, path = facts.case, facts.frame, facts.sop_instance_uid, facts.path
            case = CaseRecord(key=key, height=image.height, width=image.width, sop_instance_uid=uid, path=path)
        else:
            found = self._find(image)
            if isinstance(found, str):
                return found
            case = found
        known = self.cases.setdefault(case.key, case)
        if (known.height, known.width) != (case.height, case.width):
            return f"its image {image.id} has another size than the same one elsewhere in the file"
        return known, frame

    def _find(self, image: CocoImage) -> CaseRecord | str:
        """The case of an image that is named by its file, or why there is none."""
        if self.given.images is None:
            raise ValueError("there is no folder to look in")
        paths = self.given.images.named(image.file_name)
        if len(paths) != 1:
            folder = self.given.images.folder
            return f"{'several images are' if paths else 'no image is'} named {image.file_name!r} in {folder}"
        try:
            case = record_of(paths[0])
        except ImageReadError as error:
            return f"its image {image.file_name!r} cannot be read: {error.reason}"
        if (image.height or case.height, image.width or case.width) != (case.height, case.width):
            return (
                f"its image {image.file_name!r} has {case.width} x {case.height} pixels, and not "
                f"{image.width} x {image.height}"
            )
        return case

    def _annotation(
        self, each: CocoAnnotation, where: str, place: tuple[CaseRecord, int], class_name: str, when: float
    ) -> Annotation | None:
        case, frame = place
        if self.given.class_names and class_name not in self.given.class_names:
            known = ", ".join(self.given.class_names)
            self.problems.add(where, f"unknown category {class_name!r} (known: {known})")
            return None
        try:
            if each.softcam:
                return self._own(each, each.softcam, where, place, class_name)
            shape, remark = shape_of(each.segmentation, each.bbox, (case.height, case.width))
        except UnusableShapeError as error:
            self.problems.add(where, str(error))
            return None
        if remark:
            self.crossing.append(where)
        said: tuple[Verdict, str] = self.given.verdict, self.given.reviewer
        return Annotation(
            id=lasting_id(case.key, frame, class_name, *said, shape.model_dump()),
            case=case.key,
            frame=frame,
            verdict=said[0],
            class_name=class_name,
            shape=shape,
            reviewer=said[1],
            confidence=_confidence(each.score),
            created=when,
            modified=when,
        )

    def _own(
        self, each: CocoAnnotation, facts: AnnotationFacts, where: str, place: tuple[CaseRecord, int], class_name: str
    ) -> Annotation | None:
        case, frame = place
        own = facts.annotation
        if (own.case, own.frame) != (case.key, frame):
            self.problems.add(where, "its image is another one than it was made on")
            return None
        size = case.height, case.width
        shape = own.shape
        if each.segmentation and fingerprint_of(each.segmentation) != facts.outline:
            shape, remark = shape_of(each.segmentation, each.bbox, size)
            if remark:
                self.crossing.append(where)
        if shape == own.shape and class_name == own.class_name:
            return own
        self.changed.append(where)
        return own.model_copy(update={"shape": shape, "class_name": class_name, "modified": time.time()})


def _confidence(score: object) -> float | None:
    return float(score) if isinstance(score, int | float) and 0 <= score <= 1 else None


def _few(names: list[str]) -> str:
    twice = Counter(names)
    shown = ", ".join(list(twice)[:MAX_SHOWN])
    return shown + (f" and {len(twice) - MAX_SHOWN} more" if len(twice) > MAX_SHOWN else "")
