"""Images as written -> checked manifest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from softcam_core.data.boxes import misplaced, scale_boxes
from softcam_core.data.checks import MAX_SHOWN, counted, listed
from softcam_core.data.labelling import canonical, class_index, distinct_labels, kind_of, rarer_kind
from softcam_core.data.records import Listing, Record
from softcam_core.data.samples import SPLIT_NAMES, Box, Manifest, Sample, Split
from softcam_core.data.splits import draw_splits
from softcam_core.errors import ManifestError
from softcam_core.imaging.sizes import image_size

if TYPE_CHECKING:
    from softcam_core.data.source import DataSource

# A validation split of fewer images, and of a smaller part of the training split, is a token: Kermany's OCT release
# has 32 images to 83,484.
_TOKEN_IMAGES = 100
_TOKEN_SHARE = 0.01


def assemble(listing: Listing, source: DataSource, *, check_images: bool, make_splits: bool) -> Manifest:
    """Resolve labels, splits and boxes, and check everything; see `read_source`."""
    if not listing.has_splits and not make_splits:
        raise ManifestError(listing.path, "does not say which image is in which split", "Add a column 'split'.")
    records, notes = _without_excluded(listing, source)
    assembly = _Assembly(listing, records, _class_names(listing, source, records), source)
    samples = assembly.samples(check_images)
    samples, more = _with_splits(samples, [record.name for record in records], listing, source, make_splits)
    return Manifest(listing.path, assembly.names, tuple(samples), listing.task, (*listing.notes, *notes, *more))


def _without_excluded(listing: Listing, source: DataSource) -> tuple[list[Record], list[str]]:
    excluded = set(source.exclude)
    left_out = Counter(
        record.label
        for record in listing.records
        if isinstance(record.label, str) and {record.label, canonical(record.label)} & excluded
    )
    kept = [record for record in listing.records if record.label not in left_out]
    if not kept:
        raise ManifestError(listing.path, "has no image that is not excluded", "Exclude fewer labels.")
    return kept, [f"Left out: {counted(count, 'image')} labelled {label}." for label, count in left_out.items()]


def _class_names(listing: Listing, source: DataSource, records: Sequence[Record]) -> tuple[str, ...]:
    if source.class_names:
        return source.class_names
    if listing.task == "multi_label":
        return listing.class_names
    if listing.class_names:
        kept = [name for name in listing.class_names if name not in source.exclude]
        return tuple(dict.fromkeys(source.labels.get(name, name) for name in kept))
    if source.labels:
        return tuple(dict.fromkeys(source.labels.values()))
    return distinct_labels(record.label for record in records if record.label and isinstance(record.label, str))


class _Assembly:
    """Checks records one after the other against those before."""

    def __init__(self, listing: Listing, records: Sequence[Record], names: tuple[str, ...], source: DataSource) -> None:
        self.listing, self.records, self.names, self.source = listing, records, names, source
        self.missing: list[str] = []
        self._first_of: dict[str, tuple[Record, Sample]] = {}
        self._first_of_patient: dict[str, tuple[Record, Split]] = {}
        # With names given, numbers and words may stand side by side.
        is_given = source.class_names or source.labels or listing.class_names
        texts = [record.label for record in records if record.label and isinstance(record.label, str)]
        self._odd_kind = None if is_given else rarer_kind(texts)

    def samples(self, check_images: bool) -> list[Sample]:
        """One for each record; with the split "train" where the source has no splits."""
        samples: list[Sample] = []
        problems: list[tuple[str, str]] = []
        for record in self.records:
            sample, found = self._sample(record, check_images)
            problems += [(record.place, text) for text in found]
            if sample is not None:
                samples.append(sample)
        if problems:
            raise ManifestError(self.listing.path, listed(problems), self._advice([text for _, text in problems]))
        return samples

    def _sample(self, record: Record, check_images: bool) -> tuple[Sample | None, list[str]]:
        found = list(record.problems)
        root, path = self.listing.root, self.listing.root / record.name
        label = self._label(record, found)
        split: Split | None = SPLIT_NAMES.get(record.split.lower()) if self.listing.has_splits else "train"
        if record.split and split is None:
            found.append(f"unknown split {record.split!r}")
        if check_images and record.name and not _is_file(path):
            found.append(f"no such image file {record.name}")
            self.missing.append(record.name)
        mask = root / record.mask if record.mask else None
        if check_images and mask is not None and not _is_file(mask):
            found.append(f"no such mask file {record.mask}")
        if found or label is None or split is None:
            return None, found
        boxes = self._boxes(record, path, check_images, found)
        sample = Sample(path, label, split, record.row, record.patient, boxes, mask, record.extra)
        self._compare(record, sample, found)
        return sample, found

    def _label(self, record: Record, found: list[str]) -> int | tuple[int, ...] | None:
        if not isinstance(record.label, str):
            return record.label
        label = class_index(record.label, self.names, self.source.labels)
        if record.label and label is None:
            found.append(f"unknown label {record.label!r}")
        if record.label and self._odd_kind == kind_of(record.label):
            other = "words" if self._odd_kind == "number" else "numbers"
            found.append(f"the label {record.label!r} is a {self._odd_kind}, while others are {other}")
        return label

    def _boxes(self, record: Record, path: Path, check_images: bool, found: list[str]) -> tuple[Box, ...]:
        """Boxes in pixels of the image, where that could be looked at."""
        if not record.boxes:
            return ()
        measured_on = self.listing.boxes_size
        size = image_size(path) if check_images else None
        written_on = (measured_on, measured_on) if measured_on else size
        found += misplaced(record.boxes, written_on)
        return scale_boxes(record.boxes, measured_on, size) if measured_on and size else record.boxes

    def _compare(self, record: Record, sample: Sample, found: list[str]) -> None:
        """Find the same image or the same patient in what came before."""
        known = self._first_of.setdefault(os.path.normpath(sample.path), (record, sample))
        first_record, first = known
        if first is not sample:
            if first.split != sample.split:
                found.append(f"{record.name} is in {sample.split} here and in {first.split} in {first_record.place}")
            if first.label != sample.label:
                here, there = self._named(sample.label), self._named(first.label)
                found.append(f"{record.name} is {here} here and {there} in {first_record.place}")
            if first.split == sample.split and first.label == sample.label:
                found.append(f"{record.name} is in {first_record.place} already")
        if not sample.patient or not self.listing.has_splits or self.source.shared_patients != "refuse":
            return
        patient_record, split = self._first_of_patient.setdefault(sample.patient, (record, sample.split))
        if split != sample.split and first is sample:
            where = f"in {sample.split} here and in {split} in {patient_record.place}"
            found.append(f"its patient is {where}")  # no identifiers where they may be logged

    def _named(self, label: int | tuple[int, ...]) -> str:
        if isinstance(label, int):
            return self.names[label]
        return ", ".join(name for name, has in zip(self.names, label, strict=True) if has) or "nothing"

    def _advice(self, texts: Sequence[str]) -> str:
        advice = []
        root = self.listing.root
        if any(text.startswith("unknown label") for text in texts):
            advice.append(f"Labels are {', '.join(self.names)}, or their numbers from 0.")
        if any(text.startswith("unknown split") for text in texts):
            advice.append("Splits are train, val and test.")
        if any(text.startswith("patient ") for text in texts):
            advice.append("A patient's images belong in one split: shared_patients: leave_out keeps those in test.")
        if self.missing:
            advice.append(f"Images are looked for in {root}.")
            if any((root / "images" / name).is_file() for name in self.missing[:MAX_SHOWN]):
                advice.append(f"They are in {root / 'images'}: use --root {root / 'images'}.")
        return "\n" + " ".join(advice) if advice else ""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the file system
        return False


def _with_splits(
    samples: list[Sample], names: Sequence[str], listing: Listing, source: DataSource, make_splits: bool
) -> tuple[list[Sample], list[str]]:
    """Draw the splits that are missing, and keep patients in one where the data do not."""
    by = "by patient" if all(sample.patient for sample in samples) else "by image, because patients are not known"
    notes: list[str] = []
    if not listing.has_splits:
        shares = source.val_share, source.test_share
        if any(shares):
            drawn = _redrawn(samples, names, source, *shares)
            return drawn, [f"The splits were drawn {by}, with the seed {source.split_seed}."]
        return samples, notes
    paired = list(zip(samples, names, strict=True))
    train, val = (sum(sample.split == split for sample in samples) for split in ("train", "val"))
    if (
        listing.redraws_small_val
        and make_splits
        and source.val_share
        and 0 < val < min(_TOKEN_IMAGES, _TOKEN_SHARE * train)
    ):
        paired = [(replace(s, split="train") if s.split == "val" else s, name) for s, name in paired]
        notes.append(f"The validation split was put back into train: {counted(val, 'image')} are too few to judge by.")
        val = 0
    if source.shared_patients == "leave_out":
        kept = _patients_apart(paired)
        if len(kept) < len(paired):
            left_out = counted(len(paired) - len(kept), "image")
            notes.append(f"Left out: {left_out} of patients who are in another split too.")
        paired = kept
    if val == 0 and make_splits and source.val_share:
        train_pairs = [pair for pair in paired if pair[0].split == "train"]
        drawn = _redrawn([s for s, _ in train_pairs], [name for _, name in train_pairs], source, source.val_share, 0.0)
        replacement = iter(drawn)
        paired = [(next(replacement) if s.split == "train" else s, name) for s, name in paired]
        notes.append(f"The validation split was drawn from train {by}, with the seed {source.split_seed}.")
    return [sample for sample, _ in paired], notes


def _redrawn(
    samples: Sequence[Sample], names: Sequence[str], source: DataSource, val_share: float, test_share: float
) -> list[Sample]:
    splits = draw_splits(
        [sample.label for sample in samples],
        [sample.patient for sample in samples],
        names,
        val_share=val_share,
        test_share=test_share,
        seed=source.split_seed,
    )
    return [replace(sample, split=split) for sample, split in zip(samples, splits, strict=True)]


def _patients_apart(paired: Sequence[tuple[Sample, str]]) -> list[tuple[Sample, str]]:
    """Keep the images of a patient in test, without such in val."""
    importance: dict[Split, int] = {"train": 0, "val": 1, "test": 2}
    chosen: dict[str, int] = {}
    for sample, _ in paired:
        chosen[sample.patient] = max(chosen.get(sample.patient, 0), importance[sample.split])
    return [
        (sample, name)
        for sample, name in paired
        if not sample.patient or importance[sample.split] == chosen[sample.patient]
    ]
