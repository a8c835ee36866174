"""The folder a training run writes, every file of it complete or not there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softcam_core.errors import SettingsError
from softcam_core.files import write_whole

Row = Mapping[str, float | int | str]


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
        """The run's settings, YAML, defaults included."""
        return self.path / "config.yaml"

    @property
    def environment(self) -> Path:
        """What the run ran on, JSON."""
        return self.path / "environment.json"

    @property
    def events(self) -> Path:
        """What happened, one JSON object a line (`softcam_core.training.events`)."""
        return self.path / "events.jsonl"

    @property
    def metrics(self) -> Path:
        """One row an epoch, CSV."""
        return self.path / "metrics.csv"

    @property
    def best(self) -> Path:
        """The model of the best epoch so far."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """The model of the last epoch."""
        return self.path / "last.safetensors"

    @property
    def resume(self) -> Path:
        """What the run goes on from (`softcam_core.training.state`)."""
        return self.path / "resume.pt"

    @property
    def sound(self) -> Path:
        """The same at the end of the last epoch, while `resume` is within the next: its loss is known to be finite."""
        return self.path / "resume_epoch.pt"

    @property
    def flags(self) -> Path:
        """What people said that the run was told, JSON (`softcam_core.training.flags`)."""
        return self.path / "flags.json"

    @property
    def comparison(self) -> Path:
        """Figures before and after, where a model was trained on (`softcam_core.training.comparison`)."""
        return self.path / "comparison.json"

    @property
    def report(self) -> Path:
        """One page for people."""
        return self.path / "report.html"

    @property
    def model_card(self) -> Path:
        """The best model's card for people."""
        return self.path / "model_card.md"

    @property
    def plots(self) -> Path:
        """Curves as PNG."""
        return self.path / "plots"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's own files."""
        return self.path / "tensorboard"

    def predictions(self, split: str) -> Path:
        """Scores of a split's images by the best model, CSV."""
        return self.path / f"predictions_{split}.csv"

    @property
    def exists(self) -> bool:
        """True where a run has been."""
        return any(file.exists() for file in self._files())

    def check(self, overwrite: bool) -> None:
        """Refuse a place where the run cannot or should not be written.

        Raises
        ------
        SettingsError
            When it is a file, or holds another run and `overwrite` is False.
        """
        if self.path.exists() and not self.path.is_dir():
            raise SettingsError(self.path, "is a file, not a folder", "Choose another place for the run.")
        if not overwrite and self.exists:
            advice = "Choose another folder, go on with --resume, or replace it with --overwrite."
            raise SettingsError(self.path, "already holds a run", advice)

    def clear(self) -> None:
        """Make the folder, and take an earlier run's files away.

        Raises
        ------
        SettingsError
            When it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for file in self._files():
                file.unlink(missing_ok=True)
            for folder in (self.plots, self.tensorboard):
                for file in folder.glob("*") if folder.is_dir() else ():
                    file.unlink()
        except OSError as error:
            raise SettingsError(self.path, f"cannot be written: {error.strerror}", "Choose another folder.") from error

    def write_text(self, path: Path, text: str) -> None:
        """Write one of the run's files."""
        write_whole(path, text.encode())

    def write_json(self, path: Path, value: Mapping[str, Any]) -> None:
        """Write one of the run's files."""
        self.write_text(path, json.dumps(value, indent=2) + "\n")

    def write_metrics(self, rows: Sequence[Row]) -> None:
        """Write the figures of all epochs so far; columns are the names of all rows together."""
        text = io.StringIO()
        names = dict.fromkeys(name for row in rows for name in row)
        writer = csv.DictWriter(text, list(names), restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: f"{v:.6g}" if isinstance(v, float) else v for name, v in row.items()})
        self.write_text(self.metrics, text.getvalue())

    def _files(self) -> list[Path]:
        return [
            *(self.config, self.environment, self.events, self.metrics, self.best, self.last, self.resume, self.sound),
            *(self.flags, self.comparison, self.report, self.model_card, *self.path.glob("predictions_*.csv")),
        ]
