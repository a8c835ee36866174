"""What a trial's evidence is like on the validation images: how sparse it is, and whether it lies on the findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import default_collate

from softcam_core.data.cache import ImageCache
from softcam_core.data.dataset import ImageDataset
from softcam_core.data.manifest import Manifest, Sample
from softcam_core.data.prepared import box_region
from softcam_core.errors import ImageReadError
from softcam_core.evaluation.localization import pointing_game, relevance_mass
from softcam_core.evaluation.sparsity import gini_index, near_zero_share
from softcam_core.explainers.methods import explain
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.readers import read_image
from softcam_core.imaging.sizes import image_size
from softcam_core.models.modes import evaluating
from softcam_core.models.softcam import SoftCAM
from softcam_core.sweep.records import GINI, MASS, NEAR_ZERO, POINTING
from softcam_core.training.config import TrainingConfig

Between = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Annotated:
    """A validation image in which the finding of its class is marked.

    Attributes
    ----------
    sample : Sample
    target : int
        Class whose evidence is looked at.
    against : int or None
        Class whose evidence is taken away from it: the other one of two exclusive classes.
    """

    sample: Sample
    target: int
    against: int | None


def find_annotated(manifest: Manifest, skip_bad: bool) -> tuple[Annotated, ...]:
    """Find the validation images with a mask that is not empty, or with boxes.

    Of images with several labels nobody says which of them the annotation belongs to: they do not count.

    Parameters
    ----------
    manifest : Manifest
    skip_bad : bool
        Leave out those whose mask cannot be read.

    Raises
    ------
    ImageReadError
        When a mask cannot be read or has another size than its image.
    """
    found = []
    for sample in manifest.split("val"):
        target = _only_label(sample)
        if target is None or not (sample.boxes or sample.mask):
            continue
        size = image_size(sample.path)
        if size is None:  # said where images are read
            continue
        try:
            is_marked = bool(annotated_region(sample, size).any())
        except ImageReadError:
            if not skip_bad:
                raise
            continue
        if is_marked:
            is_binary = manifest.task == "single_label" and len(manifest.class_names) == 2
            found.append(Annotated(sample, target, 1 - target if is_binary else None))
    return tuple(found)


def annotated_region(sample: Sample, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Pixels that were annotated.

    Parameters
    ----------
    sample : Sample
    size : (int, int)
        Height and width of its image.

    Returns
    -------
    ndarray, (H, W) bool
        Where the sample's mask is not 0, else every pixel that one of its boxes touches.

    Raises
    ------
    ImageReadError
        When the mask cannot be read or has another size.
    """
    if sample.mask is None:
        return np.asarray(box_region(sample.boxes, Geometry(size, size, (0, 0), size))[0] > 0)
    mask = read_image(sample.mask)
    if mask.size != size:
        reason = f"this mask has {mask.size[0]} x {mask.size[1]} pixels and its image {size[0]} x {size[1]}"
        raise ImageReadError(sample.mask, reason, "Draw the mask on the image's own pixels.")
    return np.asarray((mask.pixels != 0).reshape(*size, -1).any(axis=-1))


def judge_evidence(
    model: SoftCAM,
    manifest: Manifest,
    annotated: Sequence[Annotated],
    config: TrainingConfig,
    between: Between = lambda: None,
) -> dict[str, float]:
    """Judge a model's evidence on the validation images.

    Parameters
    ----------
    model : SoftCAM
        On the device to use.
    manifest : Manifest
    annotated : sequence of Annotated
        See `find_annotated`; without any, nothing is said of where evidence lies.
    config : TrainingConfig
        Of the run that made the model.
    between : callable
        Called after each batch and each annotated image.

    Returns
    -------
    dict
        "gini" and "near_zero", means over all images, of the map of the class with the highest logit;
        "mass_in_annotation" and "pointing", means over annotated images. An image without positive evidence for its
        finding has no mass there, and one whose annotation was cropped away neither mass nor a hit.

    Raises
    ------
    ManifestError
        When images cannot be read any more.
    """
    dataset = _dataset(model, manifest, config)
    figures = _sparsity(model, dataset, config.training.batch_size, between)
    readable = {sample.path for sample in dataset.samples}
    wanted = [each for each in annotated if each.sample.path in readable]
    return figures | (_localisation(model, wanted, between) if wanted else {})


def _dataset(model: SoftCAM, manifest: Manifest, config: TrainingConfig) -> ImageDataset:
    hardware = config.hardware
    return ImageDataset(
        manifest.split("val"),
        model.card.preprocessing,
        manifest=manifest.path,
        cache=ImageCache(int(hardware.cache_gb * 1e9), hardware.cache),
        skip_bad=config.skip_bad,
    )


def _sparsity(model: SoftCAM, dataset: ImageDataset, batch_size: int, between: Between) -> dict[str, float]:
    gini, near_zero = [], []
    for start in range(0, len(dataset), batch_size):
        batch = default_collate([dataset[i] for i in range(start, min(start + batch_size, len(dataset)))])
        with evaluating(model), torch.inference_mode():
            logits, maps = model(batch.image.to(model.device))
            rows = torch.arange(len(logits), device=logits.device)
            predicted = maps[rows, logits.argmax(1)].float()
            gini.append(gini_index(predicted))
            near_zero.append(near_zero_share(predicted))
        between()
    return {GINI: float(torch.cat(gini).mean()), NEAR_ZERO: float(torch.cat(near_zero).mean())}


def _localisation(model: SoftCAM, annotated: Sequence[Annotated], between: Between) -> dict[str, float]:
    masses, hits = [], []
    for each in annotated:
        image = read_image(each.sample.path)
        region = torch.from_numpy(annotated_region(each.sample, image.size))[None]
        on_image = torch.from_numpy(explain(model, image).on_image(each.target, each.against))[None]
        masses.append(relevance_mass(on_image, region))
        hits.append(pointing_game(on_image, region))
        between()
    return {
        name: float(torch.cat(found).nan_to_num(nan=0.0).mean()) for name, found in ((MASS, masses), (POINTING, hits))
    }


def _only_label(sample: Sample) -> int | None:
    if isinstance(sample.label, int):
        return sample.label
    present = [index for index, has in enumerate(sample.label) if has]
    return present[0] if len(present) == 1 else None
