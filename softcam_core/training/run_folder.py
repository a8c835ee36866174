"""The folder a training run writes: settings, one line of figures an epoch, and the best model so far."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from softcam_core.errors import SettingsError
from softcam_core.training.config import TrainingConfig


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """Figures of one epoch.

    Attributes
    ----------
    epoch : int
        From 1.
    learning_rate : float
        At the end of the epoch.
    train_loss, train_penalty : float
        Mean over the training samples, penalty included, and the penalty alone.
    val_loss : float
        Cross-entropy without penalty.
    val_auc, val_accuracy : float
        In [0, 1].
    seconds : float
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_penalty: float
    val_loss: float
    val_auc: float
    val_accuracy: float
    seconds: float

    @property
    def score(self) -> tuple[float, float]:
        """What makes an epoch better than another: validation AUC, then a lower validation loss."""
        return self.val_auc, -self.val_loss


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run's files are.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @property
    def config(self) -> Path:
        """The run's settings, JSON."""
        return self.path / "config.json"

    @property
    def metrics(self) -> Path:
        """One row an epoch, CSV."""
        return self.path / "metrics.csv"

    @property
    def best(self) -> Path:
        """The model of the best epoch so far."""
        return self.path / "best.safetensors"

    def check(self, overwrite: bool) -> None:
        """Refuse a place where the run cannot or should not be written.

        Raises
        ------
        SettingsError
            When it is a file, or holds another run and `overwrite` is False.
        """
        if self.path.exists() and not self.path.is_dir():
            raise SettingsError(self.path, "is a file, not a folder", "Choose another place for the run.")
        if not overwrite and any(file.exists() for file in (self.config, self.metrics, self.best)):
            raise SettingsError(self.path, "already holds a run", "Choose another folder, or give --overwrite.")

    def create(self, config: TrainingConfig) -> None:
        """Make the folder, take an earlier run's files away and write the settings.

        Raises
        ------
        SettingsError
            When it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for file in (self.best, self.metrics):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise SettingsError(self.path, f"cannot be written: {error.strerror}", "Choose another folder.") from error
        self._write(self.config, json.dumps(config.model_dump(mode="json"), indent=2) + "\n")

    def write_metrics(self, history: Sequence[EpochRecord]) -> None:
        """Write the figures of all epochs so far."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([field.name for field in fields(EpochRecord)])
        for record in history:
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in asdict(record).values()])
        self._write(self.metrics, text.getvalue())

    def _write(self, path: Path, text: str) -> None:
        """Replace a file by a complete one or not at all."""
        partial = path.with_name(path.name + ".partial")
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            raise SettingsError(path, f"cannot be written: {error.strerror}", "Check the free space.") from error
