"""From a configuration to what the loop needs: data looked through, settings that suit it, losses, the model's card."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from softcam_core import __version__
from softcam_core.data.cache import ImageCache
from softcam_core.data.checks import check_for_training
from softcam_core.data.dataset import ImageDataset
from softcam_core.data.manifest import Manifest, Sample, Split
from softcam_core.errors import SettingsError
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import read_card
from softcam_core.models.softcam import ALWAYS_LARGE_ENOUGH, SoftCAM
from softcam_core.training.config import LossConfig, TrainingConfig
from softcam_core.training.flags import Flags
from softcam_core.training.guidance import Guidance
from softcam_core.training.losses import ClassificationLoss, ElasticNet, LossKind
from softcam_core.training.metrics import METRICS
from softcam_core.training.objective import Objective

SPLITS: tuple[Split, ...] = ("train", "val", "test")


def make_objective(
    config: TrainingConfig, manifest: Manifest, dataset: ImageDataset, guidance: Guidance | None = None
) -> Objective:
    """Make what is minimised; weights of classes are measured on the training images."""
    loss, names = config.loss, manifest.class_names
    several = manifest.task == "multi_label"
    kind: LossKind = ("bce" if several else "cross_entropy") if loss.kind == "auto" else loss.kind
    factors = tuple(loss.penalty_classes.get(name, 1.0) for name in names) if loss.penalty_classes else None
    return Objective(
        ClassificationLoss(
            kind,
            multi_label=several,
            class_weights=_class_weights(loss, dataset, len(names)),
            label_smoothing=loss.label_smoothing,
            gamma=loss.focal_gamma,
        ),
        ElasticNet(loss.l1, loss.l2, loss.l2_form, factors),
        guidance,
    )


def _class_weights(loss: LossConfig, dataset: ImageDataset, classes: int) -> tuple[float, ...] | None:
    if loss.class_weights == "none":
        return None
    if loss.class_weights != "balanced":
        return loss.class_weights
    count = len(dataset)
    labels = torch.tensor([sample.label for sample in dataset.samples])
    if labels.ndim == 2:
        positives = labels.sum(0).clamp(min=1)
        return tuple(((count - positives) / positives).clamp(min=1 / count).tolist())
    return tuple((count / (classes * torch.bincount(labels, minlength=classes))).tolist())


def make_card(config: TrainingConfig, manifest: Manifest, preprocessing: Preprocessing) -> ModelCard:
    """Make the card of the model to be trained."""
    settings = config.model_dump(mode="json", include={"seed", "normalisation", "augmentation", "loss", "training"})
    # File names only: a path can tell who trained and where.
    init = config.model.init
    settings["init"] = init.name if isinstance(init, Path) else init
    if config.feedback.store is not None:
        settings["feedback"] = config.feedback.model_dump(mode="json", exclude={"store", "reviewers"})
    return ModelCard(
        name=config.model.name or config.model.architecture,
        architecture=config.model.architecture,
        options=config.model.options,
        class_names=manifest.class_names,
        task=manifest.task,
        preprocessing=preprocessing,
        provenance={
            "manifest": manifest.path.name,
            "samples": {split: manifest.counts(split) for split in SPLITS},
            "settings": settings,
            "versions": {"softcam": __version__, "torch": torch.__version__},
        },
    )


def like_start(config: TrainingConfig) -> TrainingConfig:
    """Take architecture, classes and input from the model that is trained on, where there is one.

    Raises
    ------
    CheckpointError
        When its file cannot be read.
    SettingsError
        When the data is to have other classes.
    """
    start = config.model.start
    if start is None:
        return config
    card = read_card(start)
    names = config.data.class_names or config.data.label_columns
    if names and tuple(names) != card.class_names:
        reason = f"are to be {', '.join(names)}, and the model to train on knows {', '.join(card.class_names)}"
        raise SettingsError("data.class_names", reason, "Leave the class names out, or start afresh.")
    model = config.model.model_copy(
        update={
            **{"architecture": card.architecture, "options": card.options},
            "name": config.model.name or f"{card.name}, fine-tuned"[:200],
        }
    )
    data = config.data.model_copy(update={"class_names": card.class_names})
    return config.model_copy(update={"model": model, "preprocessing": card.preprocessing, "data": data})


def with_lineage(card: ModelCard, start: ModelCard) -> ModelCard:
    """A card that tells what its model was trained on from, and what that was."""
    lineage = [*start.provenance.get("lineage", []), {"name": start.name, "sha256": start.sha256}]
    return card.model_copy(update={"provenance": {**card.provenance, "lineage": lineage}})


def with_feedback(card: ModelCard, flags: Flags, samples: Sequence[Sample]) -> ModelCard:
    """A card that tells how many flags its model was trained with."""
    told = {"flags": flags.counts(samples), "images": len(flags.indexes(samples))}
    return card.model_copy(update={"provenance": {**card.provenance, "feedback": told}})


def check_settings(config: TrainingConfig, manifest: Manifest) -> None:
    """Refuse settings that do not suit the data.

    Raises
    ------
    SettingsError
        Naming the first of them.
    """
    names = manifest.class_names
    labels = "one label each" if manifest.task == "single_label" else "several labels"
    for setting, problem in _problems(config, manifest):
        raise SettingsError(setting, problem, f"The images have {labels}; the classes are {', '.join(names)}.")


def _problems(config: TrainingConfig, manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Settings, and what is wrong with them for this data."""
    loss, training, names = config.loss, config.training, manifest.class_names
    several = manifest.task == "multi_label"
    if loss.kind == "bce" and not several:
        yield "loss.kind", "bce is for several labels an image"
    if loss.kind == "cross_entropy" and several:
        yield "loss.kind", "cross_entropy is for one label an image"
    if loss.label_smoothing and (several or loss.kind == "focal"):
        yield "loss.label_smoothing", "label smoothing is for cross-entropy alone"
    if isinstance(loss.class_weights, tuple) and len(loss.class_weights) != len(names):
        yield "loss.class_weights", f"there are {len(loss.class_weights)} weights for {len(names)} classes"
    if unknown := sorted(set(loss.penalty_classes) - set(names)):
        yield "loss.penalty_classes", f"no class is called {', '.join(unknown)}"
    if training.sampler != "shuffle" and several:
        yield "training.sampler", f"{training.sampler} sampling is for one label an image"
    if manifest.task not in METRICS[training.select].tasks:
        yield "training.select", f"{training.select} is for one label an image"


def read_images(
    config: TrainingConfig,
    manifest: Manifest,
    fabric: Fabric,
    on_read: Callable[[int, int], object] | None,
    on_trouble: Callable[[str], object],
) -> dict[Split, ImageDataset]:
    """Read every image once; splits without images are left out."""
    hardware = config.hardware
    cache = ImageCache(int(hardware.cache_gb * 1e9), hardware.cache, on_trouble)
    count = Counter[str]()

    def read() -> None:
        count["images"] += 1
        if on_read is not None:
            on_read(count["images"], len(manifest.samples))

    datasets: dict[Split, ImageDataset] = {}
    # What the first process puts into a folder the others need not decode.
    with fabric.rank_zero_first(local=True) if hardware.cache else contextlib.nullcontext():
        for split in SPLITS:
            if samples := manifest.split(split):
                datasets[split] = ImageDataset(
                    samples,
                    config.preprocessing,
                    manifest=manifest.path,
                    augmentation=config.augmentation if split == "train" else None,
                    cache=cache,
                    skip_bad=config.skip_bad,
                    on_read=read,
                )
    return datasets


def check_what_is_left(manifest: Manifest, datasets: dict[Split, ImageDataset]) -> None:
    """Without unreadable images, each class still needs some."""
    if any(dataset.skipped for dataset in datasets.values()):
        left = tuple(sample for dataset in datasets.values() for sample in dataset.samples)
        check_for_training(Manifest(manifest.path, manifest.class_names, left, manifest.task))


def check_input(model: SoftCAM, image: Tensor) -> None:
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
