"""Running a sweep: one trial after the other, each an ordinary run, none of them twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from softcam_core.data.checks import check_for_training
from softcam_core.data.manifest import Manifest
from softcam_core.data.source import DataSource, read_source
from softcam_core.devices import choose_device
from softcam_core.errors import BorderError, CheckpointError, SettingsError
from softcam_core.models.checkpoint import load_model
from softcam_core.sweep.folder import SweepFolder
from softcam_core.sweep.images import without_test, write_images
from softcam_core.sweep.records import TrialRecord, read_records, write_records
from softcam_core.sweep.space import Space, Trial, plan
from softcam_core.sweep.validation import Annotated, find_annotated, judge_evidence
from softcam_core.training import events
from softcam_core.training.config import TrainingConfig
from softcam_core.training.config_files import with_absolute_paths
from softcam_core.training.loop import Listener, Stopped
from softcam_core.training.processes import process_counts
from softcam_core.training.run_folder import RunFolder
from softcam_core.training.trainer import TrainingResult, train

OnTrial = Callable[[TrialRecord], object]

# What other coefficients may do better with; on a full disk or without images no trial gets anywhere.
_OF_THE_TRIAL: tuple[events.ErrorKind, ...] = ("not_finite", "out_of_memory", "other")


def run_sweep(
    config: TrainingConfig,
    space: Space,
    folder: Path | str,
    *,
    retry_failed: bool = False,
    listeners: Sequence[Listener] = (),
    should_stop: Callable[[], bool] = lambda: False,
    on_read: Callable[[int, int], object] | None = None,
    on_trial: OnTrial = lambda record: None,
) -> tuple[TrialRecord, ...]:
    """Train a model with each of several coefficients, and judge them on the validation images.

    No trial sees a test image: they are taken out of the data before the first one starts. Called again with the same
    folder, trials that are finished are not repeated, and one that was interrupted goes on where it was. A trial that
    fails for its own reasons (a loss that is not finite, too little memory, a figure to select by that is undefined
    because all evidence is gone) is recorded, and the others go on.

    Parameters
    ----------
    config : TrainingConfig
        Of all trials; its `loss.l1`, `loss.l2` and `seed` are the space's. Without a cache folder, decoded images are
        kept in the sweep's until it has ended.
    space : Space
    folder : Path or str
        New, or that of the same sweep; a random one may have grown.
    retry_failed : bool
        Start trials again that have failed before.
    listeners, should_stop, on_read
        As in `softcam_core.training.trainer.train`, for each trial.
    on_trial : callable
        Called with an open record when a trial starts, and with its result.

    Returns
    -------
    tuple of TrialRecord
        One for each trial, also in ``trials.csv``.

    Raises
    ------
    SettingsError
        When the folder holds something else, or there is more than one process.
    BorderError
        What stops all trials alike.
    Stopped
        See `should_stop`.
    """
    config = with_absolute_paths(config)
    sweep = SweepFolder(Path(folder).resolve())
    if process_counts(config.hardware, os.environ) != (1, 1):
        reason = "a sweep trains one trial after the other in one process"
        raise SettingsError("hardware.devices", reason, "Use one device, and neither torchrun nor srun.")
    manifest = without_test(read_source(config.data))
    check_for_training(manifest)
    annotated = find_annotated(manifest, config.skip_bad)
    sweep.prepare(config, space)
    source = write_images(manifest, sweep.images, keep=sweep.has_begun)
    for note in manifest.notes:
        for listener in listeners:
            listener(events.WarningEvent(message=note))
    own_cache = config.hardware.cache is None
    runner = _Runner(config, source, sweep, manifest, annotated, tuple(listeners), should_stop, on_read)
    records = read_records(plan(space), sweep.trials)
    for index, record in enumerate(records):
        if record.status == "finished" or (record.status == "failed" and not retry_failed):
            continue
        on_trial(replace(record, status="open"))
        records[index] = runner.run(record)
        write_records(records, sweep.trials)
        on_trial(records[index])
    write_records(records, sweep.trials)
    if own_cache:
        sweep.drop_cache()
    return tuple(records)


@dataclass(frozen=True, slots=True)
class _Runner:
    """What all trials have in common."""

    config: TrainingConfig
    source: DataSource
    sweep: SweepFolder
    manifest: Manifest
    annotated: tuple[Annotated, ...]
    listeners: tuple[Listener, ...]
    should_stop: Callable[[], bool]
    on_read: Callable[[int, int], object] | None

    def run(self, record: TrialRecord) -> TrialRecord:
        """Train and judge; a failure of the trial's own is a result too."""
        trial = record.trial
        config, run = self._config_of(trial), self.sweep.run(trial)
        failures: list[events.ErrorEvent] = []
        can_resume = run.resume.exists() and record.status != "failed"
        try:
            result = self._train(config, run, failures, can_resume)
        except BorderError as error:
            if not failures or failures[-1].kind not in _OF_THE_TRIAL:
                raise
            return TrialRecord(trial, "failed", reason=error.reason)
        select = config.training.select
        if f"val_{select}" not in result.metrics:  # all evidence is gone, for instance
            reason = f"{select} is undefined on the validation images, even in the best epoch"
            return TrialRecord(trial, "failed", reason=reason)
        model = load_model(run.best, choose_device(config.hardware.device))
        figures = {name: value for name, value in result.metrics.items() if name.startswith("val_")}
        figures |= judge_evidence(model, self.manifest, self.annotated, config, self._stop_if_asked)
        return TrialRecord(trial, "finished", result.best_epoch, figures)

    def _config_of(self, trial: Trial) -> TrainingConfig:
        hardware = self.config.hardware
        cache = hardware.cache or self.sweep.cache
        return self.config.model_copy(
            update={
                "seed": trial.seed,
                "data": self.source,
                "loss": self.config.loss.model_copy(update={"l1": trial.l1, "l2": trial.l2}),
                "hardware": hardware.model_copy(update={"cache": cache}),
            }
        )

    def _train(
        self, config: TrainingConfig, run: RunFolder, failures: list[events.ErrorEvent], resume: bool
    ) -> TrainingResult:
        def listen(event: events.Event) -> None:
            if isinstance(event, events.ErrorEvent):
                failures.append(event)

        try:
            return train(
                config,
                run.path,
                overwrite=not resume,
                resume=resume,
                listeners=(listen, *self.listeners),
                should_stop=self.should_stop,
                on_read=self.on_read,
            )
        except CheckpointError as error:
            if not resume or error.path != run.resume:
                raise
        return self._train(config, run, failures, resume=False)  # its state was damaged: from the beginning

    def _stop_if_asked(self) -> None:
        if self.should_stop():
            raise Stopped
