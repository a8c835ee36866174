"""What came of the trials, as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from softcam_core.errors import SettingsError
from softcam_core.files import write_whole
from softcam_core.sweep.space import Trial
from softcam_core.training.metrics import METRICS

Status = Literal["open", "finished", "failed"]

GINI, NEAR_ZERO, MASS, POINTING = "gini", "near_zero", "mass_in_annotation", "pointing"
FIGURES = (*(f"val_{name}" for name in METRICS), GINI, NEAR_ZERO, MASS, POINTING)
"""Names of figures: the best epoch's on the validation images, and what its evidence there is like."""

_STATUSES: dict[str, Status] = {"open": "open", "finished": "finished", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """What came of a trial.

    Attributes
    ----------
    trial : Trial
    status : {"open", "finished", "failed"}
        "open" until it is one of the others.
    best_epoch : int or None
    figures : dict of str to float
        Of `FIGURES`, what is known.
    reason : str
        Why it failed.
    """

    trial: Trial
    status: Status = "open"
    best_epoch: int | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


def write_records(records: Sequence[TrialRecord], path: Path) -> None:
    """Write one row a trial; figures that nobody has are left out.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    names = [name for name in FIGURES if any(name in record.figures for record in records)]
    text = io.StringIO()
    header = ["trial", "folder", "l1", "l2", "seed", "status", "best_epoch", *names, "reason"]
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n")
    writer.writeheader()
    for record in records:
        trial = record.trial
        row = {"trial": trial.number, "folder": trial.name, "l1": trial.l1, "l2": trial.l2, "seed": trial.seed}
        row |= {"status": record.status, "best_epoch": record.best_epoch, "reason": record.reason}
        writer.writerow(row | dict(record.figures))
    write_whole(path, text.getvalue().encode())


def read_records(trials: Iterable[Trial], path: Path) -> list[TrialRecord]:
    """Read what is known of trials; those that the table does not have are open.

    Raises
    ------
    SettingsError
        When the table cannot be read.
    """
    known: dict[str, dict[str, str]] = {}
    if path.exists():
        try:
            with path.open(encoding="utf-8", newline="") as file:
                known = {row["folder"]: row for row in csv.DictReader(file)}
            return [_record(trial, known.get(trial.name)) for trial in trials]
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            advice = "Delete it: the trials' folders are there, and are judged again."
            raise SettingsError(path, "is not the table of trials that a sweep writes", advice) from error
    return [TrialRecord(trial) for trial in trials]


def _record(trial: Trial, row: Mapping[str, str] | None) -> TrialRecord:
    if row is None:
        return TrialRecord(trial)
    figures = {name: float(row[name]) for name in FIGURES if row.get(name)}
    epoch = int(row["best_epoch"]) if row["best_epoch"] else None
    return TrialRecord(trial, _STATUSES[row["status"]], epoch, figures, row["reason"])
