"""What people said about the training images: annotations of a store, matched with samples and classes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from softcam_core.annotations.annotation import REST, VERDICTS, Annotation, CaseRecord, Verdict
from softcam_core.annotations.identity import case_key
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Shape
from softcam_core.annotations.store import AnnotationStore
from softcam_core.data.samples import Sample
from softcam_core.errors import AnnotationError, ImageReadError
from softcam_core.files import write_whole
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.readers import read_header
from softcam_core.training.config import FeedbackConfig

Against = int | Literal["rest"] | None
USED: tuple[Verdict, ...] = ("wrong", "correct", "missed")
"""Verdicts that something can be learnt from."""


@dataclass(frozen=True, slots=True)
class Flag:
    """An annotation as training uses it.

    Attributes
    ----------
    verdict : {"wrong", "correct", "missed"}
    target : int
        Class that the evidence speaks for.
    against : int, "rest" or None
        Class that it is weighed against, all others together, or nothing.
    shape : Shape
        In pixels of the image.
    confidence : float
        Weight, 0 to 1.
    """

    verdict: Verdict
    target: int
    against: Against
    shape: Shape
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a run was told: annotations and the images they are on, kept with it so that it can go on without the store.

    Attributes
    ----------
    cases : tuple of CaseRecord
    annotations : tuple of Annotation
        Without comments and without who made them.
    """

    cases: tuple[CaseRecord, ...]
    annotations: tuple[Annotation, ...]


class Flags:
    """Flags of samples; given a sample and a geometry, where they lie.

    Parameters
    ----------
    of_file : dict of Path to tuple of Flag
    notes : sequence of str
        What could not be used, sentences for people.
    """

    def __init__(self, of_file: dict[Path, tuple[Flag, ...]], notes: Sequence[str] = ()) -> None:
        self._of_file, self.notes = of_file, tuple(notes)

    def of(self, sample: Sample) -> tuple[Flag, ...]:
        """Flags of a sample."""
        return self._of_file.get(sample.path, ())

    def __call__(self, sample: Sample, geometry: Geometry) -> npt.NDArray[np.float32]:
        """Coverage of the stored pixels, (R, H', W') in [0, 1]; see `softcam_core.data.dataset.Places`."""
        flags = self.of(sample)
        places = np.zeros((len(flags), *geometry.resized), np.float32)
        (top, left, _, _), (down, across) = geometry.extent, geometry.scale
        for place, flag in zip(places, flags, strict=True):
            place[:] = flag.shape.moved(-top, -left).scaled(down, across).coverage(geometry.resized)
        return places

    def indexes(self, samples: Sequence[Sample]) -> list[int]:
        """Which of some samples have flags."""
        return [index for index, sample in enumerate(samples) if self.of(sample)]

    def counts(self, samples: Iterable[Sample]) -> dict[str, int]:
        """Number of flags of each verdict on some samples."""
        found = Counter(flag.verdict for sample in samples for flag in self.of(sample))
        return {verdict: found[verdict] for verdict in USED}


def read_said(config: FeedbackConfig) -> Said:
    """Read what a store says that training can use.

    Raises
    ------
    AnnotationError
        When the store cannot be read, or says nothing of use.
    """
    assert config.store is not None
    if not config.store.exists():
        raise AnnotationError(config.store, "there is no such store of annotations", "Check feedback.store.")
    query = Query(verdicts=USED, reviewers=config.reviewers)
    with AnnotationStore(config.store, read_only=True) as store:
        # In an order that other annotations of the store do not change.
        annotations = tuple(sorted(store.iterate(query), key=lambda note: (note.created, note.id)))
        cases = store.cases()
    if not annotations:
        whose = f" by {', '.join(config.reviewers)}" if config.reviewers else ""
        reason = f"holds no evidence flagged as wrong, correct or missed{whose}"
        raise AnnotationError(config.store, reason, "Flag some in the viewer, or train without feedback.store.")
    own = [note.model_copy(update={"comment": "", "reviewer": ""}) for note in annotations]
    keys = dict.fromkeys(note.case for note in own)
    return Said(tuple(cases[key] for key in keys), tuple(own))


def write_said(said: Said, path: Path) -> None:
    """Keep it in a file; raises SettingsError where that cannot be."""
    content = {
        "cases": [case.model_dump(mode="json") for case in said.cases],
        "annotations": [note.model_dump(mode="json") for note in said.annotations],
    }
    write_whole(path, json.dumps(content).encode())


def load_said(path: Path) -> Said:
    """Read what `write_said` wrote.

    Raises
    ------
    AnnotationError
        When it is gone or damaged.
    """
    try:
        content = json.loads(path.read_bytes())
        return Said(
            tuple(CaseRecord.model_validate(case) for case in content["cases"]),
            tuple(Annotation.model_validate(note) for note in content["annotations"]),
        )
    except OSError as error:
        raise AnnotationError(path, f"cannot be read: {error.strerror}", "Start the run again.") from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise AnnotationError(path, "is damaged", "Start the run again.") from error


def match(said: Said, samples: Sequence[Sample], class_names: Sequence[str], source: Path) -> Flags:
    """Find the images that something was said about among samples.

    Parameters
    ----------
    said : Said
    samples : sequence of Sample
        All splits'.
    class_names : sequence of str
    source : Path
        Where the annotations come from, for messages.

    Raises
    ------
    AnnotationError
        When nothing that was said concerns any of the samples.
    """
    notes: list[str] = []
    by_case: dict[str, list[Flag]] = {}
    unknown: Counter[str] = Counter()
    later_frames = 0
    for note in said.annotations:
        if note.frame:
            later_frames += 1
            continue
        flag = _flag_of(note, class_names)
        if flag is None:
            unknown[note.class_name] += 1
        else:
            by_case.setdefault(note.case, []).append(flag)
    files = _files_of({case.key: case for case in said.cases if case.key in by_case}, samples)
    of_file = {path: tuple(by_case[key]) for key, path in files.items()}
    if unknown:
        names = ", ".join(f"{name} ({count})" for name, count in unknown.items())
        notes.append(f"left out are flags of classes that the model does not have: {names}")
    if later_frames:
        notes.append(f"left out are {later_frames} flags of frames after the first, which are not trained on")
    if missing := len(by_case) - len(files):
        notes.append(f"left out are the flags of {missing} images that are not among the data")
    if not of_file:
        reason = "none of its annotations is of an image and a class of the data" + "".join(f"; {n}" for n in notes)
        raise AnnotationError(source, reason, "Train on the images that were annotated.")
    return Flags(of_file, notes)


def _flag_of(note: Annotation, class_names: Sequence[str]) -> Flag | None:
    if note.class_name not in class_names or note.verdict not in VERDICTS:
        return None
    against: Against = None
    if note.against == REST and REST not in class_names:
        against = "rest"
    elif note.against:
        if note.against not in class_names:
            return None
        against = class_names.index(note.against)
    confidence = 1.0 if note.confidence is None else note.confidence
    return Flag(note.verdict, class_names.index(note.class_name), against, note.shape, confidence)


def _files_of(cases: dict[str, CaseRecord], samples: Sequence[Sample]) -> dict[str, Path]:
    """Key -> file of a sample; files are read only as far as that takes."""
    found: dict[str, Path] = {}
    places = {Path(case.path) for case in cases.values() if case.path}
    # First those that lie where they were seen last; the others are read only when some are still missing.
    for is_hinted in (True, False):
        for path in _paths(samples):
            if len(found) == len(cases):
                return found
            if (path in places) == is_hinted and (key := _key_of(path)) in cases:
                found.setdefault(key, path)
    return found


def _key_of(path: Path) -> str:
    try:
        return case_key(path, read_header(path).identity.instance_uid)
    except ImageReadError:
        return ""  # the data set says what is wrong with it


def _paths(samples: Sequence[Sample]) -> Iterator[Path]:
    yield from dict.fromkeys(sample.path for sample in samples)
