"""Training from a configuration to a run folder: data, model, loop, and what is left for people to read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric

from softcam_core import __version__
from softcam_core.data.checks import check_for_training
from softcam_core.data.dataset import Draw
from softcam_core.data.manifest import Manifest, Split
from softcam_core.data.source import read_source
from softcam_core.devices import describe_device
from softcam_core.errors import (
    BorderError,
    ImageReadError,
    ManifestError,
    NotFiniteError,
    OutOfMemoryError,
    SettingsError,
)
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import load_model, save_model
from softcam_core.models.initialisation import initialise
from softcam_core.models.softcam import SoftCAM
from softcam_core.training import events
from softcam_core.training.before_after import compare_models
from softcam_core.training.comparison import write_comparison
from softcam_core.training.config import TrainingConfig
from softcam_core.training.config_files import changed, load_settings, make_config, to_yaml, with_absolute_paths
from softcam_core.training.environment import environment
from softcam_core.training.event_writer import EventWriter
from softcam_core.training.flags import load_said, match, read_said, write_said
from softcam_core.training.guidance import Guidance
from softcam_core.training.loop import Listener, Loop, Stopped
from softcam_core.training.memory import is_out_of_memory
from softcam_core.training.model_cards import write_model_card
from softcam_core.training.predictions import write_predictions
from softcam_core.training.preparation import (
    check_input,
    check_settings,
    check_what_is_left,
    like_start,
    make_card,
    make_objective,
    read_images,
    with_feedback,
    with_lineage,
)
from softcam_core.training.processes import has_lost_process, make_fabric
from softcam_core.training.report import write_report
from softcam_core.training.run_folder import RunFolder
from softcam_core.training.state import EpochRecord, RunState, load_state
from softcam_core.training.tensorboard import TensorBoard

_PROCESS_DIED = "another process of this run has died"


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a run gave.

    Attributes
    ----------
    checkpoint : Path
        Model file of the best epoch.
    best_epoch : int
        From 1.
    history : tuple of EpochRecord
    metrics : dict
        Figures of the best epoch's model, "val_auc" and so on, and "test_auc" and so on where there is a test split.
    """

    checkpoint: Path
    best_epoch: int
    history: tuple[EpochRecord, ...]
    metrics: dict[str, float]


def train(
    config: TrainingConfig,
    run_folder: Path | str,
    *,
    overwrite: bool = False,
    resume: bool = False,
    listeners: Sequence[Listener] = (),
    should_stop: Callable[[], bool] = lambda: False,
    on_read: Callable[[int, int], object] | None = None,
) -> TrainingResult:
    """Train a SoftCAM and keep its best epoch.

    The best epoch is that of the best selected figure and, among equal ones, of the lowest validation loss. What
    happens is written to the run folder's events as well as told to the listeners.

    Parameters
    ----------
    config : TrainingConfig
    run_folder : Path or str
        See `RunFolder`.
    overwrite : bool
        Replace a run that is there.
    resume : bool
        Go on with the run that is there, exactly where it was; `config` must be its own, but for `hardware`.
    listeners : sequence of callable
        Called with each event (`softcam_core.training.events`), in the first process.
    should_stop : callable
        Asked between steps; where it says True, the run's state is written and `Stopped` raised.
    on_read : callable, optional
        Called with the number of images read and of all, while the data is looked through; in each process.

    Raises
    ------
    ManifestError
        When a split or a class is missing, or images cannot be read.
    SettingsError
        When the run folder holds a run, images and network do not fit each other, the memory is too small (then
        `OutOfMemoryError`), the loss is no longer finite (`NotFiniteError`), or the disk is full.
    CheckpointError
        When the initial weights, or the state to resume, cannot be used.
    Stopped
        See `should_stop`.
    """
    folder = RunFolder(Path(run_folder))
    config = like_start(with_absolute_paths(config))
    state = load_state(folder.resume) if resume else None
    if not resume:
        folder.check(overwrite)
    fabric = make_fabric(config.hardware)
    # The caller's random numbers go on as if nothing had happened.
    devices = [fabric.device] if fabric.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), contextlib.ExitStack() as stack:
        stack.enter_context(_losses_of_processes(fabric, folder))
        manifest = read_source(config.data)
        check_for_training(manifest)
        check_settings(config, manifest)
        torch.manual_seed(config.seed)
        model = SoftCAM.from_card(make_card(config, manifest, config.preprocessing))
        begin = None if config.model.start is None else _load_start(config.model.start, manifest, fabric)
        if begin is not None and state is None:
            model.load_state_dict(begin.state_dict())
            model.card = with_lineage(model.card, begin.card)
        if state is not None:
            model.card = ModelCard.model_validate_json(state.card)
        elif config.model.init is not None:
            initialise(model, config.model.init)
        notes = list(manifest.notes)
        if state is not None and (other := changed(make_config(load_settings(folder.config)), config)):
            notes.append(f"the run goes on with other settings than it began with: {', '.join(other)}")
        datasets = read_images(config, manifest, fabric, on_read, notes.append)
        check_what_is_left(manifest, datasets)
        said = None
        if config.feedback.store is not None:
            # As the store has it now, or as it was when the run began.
            said = read_said(config.feedback) if state is None else load_said(folder.flags)
            samples = [sample for dataset in datasets.values() for sample in dataset.samples]
            flags = match(said, samples, manifest.class_names, config.feedback.store)
        statistics = datasets["train"].statistics
        if state is None and config.measures_normalisation and statistics is not None:
            measured = config.preprocessing.model_copy(update={"mean": statistics.mean, "std": statistics.std})
            model.card = make_card(config, manifest, measured)
        for dataset in datasets.values():
            dataset.preprocessing = model.card.preprocessing
        check_input(model, datasets["train"][Draw(0, None)].image)
        told = tuple(listeners)
        if fabric.is_global_zero:
            if state is None:
                folder.clear()
                folder.write_text(folder.config, to_yaml(config))
                if said is not None:
                    write_said(said, folder.flags)
            folder.write_json(folder.environment, environment())
            writer = stack.enter_context(EventWriter(folder.events))
            told = (writer.write, stack.enter_context(TensorBoard(folder.tensorboard)), *told)
        fabric.barrier()
        guidance = None
        if said is not None:
            notes += flags.notes
            guidance = Guidance(config, flags, datasets["train"], model, begin, fabric)
            model.card = with_feedback(model.card, flags, datasets["train"].samples)
        objective = make_objective(config, manifest, datasets["train"], guidance)
        loop = Loop(config, fabric, model, datasets, objective, folder, told, should_stop, state)
        return _run(loop, state, notes, begin)


@contextlib.contextmanager
def _losses_of_processes(fabric: Fabric, folder: RunFolder) -> Iterator[None]:
    """What is said where another process is gone before there is a loop."""
    try:
        yield
    except RuntimeError as error:
        if not has_lost_process(error, fabric):
            raise
        raise SettingsError(folder.path, _PROCESS_DIED, "See what that process said.") from error


def _run(loop: Loop, state: RunState | None, notes: Sequence[str], begin: SoftCAM | None) -> TrainingResult:
    """Train, judge and report, and say how it ended."""
    config, folder = loop.config, loop.folder
    _start(loop, state)
    for note in notes:
        loop.emit(events.WarningEvent(message=note))
    for split, dataset in loop.datasets.items():
        for sample, reason in dataset.skipped:
            loop.emit(events.WarningEvent(message=f"left out of {split}: row {sample.row}, {reason}"))
    try:
        best = loop.fit()
        metrics = _finish(loop, begin)
    except Stopped:
        loop.emit(events.EndEvent(status="interrupted", best_epoch=loop.progress.best, message="can be resumed"))
        raise
    except BorderError as error:
        loop.emit(events.ErrorEvent(message=str(error), kind=_kind(error)))
        loop.emit(events.EndEvent(status="failed", best_epoch=loop.progress.best))
        raise
    except RuntimeError as error:
        known = _explained(error, loop)
        if known is None:
            raise
        loop.emit(events.ErrorEvent(message=str(known), kind=_kind(known)))
        loop.emit(events.EndEvent(status="failed", best_epoch=loop.progress.best))
        raise known from error
    ended_early = loop.progress.epoch < config.training.epochs
    loop.emit(
        events.EndEvent(
            status="stopped_early" if ended_early else "finished", best_epoch=best.epoch, metrics=dict(metrics)
        )
    )
    if loop.fabric.is_global_zero:
        write_report(folder.path)
    return TrainingResult(folder.best, best.epoch, tuple(loop.progress.history), metrics)


def _load_start(path: Path, manifest: Manifest, fabric: Fabric) -> SoftCAM:
    """The model to train on, on the device."""
    begin = load_model(path, fabric.device)
    card = begin.card
    if (card.class_names, card.task) != (manifest.class_names, manifest.task):
        reason = (
            f"its classes are {', '.join(card.class_names)}, and those of the data {', '.join(manifest.class_names)}"
        )
        advice = "Train on with the same classes in the same order (data.class_names, data.labels), or start afresh."
        raise SettingsError(path, reason, advice)
    return begin


def _start(loop: Loop, state: RunState | None) -> None:
    config, card = loop.config, loop.model.card
    loop.emit(
        events.StartEvent(
            run=card.name,
            config={
                "architecture": card.architecture,
                "classes": list(card.class_names),
                "images": {split: len(dataset) for split, dataset in loop.datasets.items()},
                "batch_size": loop.batch_size,
                "accumulate": loop.accumulate,
                **config.loss.model_dump(mode="json", include={"l1", "l2", "l2_form"}),
            },
            epochs=config.training.epochs,
            steps_per_epoch=len(loop.steps(0)),
            processes=loop.fabric.world_size,
            device=describe_device(loop.fabric.device),
            resumed_from=None if state is None else state.progress.step,
            pid=os.getpid(),
            version=__version__,
        )
    )


def _finish(loop: Loop, begin: SoftCAM | None) -> dict[str, float]:
    """Judge the best model, and write its figures into its card and its scores into tables."""
    folder, fabric = loop.folder, loop.fabric
    fabric.barrier()  # the first process has written the model
    best = load_model(folder.best, fabric.device)
    metrics: dict[str, float] = {}
    judged: tuple[Split, ...] = ("val", "test")
    for split in judged:
        if split not in loop.datasets:
            continue
        scored = loop.evaluate(best, split)
        metrics |= {f"{split}_{name}": value for name, value in scored.measured.values.items()}
        if fabric.is_global_zero:
            names = [sample.path.name for sample in loop.datasets[split].samples]
            classes, task = best.card.class_names, best.card.task
            write_predictions(folder.predictions(split), names, scored.labels, scored.logits, classes, task)
    if fabric.is_global_zero:
        best.card = best.card.model_copy(update={"metrics": metrics})
        save_model(best, folder.best)
        write_model_card(best.card, folder.model_card)
    if begin is not None:
        comparison = compare_models(loop, begin, load_model(folder.best, fabric.device))
        if fabric.is_global_zero:
            write_comparison(comparison, folder.comparison)
    return metrics


def _explained(error: RuntimeError, loop: Loop) -> SettingsError | None:
    """What a failure of torch means to people; None for one that is a defect of ours."""
    again = "Nothing was kept yet: start the run again with --overwrite"
    if loop.folder.resume.exists():
        again = f"Go on from the last checkpoint: softcam train --resume {loop.folder.path}"
    if is_out_of_memory(error):
        reason = f"the memory of {loop.fabric.device} is too small for batches of {loop.batch_size}"
        return OutOfMemoryError(loop.folder.path, reason, "Use --auto-batch, a smaller --batch-size or --shorter-side.")
    if has_lost_process(error, loop.fabric):
        return SettingsError(loop.folder.path, _PROCESS_DIED, f"{again}.")
    if "DataLoader worker" in str(error):
        reason = f"a process that reads images has died ({str(error).splitlines()[0]})"
        return SettingsError(loop.folder.path, reason, f"{again}, with fewer of them: --set hardware.workers=0.")
    return None


def _kind(error: BorderError) -> events.ErrorKind:
    """What sort of failure it is."""
    match error:
        case OutOfMemoryError():
            return "out_of_memory"
        case NotFiniteError():
            return "not_finite"
        case ManifestError() | ImageReadError():
            return "data"
    if "cannot be written" in error.reason:
        return "disk"
    return "process" if "process" in error.reason else "other"
