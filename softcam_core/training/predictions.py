"""What a model said of each image of a split, as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from softcam_core.errors import SettingsError
from softcam_core.files import write_whole
from softcam_core.models.card import Task

_LABEL, _PROBABILITY, _LOGIT = "label: ", "p: ", "logit: "


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What a model said of each image of a split.

    Attributes
    ----------
    images : tuple of str
        File names.
    labels : Tensor, (N,) or (N, K) int64
        As `softcam_core.training.metrics.measure` takes them.
    logits : Tensor, (N, K) float32
    class_names : tuple of str
    task : {"single_label", "multi_label"}
    """

    images: tuple[str, ...]
    labels: Tensor
    logits: Tensor
    class_names: tuple[str, ...]
    task: Task

    @property
    def probabilities(self) -> Tensor:
        """(N, K) float64."""
        logits = self.logits.double()
        return logits.softmax(1) if self.task == "single_label" else logits.sigmoid()

    @property
    def one_hot(self) -> Tensor:
        """(N, K) int64, 1 where a class is present."""
        if self.task == "multi_label":
            return self.labels
        return torch.nn.functional.one_hot(self.labels, len(self.class_names))


def write_predictions(
    path: Path | str,
    images: Sequence[Path | str],
    labels: Tensor,
    logits: Tensor,
    class_names: Sequence[str],
    task: Task,
) -> None:
    """Write one row an image; a file that is there is replaced as a whole or not at all.

    The columns are ``image`` (the file's name alone), ``label`` (the class) or for multi label ``label: NAME`` of each
    class (0 or 1), ``p: NAME`` and ``logit: NAME`` of each class.

    Parameters
    ----------
    path : Path or str
    images : sequence of Path or str, N
    labels : Tensor, (N,) int64 or (N, K)
    logits : Tensor, (N, K)
    class_names : sequence of str, K
    task : {"single_label", "multi_label"}

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    names = tuple(class_names)
    table = Predictions(tuple(Path(i).name for i in images), labels.cpu().long(), logits.cpu().float(), names, task)
    is_single = task == "single_label"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    label_columns = ["label"] if is_single else [_LABEL + name for name in names]
    writer.writerow(["image", *label_columns, *(_PROBABILITY + n for n in names), *(_LOGIT + n for n in names)])
    rows = zip(table.images, table.labels.tolist(), table.probabilities.tolist(), table.logits.tolist(), strict=True)
    for image, label, probabilities, row in rows:
        # Nine digits give the same float32 back.
        figures = [f"{p:.9g}" for p in probabilities] + [f"{x:.9g}" for x in row]
        writer.writerow([image, *([names[label]] if is_single else label), *figures])
    # Names of files that are no UTF-8 must not end a run.
    write_whole(Path(path), text.getvalue().encode("utf-8", "backslashreplace"))


def read_predictions(path: Path | str) -> Predictions:
    """Read a table that `write_predictions` wrote.

    Raises
    ------
    SettingsError
        When it cannot be read or is another table.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        names = tuple(column.removeprefix(_LOGIT) for column in header if column.startswith(_LOGIT))
        if not names:
            raise ValueError("it has no logits")
        place = {column: i for i, column in enumerate(header)}
        logits = torch.tensor([[float(row[place[_LOGIT + n]]) for n in names] for row in rows]).reshape(
            len(rows), len(names)
        )
        task: Task = "single_label" if "label" in place else "multi_label"
        if task == "single_label":
            labels = torch.tensor([names.index(row[place["label"]]) for row in rows], dtype=torch.int64)
        else:
            labels = torch.tensor([[int(row[place[_LABEL + n]]) for n in names] for row in rows]).reshape(
                -1, len(names)
            )
        images = tuple(row[place["image"]] for row in rows)
    except OSError as error:
        raise SettingsError(path, f"cannot be read: {error.strerror}", "Check its permissions.") from error
    except (ValueError, KeyError, IndexError, csv.Error) as error:
        raise SettingsError(path, f"is not a table of predictions ({error})", "Evaluate the model again.") from error
    return Predictions(images, labels.long(), logits, names, task)
