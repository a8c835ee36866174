"""The loop: steps, epochs, validation, and what is kept; the same for one process and for many."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from softcam_core.data.dataset import Draw, ImageDataset
from softcam_core.data.manifest import Split
from softcam_core.errors import NotFiniteError, SettingsError
from softcam_core.models.softcam import SoftCAM
from softcam_core.training import events
from softcam_core.training.config import TrainingConfig
from softcam_core.training.dropout import drop_by_image
from softcam_core.training.judging import Scored, evaluate
from softcam_core.training.loading import TrainingBatches
from softcam_core.training.memory import largest_batch
from softcam_core.training.objective import Objective
from softcam_core.training.optimisation import (
    freeze,
    frozen_stages,
    learning_rate_factor,
    make_optimizer,
    set_learning_rate,
)
from softcam_core.training.processes import anyone, total
from softcam_core.training.run_folder import RunFolder
from softcam_core.training.sampling import Steps, epoch_order, network_seed, with_flagged
from softcam_core.training.state import (
    EpochRecord,
    Progress,
    RunState,
    go_back,
    keep_sound,
    save_epoch,
    save_state,
    split_step,
)

Datasets = Mapping[Split, ImageDataset]
Listener = Callable[[events.Event], object]


class Stopped(KeyboardInterrupt):
    """The run was asked to stop, and has written what it can be resumed from."""


class Loop:
    """One run.

    Parameters
    ----------
    config : TrainingConfig
    fabric : Fabric
        Launched.
    model : SoftCAM
        On the CPU or the device, with the run's card.
    datasets : mapping
        With "train" and "val", and perhaps "test".
    objective : Objective
    folder : RunFolder
    listeners : sequence of callable
        Called with each event, in the first process alone.
    should_stop : callable
        Asked after each step.
    state : RunState, optional
        To go on from.

    Attributes
    ----------
    read : callable
        Gives the training batches, in turn, for what is to be drawn in each.
    """

    def __init__(
        self,
        config: TrainingConfig,
        fabric: Fabric,
        model: SoftCAM,
        datasets: Datasets,
        objective: Objective,
        folder: RunFolder,
        listeners: tuple[Listener, ...] = (),
        should_stop: Callable[[], bool] = lambda: False,
        state: RunState | None = None,
    ) -> None:
        self.config, self.fabric, self.datasets, self.folder = config, fabric, datasets, folder
        self.listeners, self.should_stop = listeners, should_stop
        model = model.to(fabric.device)
        if fabric.device.type == "cuda" and fabric.world_size > 1:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        # Measured on two CPU cores, SqueezeNet at 320 px: 0.45 s a batch of 16 with channels last, 0.70 s without.
        self.memory_format = torch.channels_last if config.hardware.channels_last else torch.contiguous_format
        self.model: SoftCAM = model.to(memory_format=self.memory_format)
        self._image_seeds = drop_by_image(self.model)
        self.objective = objective.to(fabric.device)
        # The optimizer itself for its state and its rates, Fabric's around it for its steps.
        self.optimizer = make_optimizer(config.training, self.model)
        self._stepper: Any = fabric.setup_optimizers(self.optimizer)
        self.ema = None
        if config.training.ema is not None:
            averaging = get_ema_multi_avg_fn(config.training.ema)
            self.ema = AveragedModel(self.model, multi_avg_fn=averaging, use_buffers=True)
        self.progress = Progress(images=len(datasets["train"]))
        self.batch_size, self.accumulate = config.training.batch_size, config.training.accumulate
        if state is not None:
            self._restore(state)
        self.read: Callable[[list[list[Draw]]], Iterator[Any]] = TrainingBatches(
            datasets["train"], fabric, config.hardware
        )
        self._module: Any = None
        self._frozen: list[nn.Module] | None = None
        self._saved = time.monotonic()
        self._waited = 0.0  # in this epoch, while the run was paused

    # --- the run

    def fit(self) -> EpochRecord:
        """Train to the end, from wherever the run is; gives the best epoch."""
        if self.config.hardware.auto_batch:
            self._fit_batch_size()
        self.progress.step_size = self.progress.step_size or self.batch_size * self.accumulate * self.fabric.world_size
        while self.progress.epoch < self.config.training.epochs and not self._has_stalled():
            self.train_epoch()
            self._finish_epoch()
        assert self.progress.best_record is not None
        return self.progress.best_record

    def _fit_batch_size(self) -> None:
        """Halve the batches until they fit into memory; steps keep their number of images."""
        image = self._moved(self.datasets["train"][Draw(0, None)].image[None])
        fitting = largest_batch(self.fabric, self.model, self._image_seeds, image, self.batch_size)
        if fitting < self.batch_size:
            self.accumulate *= -(-self.batch_size // fitting)
            message = (
                f"the memory is too small for batches of {self.batch_size}: {fitting}, {self.accumulate} to a step"
            )
            self.batch_size = fitting
            self.emit(events.WarningEvent(message=message))

    def _has_stalled(self) -> bool:
        patience = self.config.training.early_stopping
        return patience is not None and self.progress.stale >= patience

    def emit(self, event: events.Event) -> None:
        """Tell the listeners, in the first process."""
        if self.fabric.is_global_zero:
            for listener in self.listeners:
                listener(event)

    # --- an epoch

    def steps(self, epoch: int, start: int = 0) -> Steps:
        """What this process sees of an epoch."""
        data, config = self.datasets["train"].samples, self.config
        labels = [sample.label if isinstance(sample.label, int) else 0 for sample in data]
        order = epoch_order(labels, config.training.sampler, config.seed, epoch, config.training.epochs)
        if self.objective.guidance is not None:
            order = with_flagged(order, self.objective.guidance.flagged, config.feedback.share, config.seed, epoch)
        return Steps(
            order,
            batch_size=self.batch_size,
            accumulate=self.accumulate,
            processes=self.fabric.world_size,
            rank=self.fabric.global_rank,
            seed=config.seed,
            epoch=epoch,
            start=start,
        )

    def train_epoch(self) -> None:
        """Train from the position to the end of the epoch."""
        progress = self.progress
        plan = self.steps(progress.epoch, progress.position)
        if not len(plan):
            return
        frozen = frozen_stages(self.config.training, self.model, progress.epoch)
        freeze(self.model, frozen)
        if self._module is None or frozen != self._frozen:
            # What has no gradient is settled when the processes' gradients are joined, so they are joined anew.
            self._module = None
            self._module, self._frozen = self.fabric.setup_module(self.model, move_to_device=False), frozen
        batches = list(plan.batches())
        images = self.read([batch for step in batches for batch in step])
        start, began = time.monotonic(), progress.seconds
        self._waited = 0.0
        first_seen, epoch_steps = progress.seen, len(self.steps(progress.epoch))
        for size, step in zip(plan.sizes(), batches, strict=True):
            rate = self._set_learning_rate()
            terms = self._step([(draws, next(images)) for draws in step], size)
            progress.position = min(progress.position + plan.size, plan.stop)
            progress.step += 1
            progress.seen += size
            for name, value in terms.items():
                progress.sums[name] = progress.sums.get(name, 0.0) + value * size
            spent = time.monotonic() - start - self._waited
            progress.seconds = began + spent
            pace = spent / (progress.seen - first_seen)
            self._tell_step(terms, rate, pace, epoch_steps)
            self._stop_or_save()

    def _finish_epoch(self) -> None:
        """Validate, keep what is best, and write it all down."""
        progress, config = self.progress, self.config.training
        start = time.monotonic()
        scored = self.evaluate(self.judged, "val", stoppable=True)
        values = scored.measured.values
        if not math.isfinite(values["loss"]):
            self._stop_not_finite()
        if config.select not in values:
            message = (
                f"{config.select} is undefined on the validation images in epoch {progress.epoch + 1}, as where all "
                "have the same score: a lower rate, lr_warmup or smaller penalties may help"
            )
            self.emit(events.WarningEvent(message=message))
        record = EpochRecord(
            epoch=progress.epoch + 1,
            step=progress.step,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            train={name: progress.sums[name] / progress.seen for name in self.objective.names},
            val=values,
            seconds=progress.seconds + time.monotonic() - start,
            evidence={} if self.objective.guidance is None else self.objective.guidance.measure(self.judged),
        )
        best = progress.best_record
        # Epochs with less than the full penalty only stand in until there is one with it.
        loss = self.config.loss
        is_first_full = loss.is_penalised and record.epoch == loss.penalty_warmup + 1
        is_better = best is None or is_first_full or record.beats(best, config.select)
        is_best = is_better or config.keep == "last"
        progress.history.append(record)
        progress.best = record.epoch if is_best else progress.best
        progress.stale = 0 if is_better else progress.stale + 1
        progress.plateau.after(is_better, config)
        progress.epoch, progress.position, progress.seen, progress.seconds = record.epoch, 0, 0, 0.0
        progress.sums = {}
        if self.fabric.is_global_zero:
            # The better model first: a run stopped in between has a model at least as good as its table says.
            if is_best:
                self._save_model("best", record)
            self._save_model("last", record)
            self.folder.write_metrics([r.row(best=r.epoch == progress.best) for r in progress.history])
        is_told = is_best and config.keep == "best"  # the last one is kept whatever it is
        self.emit(
            events.EpochEvent(epoch=record.epoch, metrics=record.figures(), seconds=record.seconds, is_best=is_told)
        )
        self.save_state()

    # --- a step

    def _step(self, batches: list[tuple[list[Draw], Any]], size: int) -> dict[str, float]:
        """One step of the optimizer; the means of the loss and its terms over all its images, in all processes."""
        # What else the network draws, it draws as in a run without interruption.
        torch.manual_seed(network_seed(self.config.seed, self.progress.step, self.fabric.global_rank))
        self._stepper.zero_grad(set_to_none=True)
        sums = torch.zeros(len(self.objective.names), dtype=torch.float64, device=self.fabric.device)
        for number, (draws, batch) in enumerate(batches, start=1):
            self._image_seeds.seeds = [draw.seed or 0 for draw in draws]
            images = self._moved(batch.image)
            with self.fabric.no_backward_sync(self._module, enabled=number < len(batches)):
                logits, maps = self._module(images)
                terms = self.objective(batch, images, logits, maps, lambda: self.model.offset, self._penalty_share())
                sums += terms.detach().sum(1)
                # Gradients of the processes are averaged, and losses are sums over this process's images.
                self.fabric.backward(terms[0].sum() * (self.fabric.world_size / size))
        means = (total(self.fabric, sums) / size).tolist()
        if not math.isfinite(means[0]):
            self._stop_not_finite()
        if self.config.training.clip_norm is not None:
            self.fabric.clip_gradients(
                self._module, self._stepper, max_norm=self.config.training.clip_norm, error_if_nonfinite=False
            )
        self._stepper.step()
        if self.ema is not None:
            self.ema.update_parameters(self.model)
        return dict(zip(self.objective.names, means, strict=True))

    def _moved(self, images: Tensor) -> Tensor:
        return images.to(self.fabric.device, memory_format=self.memory_format, non_blocking=True)

    def _epochs_done(self) -> float:
        return self.progress.epoch + self.progress.position / len(self.datasets["train"])

    def _set_learning_rate(self) -> float:
        factor = learning_rate_factor(self.config.training, self._epochs_done(), self.progress.plateau.factor)
        set_learning_rate(self.optimizer, factor)
        return float(self.optimizer.param_groups[0]["lr"])

    def _penalty_share(self) -> float:
        """Share of the penalties' weights that is in force at this step, 0 to 1."""
        warmup = self.config.loss.penalty_warmup
        return min(1.0, self._epochs_done() / warmup) if warmup else 1.0

    def _tell_step(self, terms: dict[str, float], rate: float, pace: float, each: int) -> None:
        """Say how the step went, at a `pace` of seconds an image, where an epoch has `each` steps."""
        epochs, size = self.config.training.epochs, self.progress.step_size
        left = each * (epochs - self.progress.epoch) - -(-self.progress.position // size)
        self.emit(
            events.StepEvent(
                epoch=self.progress.epoch + 1,
                step=self.progress.step,
                steps=each * epochs,
                loss=terms["loss"],
                terms={name: value for name, value in terms.items() if name != "loss"},
                learning_rate=rate,
                images_per_second=1 / pace if pace > 0 else None,
                seconds_left=max(0, left) * size * pace,
            )
        )

    # --- judging

    @property
    def judged(self) -> SoftCAM:
        """The model that is validated and saved: the moving average where there is one."""
        return self.model if self.ema is None else self.ema.module  # type: ignore[return-value]

    def evaluate(self, model: SoftCAM, split: Split, *, stoppable: bool = False) -> Scored:
        """Score a split with a model, in each process the whole of it."""
        check = self._stop_or_save if stoppable else None
        return evaluate(model, self.datasets[split], self.fabric, self.config, check)

    # --- keeping

    def save_state(self) -> None:
        """Write what the run can be resumed from."""
        self._saved = time.monotonic()
        if not self.fabric.is_global_zero:
            return
        tensors: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),
        }
        if self.ema is not None:
            tensors["ema"] = self.ema.state_dict()
        keep_sound(self.folder, self.progress)
        save_state(RunState(self.progress, self.model.card.model_dump_json(), tensors), self.folder.resume)
        self._tell_checkpoint("resume", self.folder.resume.name, self.progress.epoch)

    def _restore(self, state: RunState) -> None:
        if state.progress.images != self.progress.images:
            reason = f"began with {state.progress.images} training images, and there are {self.progress.images} now"
            raise SettingsError(self.folder.path, reason, "Bring the data back as it was, or start a new run.")
        self.progress = copy.deepcopy(state.progress)
        self.model.load_state_dict(state.tensors["model"])
        self.optimizer.load_state_dict(state.tensors["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state.tensors["precision"])
        if self.ema is not None and "ema" in state.tensors:
            self.ema.load_state_dict(state.tensors["ema"])
        kept = split_step(self.progress.step_size, self.fabric.world_size, self.batch_size)
        if kept is not None:
            self.batch_size, self.accumulate = kept
            return
        now = self.batch_size * self.accumulate * self.fabric.world_size
        self.emit(
            events.WarningEvent(
                message=f"{self.fabric.world_size} processes cannot share steps of {self.progress.step_size} images: "
                f"from here on a step has {now}"
            )
        )
        self.progress.step_size = now

    def _save_model(self, kind: Literal["best", "last"], record: EpochRecord) -> None:
        path = self.folder.best if kind == "best" else self.folder.last
        save_epoch(self.judged, path, kind, record)
        self._tell_checkpoint(kind, path.name, record.epoch)

    def _tell_checkpoint(self, kind: events.CheckpointKind, name: str, epoch: int) -> None:
        self.emit(events.CheckpointEvent(kind=kind, path=name, epoch=epoch, step=self.progress.step))

    def _stop_or_save(self) -> None:
        """Stop where any process was asked to, or write a state where the last one is old; both between two steps."""
        asked = time.monotonic()
        must_stop = self.should_stop()
        self._waited += time.monotonic() - asked
        if anyone(self.fabric, must_stop):
            self.save_state()
            raise Stopped
        if time.monotonic() - self._saved >= 60 * self.config.hardware.checkpoint_minutes:
            self.save_state()

    def _stop_not_finite(self) -> None:
        if self.fabric.is_global_zero:
            go_back(self.folder)
        best = self.progress.best
        kept = f" The best model so far, of epoch {best}, is kept." if best else ""
        raise NotFiniteError(
            self.folder.path,
            f"the loss is not a finite number in epoch {self.progress.epoch + 1}",
            f"Use a lower learning rate than {self.config.training.lr:g} (--lr), or smaller penalties.{kept}",
        )
