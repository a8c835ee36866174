"""What a checked data set is made of: samples, and the manifest that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Split = Literal["train", "val", "test"]
Task = Literal["single_label", "multi_label"]
Box = tuple[float, float, float, float]
"""x, y, width, height in pixels of the image."""

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
"""What splits may be called, in lower case."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled image.

    Attributes
    ----------
    path : Path
    label : int or tuple of int
        Index of the class; for a multi-label manifest 0 or 1 for each class.
    split : {"train", "val", "test"}
    row : int
        Row of the table as a spreadsheet shows it; the header is row 1. Without a table, the place in the list, from 1.
    patient : str
        Whose image it is; empty where that is not known.
    boxes : tuple of Box
        What was annotated.
    mask : Path or None
        Image file that is not 0 where something was annotated.
    extra : dict of str to str
        All columns of the row but those of image, label and split, as written.
    """

    path: Path
    label: int | tuple[int, ...]
    split: Split
    row: int
    patient: str = ""
    boxes: tuple[Box, ...] = ()
    mask: Path | None = None
    extra: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A list of labelled images that has been checked as a whole.

    Attributes
    ----------
    path : Path
        The file or folder that it was read from.
    class_names : tuple of str
        One for each label, in order.
    samples : tuple of Sample
    task : {"single_label", "multi_label"}
    notes : tuple of str
        What was done that the data itself does not say: images left out, splits drawn. Sentences for people.
    """

    path: Path
    class_names: tuple[str, ...]
    samples: tuple[Sample, ...]
    task: Task = "single_label"
    notes: tuple[str, ...] = ()

    def split(self, name: Split) -> tuple[Sample, ...]:
        """All samples of a split."""
        return tuple(s for s in self.samples if s.split == name)

    def counts(self, name: Split) -> dict[str, int]:
        """Count the samples of each class in a split, classes without samples included.

        An image with several labels counts for each of its classes.
        """
        found = dict.fromkeys(self.class_names, 0)
        for sample in self.split(name):
            if isinstance(sample.label, int):
                found[self.class_names[sample.label]] += 1
                continue
            for class_name, has_class in zip(self.class_names, sample.label, strict=True):
                found[class_name] += has_class
        return found
