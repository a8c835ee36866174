"""Annotations of many images as DICOM files, with the images that they refer to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from softcam_core.annotations.annotation import Annotation
from softcam_core.annotations.coco import image_name
from softcam_core.annotations.collection import Collection
from softcam_core.annotations.image_files import ImageFiles
from softcam_core.annotations.masks import mask_of
from softcam_core.annotations.reading import counted
from softcam_core.errors import ImageReadError, SettingsError
from softcam_core.export.annotation_report import has_graphic, write_annotation_report
from softcam_core.export.annotation_segmentation import write_annotation_segmentation
from softcam_core.export.dicom_image import write_image
from softcam_core.export.dicom_source import DicomSource, dicom_source
from softcam_core.imaging.readers import read_image

Kind = Literal["seg", "sr"]


@dataclass(slots=True)
class Written:
    """What was written, and what was not.

    Attributes
    ----------
    files : list of Path
    left_out : int
        Annotations that are not in them.
    remarks : list of str
        Why, sentences.
    """

    files: list[Path] = field(default_factory=list)
    left_out: int = 0
    remarks: list[str] = field(default_factory=list)

    def leave_out(self, annotations: Sequence[Annotation], why: str) -> None:
        """Note annotations that are not written."""
        self.left_out += len(annotations)
        self.remarks.append(f"{counted(len(annotations), 'annotation')} left out: {why}.")


def write_dicom(
    folder: Path, collection: Collection, images: ImageFiles, kind: Kind, *, keep_identity: bool = False
) -> Written:
    """Write annotations as DICOM Segmentations or Structured Reports, for each frame of an image in files of its own.

    Files are named after the keys of cases: KEY_annotations.dcm for segmentations, KEY_report.dcm for the report of
    each reviewer (numbered where there are several), with KEY_annotations.dcm for those places that a report has no
    graphic for. Without identity, and for pictures that are no DICOM, KEY_image.dcm is the image they refer to.
    Annotations whose image is gone, has changed or cannot be read are left out.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    collection : Collection
    images : ImageFiles
        Among which the images are.
    kind : {"seg", "sr"}
    keep_identity : bool
        In the study of the image, with its patient.

    Raises
    ------
    SettingsError
        When a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(folder, f"cannot be made: {error.strerror}", "Choose another folder.") from error
    groups: defaultdict[tuple[str, int], list[Annotation]] = defaultdict(list)
    for each in collection.annotations:
        groups[each.case, each.frame].append(each)
    sizes = {case.key: (case.height, case.width) for case in collection.cases}
    paths = images.by_key()
    written = Written()
    for (key, frame), group in sorted(groups.items()):
        name = image_name(key, frame)
        if key not in paths:
            written.leave_out(group, f"no image in {images.folder} is {key}")
            continue
        try:
            image = read_image(paths[key], frame)
            if image.size != sizes[key]:
                raise ImageReadError(paths[key], "it is not of the size that it had when they were made")
            source = dicom_source(image, keep_identity=keep_identity)
        except ImageReadError as error:
            written.leave_out(group, f"the image {key} cannot be used: {error.reason}")
            continue
        seen = [each for each in group if _can_be_written(each, image.size, kind)]
        if unseen := [each for each in group if each not in seen]:
            written.leave_out(unseen, f"they cover no pixel of {name} by half or more")
        if not seen:
            continue
        if not source.is_identified:
            written.files.append(folder / f"{name}_image.dcm")
            write_image(written.files[-1], source)
        if kind == "seg":
            written.files.append(folder / f"{name}_annotations.dcm")
            write_annotation_segmentation(written.files[-1], source, seen)
        else:
            _write_reports(folder / name, source, seen, written)
    return written


def _write_reports(base: Path, source: DicomSource, annotations: Sequence[Annotation], written: Written) -> None:
    segments = [each for each in annotations if not has_graphic(each.shape, source.image.size)]
    segmentation = None
    if segments:
        written.files.append(base.with_name(f"{base.name}_annotations.dcm"))
        segmentation = write_annotation_segmentation(written.files[-1], source, segments)
    reviewers = sorted({each.reviewer for each in annotations})
    for number, reviewer in enumerate(reviewers, 1):
        ending = f"_report_{number}.dcm" if len(reviewers) > 1 else "_report.dcm"
        written.files.append(base.with_name(base.name + ending))
        own = [each for each in annotations if each.reviewer == reviewer]
        write_annotation_report(
            written.files[-1], source, own, reviewer=reviewer, segmentation=segmentation, segments=segments
        )


def _can_be_written(annotation: Annotation, size: tuple[int, int], kind: Kind) -> bool:
    is_graphic = kind == "sr" and has_graphic(annotation.shape, size)
    return is_graphic or bool(mask_of(annotation.shape, size).any())
