"""The folder of a sweep: what was asked, the images it may see, and its trials."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from softcam_core.errors import SettingsError
from softcam_core.files import write_whole
from softcam_core.sweep.space import Space, Trial
from softcam_core.training.config import TrainingConfig
from softcam_core.training.config_files import Settings, load_settings, make_config
from softcam_core.training.run_folder import RunFolder

_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class SweepFolder:
    """Where a sweep's files are.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @property
    def asked(self) -> Path:
        """Space and settings, YAML."""
        return self.path / "sweep.yaml"

    @property
    def images(self) -> Path:
        """Table of the training and validation images, CSV."""
        return self.path / "train_val.csv"

    @property
    def trials(self) -> Path:
        """One row a trial, CSV."""
        return self.path / "trials.csv"

    @property
    def plot(self) -> Path:
        """What can be had for what, PNG."""
        return self.path / "pareto.png"

    @property
    def cache(self) -> Path:
        """Decoded images, shared by the trials, while the sweep goes on."""
        return self.path / "cache"

    def run(self, trial: Trial) -> RunFolder:
        """The run folder of a trial."""
        return RunFolder(self.path / trial.name)

    @property
    def has_begun(self) -> bool:
        """True where a trial was started."""
        return any(RunFolder(path).exists for path in self.path.glob("trial_*"))

    def prepare(self, config: TrainingConfig, space: Space) -> None:
        """Make the folder and write down what is asked, or check that it is what was asked before.

        Raises
        ------
        SettingsError
            When the folder holds something else or another sweep, or cannot be written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise SettingsError(self.path, "is a file, not a folder", "Choose another place for the sweep.")
        if self.asked.exists():
            # Settings that no trial got on with may be corrected.
            if self.has_begun:
                self._check_same(config, space)
        elif self.path.exists() and any(self.path.iterdir()):
            raise SettingsError(self.path, "is not empty and holds no sweep", "Choose a new folder for the sweep.")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(self.path, f"cannot be made: {error.strerror}", "Choose another folder.") from error
        asked = {"space": space.model_dump(mode="json"), "settings": config.model_dump(mode="json")}
        write_whole(self.asked, yaml.safe_dump(asked, sort_keys=False, allow_unicode=True).encode())

    def read(self) -> tuple[Settings, Space]:
        """Read what was asked: settings of each run, and the space.

        Raises
        ------
        SettingsError
            When there is no sweep, or its file was damaged.
        """
        if not self.asked.exists():
            raise SettingsError(self.path, "holds no sweep", "Name DATA and what to try to start one.")
        asked = load_settings(self.asked)
        try:
            return dict(asked["settings"]), Space.model_validate(asked["space"])
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            advice = "Restore it, or choose a new folder for the sweep."
            raise SettingsError(self.asked, "does not say what was asked", advice) from error

    def _check_same(self, config: TrainingConfig, space: Space) -> None:
        settings, before = self.read()
        advice = "Choose a new folder for another sweep."
        if before.trials is not None and space.trials is not None and space.trials < before.trials:
            reason = f"{before.trials} trials were asked for here, and {space.trials} are fewer"
            raise SettingsError(self.path, reason, f"Give --trials {before.trials} or more. {advice}")
        old = _identity(make_config(settings, self.asked), before)
        new = _identity(config, space)
        differing = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        if differing:
            more = f" and {len(differing) - _MAX_NAMED} more" if len(differing) > _MAX_NAMED else ""
            reason = f"holds another sweep: it differs in {', '.join(differing[:_MAX_NAMED])}{more}"
            raise SettingsError(self.path, reason, f"`softcam sweep --out {self.path}` goes on with it. {advice}")

    def drop_cache(self) -> None:
        """Delete the decoded images."""
        shutil.rmtree(self.cache, ignore_errors=True)


def _identity(config: TrainingConfig, space: Space) -> dict[str, Any]:
    """What trials of one sweep have in common, by name; how many there are and where they run may change."""
    settings = config.model_dump(mode="json", exclude={"hardware": True, "seed": True, "loss": {"l1", "l2"}})
    asked = space.model_dump(mode="json", exclude={"trials"})
    return dict(_flat(asked, "")) | dict(_flat(settings, ""))


def _flat(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
