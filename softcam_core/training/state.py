"""What a run goes on from: how far it is, and every tensor that decides the next step.

Random numbers are no part of it: they follow from the seed and the position (`softcam_core.training.sampling`).
"""

from __future__ import annotations

import io
import pickle
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch

from softcam_core.errors import CheckpointError, SettingsError
from softcam_core.files import write_whole
from softcam_core.models.checkpoint import save_model
from softcam_core.models.softcam import SoftCAM
from softcam_core.models.weights import DAMAGE, unpickle
from softcam_core.training.metrics import better
from softcam_core.training.optimisation import Plateau
from softcam_core.training.run_folder import RunFolder

STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """Figures of one epoch.

    Attributes
    ----------
    epoch : int
        From 1.
    step : int
        Steps of the run at its end.
    learning_rate : float
        Of the features, at the epoch's last step.
    train : dict
        Means over the training images: "loss" and its terms "classification", "l1" and "l2".
    val : dict
        Figures of the validation split (`softcam_core.training.metrics`), "loss" without penalty.
    seconds : float
    evidence : dict
        Mean share of the positive evidence in flags: "wrong", "correct" and "missed", as far as there are such.
    """

    epoch: int
    step: int
    learning_rate: float
    train: dict[str, float]
    val: dict[str, float]
    seconds: float
    evidence: dict[str, float] = field(default_factory=dict)

    def beats(self, other: EpochRecord, select: str) -> bool:
        """Tell whether the selected figure is better than another epoch's or, where it is equal, the loss lower."""
        new, old = self.val.get(select), other.val.get(select)
        return self.val["loss"] < other.val["loss"] if new == old else better(select, new, old)

    def figures(self) -> dict[str, float | None]:
        """What an event says of the epoch."""
        return {name: float(value) for name, value in self.row(best=False).items() if name not in ("epoch", "best")}

    def row(self, best: bool) -> dict[str, float | int]:
        """One row of the table of metrics."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "learning_rate": self.learning_rate,
            **{f"train_{name}": value for name, value in self.train.items()},
            **{f"val_{name}": value for name, value in self.val.items()},
            **{f"evidence_{name}": value for name, value in self.evidence.items()},
            "seconds": round(self.seconds, 3),
            "best": int(best),
        }


@dataclass
class Progress:
    """How far a run is.

    Attributes
    ----------
    epoch : int
        The one going on, from 0.
    position : int
        Images of its order that were seen.
    step : int
        Steps of the run so far.
    step_size : int
        Images a step; a resumed run keeps it, whatever its number of processes.
    images : int
        Size of the training set, which the order of an epoch depends on.
    seen : int
        Training images of this epoch that `sums` holds.
    sums : dict
        Of the loss and its terms over these images.
    seconds : float
        Spent on this epoch.
    plateau : Plateau
    stale : int
        Epochs since the selected figure improved.
    best : int or None
        The best epoch, from 1.
    history : list of EpochRecord
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    step_size: int = 0
    images: int = 0
    seen: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    plateau: Plateau = field(default_factory=Plateau)
    stale: int = 0
    best: int | None = None
    history: list[EpochRecord] = field(default_factory=list)

    @property
    def best_record(self) -> EpochRecord | None:
        """Figures of the best epoch."""
        return None if self.best is None else self.history[self.best - 1]

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Undo `dataclasses.asdict`."""
        history = [EpochRecord(**record) for record in fields["history"]]
        return cls(**{**fields, "plateau": Plateau(**fields["plateau"]), "history": history})


@dataclass(frozen=True)
class RunState:
    """All that a resumed run needs besides its configuration.

    Attributes
    ----------
    progress : Progress
    card : str
        The model's card, JSON: normalisation may have been measured.
    tensors : dict
        State dicts of "model", "optimizer", "precision" and, where there is one, "ema".
    """

    progress: Progress
    card: str
    tensors: dict[str, Any]


def save_state(state: RunState, path: Path) -> None:
    """Write a state, completely or not at all.

    Raises
    ------
    SettingsError
        When it cannot be written.
    """
    buffer = io.BytesIO()
    content = {"version": STATE_VERSION, "progress": asdict(state.progress), "card": state.card, **state.tensors}
    torch.save(content, buffer)
    write_whole(path, buffer.getvalue())


def load_state(path: Path) -> RunState:
    """Read what `save_state` wrote, onto the CPU, without executing anything in it.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged or of another version.
    """
    advice = "Start the run again with --overwrite."
    try:
        content = unpickle(path)
    except FileNotFoundError as error:
        raise CheckpointError(path, "there is no such file, so there is nothing to resume", advice) from error
    except (*DAMAGE, pickle.UnpicklingError) as error:
        raise CheckpointError(path, "is damaged or holds more than numbers", advice) from error
    if not isinstance(content, dict) or content.pop("version", None) != STATE_VERSION:
        raise CheckpointError(path, "was written by another version of this program", advice)
    try:
        progress, card = Progress.from_dict(content.pop("progress")), content.pop("card")
    except (KeyError, TypeError) as error:
        raise CheckpointError(path, "lacks parts of the state", advice) from error
    return RunState(progress, card, content)


def save_epoch(model: SoftCAM, path: Path, kind: str, record: EpochRecord) -> None:
    """Write a model file with an epoch's figures in its card; the model's own card stays as it is.

    Parameters
    ----------
    model : SoftCAM
    path : Path
    kind : str
        What the epoch is called there: ``"best"`` gives a provenance of "best_epoch".
    record : EpochRecord

    Raises
    ------
    CheckpointError
        When it cannot be written.
    """
    card = model.card
    provenance = {**card.provenance, f"{kind}_epoch": record.epoch}
    metrics = {f"val_{name}": value for name, value in record.val.items()}
    model.card = card.model_copy(update={"metrics": metrics, "provenance": provenance})
    try:
        save_model(model, path)
    finally:
        model.card = card


def keep_sound(folder: RunFolder, progress: Progress) -> None:
    """Before a state within an epoch is written, keep the one of the epoch before."""
    try:
        if progress.position == 0:
            folder.sound.unlink(missing_ok=True)
        elif folder.resume.exists() and not folder.sound.exists():
            shutil.copyfile(folder.resume, folder.sound)
    except OSError as error:
        folder.sound.unlink(missing_ok=True)
        raise SettingsError(folder.sound, f"cannot be written: {error.strerror}", "Check the free space.") from error


def go_back(folder: RunFolder) -> None:
    """Drop a state within an epoch that came to a loss that is no number: its weights may be broken already."""
    if folder.sound.exists():
        folder.sound.replace(folder.resume)


def split_step(step_size: int, processes: int, batch_size: int) -> tuple[int, int] | None:
    """Batch size, at most the one given, and batches a step that keep a step's number of images; None where none do."""
    if step_size % processes:
        return None
    share = step_size // processes
    accumulate = next(n for n in range(-(-share // batch_size), share + 1) if share % n == 0)
    return share // accumulate, accumulate
