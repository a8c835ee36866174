"""How long a run will take on this machine, from a step or two of it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from softcam_core.data.dataset import Draw, ImageDataset
from softcam_core.data.source import read_source
from softcam_core.devices import choose_device, describe_device
from softcam_core.errors import ManifestError, OutOfMemoryError
from softcam_core.models.softcam import SoftCAM
from softcam_core.training.config import TrainingConfig
from softcam_core.training.memory import is_out_of_memory
from softcam_core.training.preparation import like_start, make_card

_STEPS = 2


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What a run will take.

    Attributes
    ----------
    seconds : float
        From reading the first image to the end, with nothing else going on.
    images : dict of str to int
        Of each split.
    device : str
        For people.
    """

    seconds: float
    images: dict[str, int]
    device: str


def estimate_run(config: TrainingConfig) -> RunEstimate:
    """Time a few steps on a training image, with random weights, and count how many there will be.

    Parameters
    ----------
    config : TrainingConfig

    Raises
    ------
    ManifestError, ImageReadError, CheckpointError, SettingsError
        When data, start or device cannot be used.
    OutOfMemoryError
        When a batch does not fit.
    """
    config = like_start(config)
    device = choose_device(config.hardware.device)
    manifest = read_source(config.data)
    images = {split: len(manifest.split(split)) for split in ("train", "val", "test")}
    samples = manifest.split("train")[:1]
    if not samples:
        raise ManifestError(manifest.path, "there are no training images", "Give a table with a split called train.")
    start = time.perf_counter()
    dataset = ImageDataset(samples, config.preprocessing, manifest=manifest.path)
    image = dataset[Draw(0, None)].image
    read = time.perf_counter() - start
    size = min(config.training.batch_size, images["train"])
    with torch.random.fork_rng(devices=[]):
        model = SoftCAM.from_card(make_card(config, manifest, config.preprocessing)).to(device)
    batch = image.expand(size, -1, -1, -1).to(device)
    try:
        forward, whole = _timed(model, batch)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        reason = f"the memory of {device} is too small for batches of {size}"
        raise OutOfMemoryError(config.data.path, reason, "Use a smaller batch size.") from error
    judged = images["val"] + images["test"]
    each_epoch = images["train"] * whole + images["val"] * forward
    # At the end both models are judged where one was trained on; flagged images are looked at after each epoch.
    at_end = judged * forward * (3 if config.model.start is not None else 1)
    flagged = images["train"] * config.feedback.share * forward if config.feedback.store is not None else 0.0
    seconds = read * sum(images.values()) + config.training.epochs * (each_epoch + flagged) + at_end
    return RunEstimate(seconds, images, describe_device(device))


def _timed(model: SoftCAM, batch: torch.Tensor) -> tuple[float, float]:
    """Seconds an image of going forward, and of going forward and back."""
    forward = whole = float("inf")
    for _ in range(_STEPS):
        start = time.perf_counter()
        with torch.no_grad():
            float(model(batch).logits.sum())  # waits for the device
        middle = time.perf_counter()
        logits, maps = model(batch)
        (logits.float().sum() + maps.float().abs().sum()).backward()
        float(sum(p.grad.sum() for p in model.head.parameters() if p.grad is not None))
        model.zero_grad(set_to_none=True)
        end = time.perf_counter()
        forward, whole = min(forward, middle - start), min(whole, end - middle)
    return forward / len(batch), whole / len(batch)
