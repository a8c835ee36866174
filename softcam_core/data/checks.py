"""What is wrong with a data set, said all at once."""

from __future__ import annotations

from collections.abc import Sequence

from softcam_core.data.samples import Manifest, Split
from softcam_core.errors import ManifestError

MAX_SHOWN = 20
"""Problems that a message lists."""


def counted(count: int, noun: str) -> str:
    """Return "1 image", "2 images"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def listed(problems: Sequence[tuple[str, str]]) -> str:
    """Count problems and list the first, each with its place."""
    lines = [f"\n  {place}: {text}" for place, text in problems[:MAX_SHOWN]]
    if len(problems) > MAX_SHOWN:
        lines.append(f"\n  and {len(problems) - MAX_SHOWN} more")
    return f"{counted(len(problems), 'problem')}:" + "".join(lines)


def check_for_training(manifest: Manifest) -> None:
    """Refuse what a classifier cannot learn from or be selected by.

    Raises
    ------
    ManifestError
        When there is only one class, train or val is empty, or one of them has no image of a class; for several
        labels also where all images have a class.
    """
    names = manifest.class_names
    if manifest.task == "single_label" and len(names) < 2:
        reason = f"has one class only ({', '.join(names)})"
        raise ManifestError(manifest.path, reason, "Training needs at least two.")
    problems: list[str] = []
    needed: tuple[Split, ...] = ("train", "val")
    for split in needed:
        counts, total = manifest.counts(split), len(manifest.split(split))
        if not total:
            problems.append(f"has no image in the split {split!r}")
            continue
        absent = [name for name, count in counts.items() if not count]
        if absent:
            problems.append(f"has no image of {', '.join(absent)} in the split {split!r}")
        everywhere = [name for name, count in counts.items() if manifest.task == "multi_label" and count == total]
        if everywhere:
            problems.append(f"has no image without {', '.join(everywhere)} in the split {split!r}")
    if problems:
        advice = "Training needs images of each class in train and in val"
        without = ", and images without it" if manifest.task == "multi_label" else ""
        raise ManifestError(manifest.path, ", and ".join(problems), f"{advice}{without}.")
