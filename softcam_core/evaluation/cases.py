"""The images that explanations are judged on, and what was annotated in them, as each model sees them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from softcam_core.data.checks import listed
from softcam_core.data.prepared import WHITE, box_region, prepare_mask
from softcam_core.data.samples import Box, Manifest, Sample, Split
from softcam_core.errors import ImageReadError, ManifestError
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.imaging.readers import read_image

Annotation = Literal["none", "seen", "outside"]
"""Whether something was annotated, and if so whether the model sees some of it."""

COVERED = 0.5
"""Share of a pixel of the model input from which on it belongs to an annotation."""


@dataclass(frozen=True, slots=True)
class Case:
    """An image that is judged.

    Attributes
    ----------
    number : int
        Its place, from 0.
    sample : Sample
    finding : int or None
        Class that its annotation is of; None where nobody says.
    group : int
        Cases of the same patient have the same; tells nothing of the patient.
    """

    number: int
    sample: Sample
    finding: int | None
    group: int


class Seen(NamedTuple):
    """A case as a model sees it.

    Attributes
    ----------
    image : Tensor, (3, h, w) float32
        Normalised.
    region : Tensor, (h, w) bool
        What was annotated; a pixel counts when at least half of it is covered, and where none is, when it is touched.
    annotation : {"none", "seen", "outside"}
    """

    image: Tensor
    region: Tensor
    annotation: Annotation


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of all cases as one preprocessing makes them.

    Attributes
    ----------
    sizes : tuple of (int, int)
        Height and width of each case's model input.
    annotations : tuple of str
        Of each case.
    mean : (float, float, float)
        Of the channels of all model inputs, normalised: what blanked pixels become.
    """

    sizes: tuple[tuple[int, int], ...]
    annotations: tuple[Annotation, ...]
    mean: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Cases:
    """All that are judged.

    Attributes
    ----------
    manifest : Manifest
    chosen : tuple of Case
    surveys : dict
        Preprocessing -> what it makes of them.
    left_out : tuple of (str, str)
        Names of files that cannot be used, and why.
    """

    manifest: Manifest
    chosen: tuple[Case, ...]
    surveys: dict[Preprocessing, Survey]
    left_out: tuple[tuple[str, str], ...] = ()

    def annotated(self, preprocessing: Preprocessing) -> tuple[Case, ...]:
        """Cases whose finding is annotated where the model sees it."""
        known = zip(self.chosen, self.surveys[preprocessing].annotations, strict=True)
        return tuple(case for case, annotation in known if annotation == "seen" and case.finding is not None)


def choose_samples(manifest: Manifest, split: Split | None, limit: int | None, seed: int) -> tuple[Sample, ...]:
    """Samples of a split (or of all), or some of them, drawn at random, in the order of the manifest.

    Raises
    ------
    ManifestError
        When there is none.
    """
    samples = manifest.samples if split is None else manifest.split(split)
    if not samples:
        there = {sample.split: None for sample in manifest.samples}
        advice = f"It has {', '.join(there)}; choose one with --split." if there else "Check the table."
        raise ManifestError(manifest.path, f"has no image in the split {split!r}", advice)
    if limit is None or limit >= len(samples):
        return samples
    drawn = np.random.default_rng(seed).choice(len(samples), limit, replace=False)
    return tuple(samples[i] for i in sorted(drawn))


def present_in(label: int | tuple[int, ...]) -> tuple[int, ...]:
    """Classes that an image has, by its label."""
    return (label,) if isinstance(label, int) else tuple(index for index, has in enumerate(label) if has)


def finding_of(label: int | tuple[int, ...], wanted: int | None) -> int | None:
    """Class that an image's annotation is of: that of its label, where there is one alone.

    Parameters
    ----------
    label : int or tuple of int
        See `Sample`.
    wanted : int or None
        The class that annotations are of, where people say so; images without it have no finding.
    """
    present = present_in(label)
    if wanted is not None:
        return wanted if wanted in present else None
    return present[0] if len(present) == 1 else None


def read_cases(
    manifest: Manifest,
    samples: Sequence[Sample],
    preprocessings: Sequence[Preprocessing],
    *,
    finding: int | None = None,
    skip_bad: bool = False,
    on_read: Callable[[int, int], object] | None = None,
) -> Cases:
    """Look at every image as every model sees it, so that what cannot be used is known before the work starts.

    Parameters
    ----------
    manifest : Manifest
    samples : sequence of Sample
        Of the manifest.
    preprocessings : sequence of Preprocessing
        Of the models.
    finding : int, optional
        Class that annotations are of; by default that of each image's label.
    skip_bad : bool
        Leave out images that cannot be read, and those whose mask cannot.
    on_read : callable, optional
        Called with the number of images looked at and of all.

    Raises
    ------
    ManifestError
        When images or masks cannot be read, with all of them; with `skip_bad` when none is left.
    """
    distinct = tuple(dict.fromkeys(preprocessings))

    def look(sample: Sample) -> list[tuple[Seen, tuple[int, int]]] | ImageReadError:
        try:
            return [(seen, tuple(seen.image.shape[1:])) for seen in (see(sample, each) for each in distinct)]  # type: ignore[misc]
        except ImageReadError as error:
            return error

    good: list[Sample] = []
    bad: list[tuple[Sample, str]] = []
    facts: list[list[tuple[tuple[int, int], Annotation, Tensor]]] = []
    # Decoders release the interpreter's lock; a few at a time, because what they give is large.
    pool = ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1))
    try:
        for number, start in enumerate(range(0, len(samples), _AT_ONCE)):
            some = samples[start : start + _AT_ONCE]
            for sample, result in zip(some, pool.map(look, some), strict=True):
                if isinstance(result, ImageReadError):
                    bad.append((sample, str(result)))
                    continue
                good.append(sample)
                facts.append([(size, seen.annotation, seen.image.double().mean((1, 2))) for seen, size in result])
            if on_read is not None:
                on_read(min((number + 1) * _AT_ONCE, len(samples)), len(samples))
    finally:
        pool.shutdown(cancel_futures=True)
    if bad and not (skip_bad and good):
        problems = [(f"row {sample.row}", reason.rstrip(".")) for sample, reason in bad]
        advice = "\nReplace these files, take their rows out, or leave them out with --skip-bad."
        raise ManifestError(manifest.path, f"images cannot be read: {listed(problems)}", advice)
    surveys = {each: _survey([row[i] for row in facts]) for i, each in enumerate(distinct)}
    left_out = tuple((sample.path.name, _without_folder(reason, sample)) for sample, reason in bad)
    return Cases(manifest, _numbered(good, finding), surveys, left_out)


_AT_ONCE = 16


def see(sample: Sample, preprocessing: Preprocessing) -> Seen:
    """Read an image and its annotation, as a model sees them.

    Raises
    ------
    ImageReadError
        When the image or its mask cannot be read, or the mask has another size.
    """
    prepared = preprocessing.apply(read_image(sample.path))
    region, annotation = see_annotation(sample.boxes, sample.mask, prepared.geometry, preprocessing)
    return Seen(torch.from_numpy(prepared.array), region, annotation)


def see_annotation(
    boxes: Sequence[Box], mask: Path | None, geometry: Geometry, preprocessing: Preprocessing
) -> tuple[Tensor, Annotation]:
    """What was annotated in an image, as a model sees it; see `Seen`.

    Parameters
    ----------
    boxes : sequence of Box
    mask : Path or None
        Counts before boxes.
    geometry : Geometry
        From the image to the model input.
    preprocessing : Preprocessing

    Returns
    -------
    region : Tensor, (h, w) bool
    annotation : {"none", "seen", "outside"}

    Raises
    ------
    ImageReadError
        When the mask cannot be read, or has another size than the image.
    """
    (top, left), (height, width) = geometry.origin, geometry.input_size
    if mask is not None:
        covered = prepare_mask(mask, geometry, preprocessing).pixels[0] / np.float32(WHITE)
    else:
        covered = box_region(boxes, geometry)[0]
    covered = covered[top : top + height, left : left + width]
    region = covered >= COVERED
    if not region.any():
        region = covered > 0
    annotation: Annotation = "seen" if region.any() else "none"
    if annotation == "none" and _is_marked(boxes, mask):
        annotation = "outside"
    return torch.from_numpy(region), annotation


def _is_marked(boxes: Sequence[Box], mask: Path | None) -> bool:
    """Whether anything was annotated on the whole image."""
    if mask is None:
        return bool(boxes)
    return bool((read_image(mask).pixels != 0).any())


def _survey(facts: Sequence[tuple[tuple[int, int], Annotation, Tensor]]) -> Survey:
    sizes = tuple(size for size, _, _ in facts)
    pixels = torch.tensor([height * width for height, width in sizes], dtype=torch.float64)
    channels = torch.stack([mean for _, _, mean in facts])
    mean = (pixels[:, None] * channels).sum(0) / pixels.sum()
    return Survey(sizes, tuple(annotation for _, annotation, _ in facts), tuple(mean.tolist()))


def _numbered(samples: Sequence[Sample], finding: int | None) -> tuple[Case, ...]:
    groups: dict[str, int] = {}
    cases = []
    for number, sample in enumerate(samples):
        # An image whose patient is not known stands for itself.
        group = groups.setdefault(sample.patient or f"\0{number}", len(groups))
        cases.append(Case(number, sample, finding_of(sample.label, finding), group))
    return tuple(cases)


def _without_folder(reason: str, sample: Sample) -> str:
    """What is wrong with a file, without saying where it lies."""
    for path in (sample.path, sample.mask):
        if path is not None:
            reason = reason.replace(str(path), Path(path).name)
    return reason
