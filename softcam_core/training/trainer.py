"""The training loop: one model, one device, the epoch of the best validation AUC kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader
from tqdm import tqdm

from softcam_core import __version__
from softcam_core.data.dataset import DEFAULT_MEMORY_BUDGET, ImageDataset
from softcam_core.data.manifest import Manifest, Split
from softcam_core.devices import choose_device
from softcam_core.errors import ManifestError, SettingsError
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import load_model, save_model
from softcam_core.models.initialisation import initialise
from softcam_core.models.softcam import ALWAYS_LARGE_ENOUGH, SoftCAM
from softcam_core.training.config import TrainingConfig
from softcam_core.training.losses import elastic_net
from softcam_core.training.run_folder import EpochRecord, RunFolder
from softcam_core.training.scores import Scores, score

Datasets = dict[Split, ImageDataset]


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
        "val_auc", and "test_auc" and "test_accuracy" where the manifest has a test split.
    """

    checkpoint: Path
    best_epoch: int
    history: tuple[EpochRecord, ...]
    metrics: dict[str, float]


def train(
    config: TrainingConfig,
    manifest: Manifest,
    run_folder: Path | str,
    *,
    overwrite: bool = False,
    progress: bool = False,
    on_epoch: Callable[[EpochRecord], object] | None = None,
) -> TrainingResult:
    """Train a SoftCAM and keep its best epoch.

    The best epoch is that of the highest validation AUC and, among equal ones, of the lowest validation loss. An
    interrupted run (KeyboardInterrupt is passed on) leaves the best model so far.

    Parameters
    ----------
    config : TrainingConfig
    manifest : Manifest
        With the splits train and val, each with every class, and perhaps test.
    run_folder : Path or str
        Gets ``config.json``, ``metrics.csv`` (a row an epoch) and ``best.safetensors``.
    overwrite : bool
        Replace a run that is there.
    progress : bool
        Show progress bars on standard error.
    on_epoch : callable, optional
        Called with each epoch's record once it is written.

    Raises
    ------
    ManifestError
        When a split or a class is missing, or images cannot be read.
    SettingsError
        When the run folder holds a run, images and network do not fit each other, the memory is too small or the loss
        is no longer finite.
    CheckpointError
        When the initial weights cannot be used.
    """
    device = choose_device(config.device)
    folder = RunFolder(Path(run_folder))
    folder.check(overwrite)
    _check_splits(config, manifest)
    # The caller's random numbers go on as if nothing had happened.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(config.seed)
        model = SoftCAM.from_card(_card(config, manifest, config.preprocessing))
        if config.init is not None:
            initialise(model, config.init)
        datasets = _read_images(config, manifest, progress)
        statistics = datasets["train"].statistics
        if config.measures_normalisation and statistics is not None:
            measured = config.preprocessing.model_copy(update={"mean": statistics.mean, "std": statistics.std})
            model.card = _card(config, manifest, measured)
        for dataset in datasets.values():
            dataset.preprocessing = model.card.preprocessing
        _check_input(model, datasets["train"][0][0])
        folder.create(config)
        try:
            return _Run(config, model.to(device), datasets, folder, progress, on_epoch).fit()
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            reason = f"the memory of {device} is too small for batches of {config.batch_size}"
            raise SettingsError(folder.path, reason, "Use a smaller --batch-size or --shorter-side.") from error


class _Run:
    """One run: the parts it needs, and its history."""

    def __init__(
        self,
        config: TrainingConfig,
        model: SoftCAM,
        datasets: Datasets,
        folder: RunFolder,
        progress: bool,
        on_epoch: Callable[[EpochRecord], object] | None,
    ) -> None:
        # Measured on two CPU cores, SqueezeNet at 320 px: 0.45 s a batch of 16 with channels last, 0.70 s without.
        self.model = model.to(memory_format=torch.channels_last)
        self.config, self.datasets, self.folder, self.progress = config, datasets, folder, progress
        self.on_epoch = on_epoch
        self.optimizer = _optimizer(config, model)
        self.training_batches = self._loader("train")
        steps = config.epochs * len(self.training_batches)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimizer, steps, eta_min=config.learning_rate / 100
        )
        self.history: list[EpochRecord] = []
        self.best: EpochRecord | None = None

    def fit(self) -> TrainingResult:
        """Train all epochs, then judge the best one on the test split."""
        for epoch in range(1, self.config.epochs + 1):
            record = self._epoch(epoch)
            self.history.append(record)
            # The better model first: a run stopped in between has a model at least as good as its table says.
            # Epochs with less than the full penalty only stand in until there is one with it.
            is_first_full = epoch == self.config.penalty_warmup + 1
            if is_first_full or self.best is None or record.score > self.best.score:
                self.best = record
                self._save(self.model, {"val_auc": record.val_auc})
            self.folder.write_metrics(self.history)
            if self.on_epoch is not None:
                self.on_epoch(record)
        assert self.best is not None
        metrics = {"val_auc": self.best.val_auc}
        if "test" in self.datasets:
            best = load_model(self.folder.best, self.model.device)
            scores = self._evaluate(best, "test")
            metrics["test_accuracy"] = scores.accuracy
            if scores.auc is not None:
                metrics["test_auc"] = scores.auc
            self._save(best, metrics)
        return TrainingResult(self.folder.best, self.best.epoch, tuple(self.history), metrics)

    def _epoch(self, epoch: int) -> EpochRecord:
        start = time.perf_counter()
        total = penalties = 0.0
        seen = 0
        bar = tqdm(
            self.training_batches,
            desc=f"epoch {epoch}/{self.config.epochs}",
            unit="batch",
            disable=not self.progress,
            dynamic_ncols=True,
        )
        self.model.train()
        with bar:
            for images, labels in bar:
                loss, penalty = self._step(images, labels)
                if not math.isfinite(loss):
                    self._stop_not_finite(epoch)
                total, penalties, seen = (
                    total + loss * len(labels),
                    penalties + penalty * len(labels),
                    seen + len(labels),
                )
                bar.set_postfix(loss=f"{total / seen:.4f}", refresh=False)
            scores = self._evaluate(self.model, "val")
            if not math.isfinite(scores.loss) or scores.auc is None:
                self._stop_not_finite(epoch)
            assert scores.auc is not None
            bar.set_postfix(loss=f"{total / seen:.4f}", val_loss=f"{scores.loss:.4f}", val_auc=f"{scores.auc:.4f}")
        return EpochRecord(
            epoch=epoch,
            learning_rate=float(self.schedule.get_last_lr()[0]),
            train_loss=total / seen,
            train_penalty=penalties / seen,
            val_loss=scores.loss,
            val_auc=scores.auc,
            val_accuracy=scores.accuracy,
            seconds=time.perf_counter() - start,
        )

    def _step(self, images: Tensor, labels: Tensor) -> tuple[float, float]:
        """One step of the optimizer; returns the loss and the penalty in it."""
        device = self.model.device
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits, maps = self.model(images.to(device, memory_format=torch.channels_last))
        penalty = self._penalty_share() * elastic_net(maps, self.config.l1, self.config.l2, self.config.l2_form)
        loss = F.cross_entropy(logits.float(), labels.to(device)) + penalty
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach()), float(penalty.detach())

    def _penalty_share(self) -> float:
        """Share of the penalties' weights that is in force at this step, 0 to 1."""
        warmup = self.config.penalty_warmup * len(self.training_batches)
        return min(1.0, self.schedule.last_epoch / warmup) if warmup else 1.0

    def _evaluate(self, model: nn.Module, split: Split) -> Scores:
        """Score a model on a split, in float32 as it will be used."""
        device = self.model.device
        model.eval()
        with torch.inference_mode():
            logits = [
                model(images.to(device, memory_format=torch.channels_last)).logits.cpu()
                for images, _ in self._loader(split)
            ]
        scored = torch.cat(logits)
        if not bool(torch.isfinite(scored).all()):
            return Scores(math.nan, None, 0.0)
        return score(scored, torch.tensor([sample.label for sample in self.datasets[split].samples]))

    def _loader(self, split: Split) -> DataLoader[Any]:
        """Batches of images (B, 3, h, w) and labels (B,); shuffled for training, in order otherwise."""
        dataset, size = self.datasets[split], self.config.batch_size
        is_train = split == "train"
        return DataLoader(
            dataset,
            batch_size=size,
            shuffle=is_train,
            # A last batch of one image has no spread that batch normalisation could measure.
            drop_last=is_train and size > 1 and len(dataset) % size == 1,
            num_workers=0 if dataset.is_in_memory else self.config.workers,
        )

    def _save(self, model: SoftCAM, metrics: dict[str, float]) -> None:
        assert self.best is not None
        provenance = {**self.model.card.provenance, "best_epoch": self.best.epoch}
        model.card = self.model.card.model_copy(update={"metrics": metrics, "provenance": provenance})
        save_model(model, self.folder.best)

    def _stop_not_finite(self, epoch: int) -> None:
        kept = f" The best model so far, of epoch {self.best.epoch}, is kept." if self.best else ""
        raise SettingsError(
            self.folder.path,
            f"the loss is not a finite number in epoch {epoch}",
            f"Use a lower learning rate than {self.config.learning_rate:g} (--lr), or smaller penalties.{kept}",
        )


def _optimizer(config: TrainingConfig, model: nn.Module) -> torch.optim.Optimizer:
    if config.optimizer == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    return torch.optim.SGD(
        model.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        nesterov=True,
        weight_decay=config.weight_decay,
    )


def _card(config: TrainingConfig, manifest: Manifest, preprocessing: Preprocessing) -> ModelCard:
    settings = config.model_dump(
        mode="json", exclude={"preprocessing", "class_names", "name", "architecture", "options", "device"}
    )
    # File names only: a path can tell who trained and where.
    settings["init"] = config.init.name if isinstance(config.init, Path) else config.init
    splits: tuple[Split, ...] = ("train", "val", "test")
    return ModelCard(
        name=config.name or config.architecture,
        architecture=config.architecture,
        options=config.options,
        class_names=config.class_names,
        preprocessing=preprocessing,
        provenance={
            "manifest": manifest.path.name,
            "samples": {split: manifest.counts(split) for split in splits},
            "epochs": config.epochs,
            "settings": settings,
            "versions": {"softcam": __version__, "torch": torch.__version__},
        },
    )


def _check_splits(config: TrainingConfig, manifest: Manifest) -> None:
    if config.class_names != manifest.class_names:
        reason = f"its classes are {', '.join(manifest.class_names)}, not {', '.join(config.class_names)}"
        raise ManifestError(manifest.path, reason, "Name the same classes in the same order.")
    needed: tuple[Split, ...] = ("train", "val")
    for split in needed:
        counts = manifest.counts(split)
        if not any(counts.values()):
            raise ManifestError(manifest.path, f"has no image in the split {split!r}", "Training needs train and val.")
        absent = [name for name, count in counts.items() if not count]
        if absent:
            reason = f"has no image of {', '.join(absent)} in the split {split!r}"
            raise ManifestError(manifest.path, reason, "Each class needs images in train and in val.")


def _read_images(config: TrainingConfig, manifest: Manifest, progress: bool) -> Datasets:
    """Read every image once; splits without images are left out."""
    splits: tuple[Split, ...] = ("train", "val", "test")
    datasets: Datasets = {}
    budget = DEFAULT_MEMORY_BUDGET
    with tqdm(total=len(manifest.samples), desc="reading", unit="image", disable=not progress, leave=False) as bar:
        for split in splits:
            if samples := manifest.split(split):
                is_train = split == "train"
                datasets[split] = ImageDataset(
                    samples,
                    config.preprocessing,
                    manifest=manifest.path,
                    flip_horizontal=is_train and config.flip_horizontal,
                    flip_vertical=is_train and config.flip_vertical,
                    memory_budget=budget,
                    on_read=bar.update,
                )
                budget -= datasets[split].bytes_in_memory
    return datasets


def _check_input(model: SoftCAM, image: Tensor) -> None:
    """Refuse images that the network's strides leave nothing of."""
    height, width = image.shape[1:]
    model.eval()
    try:
        with torch.inference_mode():
            model(image[None])
    except RuntimeError as error:
        if min(height, width) >= ALWAYS_LARGE_ENOUGH:
            raise
        reason = f"inputs of {height} x {width} pixels are too small for {model.card.architecture}"
        raise SettingsError("preprocessing", reason, "Give a larger --shorter-side or --crop.") from error
