"""Measure a fine-tuned model beside the model it started from, on the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from softcam_core.data.dataset import Draw, FlaggedItem, ImageDataset
from softcam_core.data.manifest import Sample, Split
from softcam_core.data.prepared import WHITE, box_region, prepare_mask
from softcam_core.imaging.geometry import Geometry, Lattice
from softcam_core.models.modes import evaluating
from softcam_core.models.softcam import SoftCAM
from softcam_core.training.comparison import Better, Comparison, Estimate, FigureChange
from softcam_core.training.evidence_shares import Surface, border_of, share_within
from softcam_core.training.flags import USED
from softcam_core.training.guidance import Guidance
from softcam_core.training.intervals import bootstrap_samples
from softcam_core.training.loading import make_loader
from softcam_core.training.loop import Loop
from softcam_core.training.metrics import METRICS, measure
from softcam_core.training.predictions import Predictions

RESAMPLES = 2000
LEAST_IMAGES = 5
"""For an interval: a bootstrap of fewer says how many they are, and not how sure a figure is."""
FLAG_TITLES = {
    "wrong": "Evidence in flags of wrong evidence",
    "correct": "Evidence in flags of correct evidence",
    "missed": "Evidence in flags of missed findings",
}
FLAG_BETTER: dict[str, Better] = {"wrong": "lower", "correct": "higher", "missed": "higher"}

Models = tuple[SoftCAM, SoftCAM]
"""Before and after."""


def compare_models(loop: Loop, start: SoftCAM, best: SoftCAM) -> Comparison:
    """Compare the model of a run with the one it started from.

    Classification is judged on the test split, or the validation split where there is none; evidence in flags on the
    flagged images, those that were trained on apart from the others; evidence in annotated findings and at the image's
    border on the same split as the classification.

    Parameters
    ----------
    loop : Loop
    start, best : SoftCAM
        On the device.
    """
    split: Split = "test" if "test" in loop.datasets else "val"
    models = start, best
    rows = [*_classification(loop, models, split), *_flags(loop, models, split), *_findings(loop, models, split)]
    notes = ["Positive evidence is measured without the offset; shares are means over images."]
    if split == "val":
        notes.append("There is no test split: the validation images decided which epoch was kept.")
    return Comparison(
        before=start.card.sha256,
        after=best.card.sha256,
        before_name=start.card.name,
        after_name=best.card.name,
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _classification(loop: Loop, models: Models, split: Split) -> list[FigureChange]:
    names = tuple(sample.path.name for sample in loop.datasets[split].samples)
    said = []
    for model in models:
        scored = loop.evaluate(model, split)
        card = model.card
        said.append(Predictions(names, scored.labels.long(), scored.logits, card.class_names, card.task))
    values = [measure(p.logits, p.labels, p.task).values for p in said]
    samples = [bootstrap_samples(p, RESAMPLES) for p in said]
    rows = []
    for name in ("auc", "accuracy"):
        if all(name in found for found in values):
            before, after = (found[name] for found in values)
            a, b = (found[name] for found in samples)
            rows.append(
                FigureChange(
                    name=f"{split}_{name}",
                    title=f"{METRICS[name].title}, {_SPLITS[split]} images",
                    group="classification",
                    images=len(names),
                    before=_estimate(before, a),
                    after=_estimate(after, b),
                    change=_estimate(after - before, b - a),
                    better="higher",
                )
            )
    return rows


_SPLITS = {"train": "training", "val": "validation", "test": "test"}


def _flags(loop: Loop, models: Models, split: Split) -> list[FigureChange]:
    guidance = loop.objective.guidance
    if guidance is None:
        return []
    rows = _flag_rows(guidance, loop.datasets["train"], "train", models)
    held_out = loop.datasets[split]
    held_out.places = guidance.flags
    return rows + _flag_rows(guidance, held_out, split, models)


def _flag_rows(guidance: Guidance, dataset: ImageDataset, split: Split, models: Models) -> list[FigureChange]:
    indexes = guidance.flags.indexes(dataset.samples)
    if not indexes:
        return []
    shares = [guidance.shares(model, dataset, indexes) for model in models]
    rows = []
    for verdict in USED:
        pairs = [(a.index, a.share, b.share) for a, b in zip(*shares, strict=True) if a.verdict == verdict]
        title = f"{FLAG_TITLES[verdict]}, {_SPLITS[split]} images"
        row = _evidence_row(f"{split}_evidence_{verdict}", title, FLAG_BETTER[verdict], pairs)
        rows += [row] if row is not None else []
    return rows


def _findings(loop: Loop, models: Models, split: Split) -> list[FigureChange]:
    """Evidence for the class that an image is labelled with, in its annotation and at its border."""
    dataset = loop.datasets[split]
    targets = [_target(sample, models[1]) for sample in dataset.samples]
    indexes = [index for index, target in enumerate(targets) if target is not None]
    dataset.places = _annotated(models[1])
    found: list[tuple[list[float], list[float]]] = []
    for model in models:
        inside: list[float] = []
        border: list[float] = []
        for batch, surfaces in _surfaces(loop, model, dataset, indexes, targets):
            height, width = surfaces.shape[1:]
            rim = border_of((height, width)).to(surfaces)
            inside += share_within(surfaces, batch.places.to(surfaces.device)).tolist()
            border += share_within(surfaces, rim.expand_as(surfaces)).tolist()
        found.append((inside, border))
    of_class = models[1].card.class_names[1] if _is_binary(models[1]) else "the labelled class"
    rows = []
    titles: list[tuple[str, str, Better]] = [
        ("annotation", f"Evidence for {of_class} in annotated findings", "higher"),
        ("border", f"Evidence for {of_class} in the outer eighth of the image", "lower"),
    ]
    for place, (name, title, better) in enumerate(titles):
        before, after = (values[place] for values in found)
        pairs = list(zip(indexes, before, after, strict=True))
        full_title = f"{title}, {_SPLITS[split]} images"
        row = _evidence_row(f"{split}_evidence_{name}", full_title, better, pairs)
        rows += [row] if row is not None else []
    return rows


def _is_binary(model: SoftCAM) -> bool:
    return model.card.task == "single_label" and len(model.card.class_names) == 2


def _target(sample: Sample, model: SoftCAM) -> list[float] | None:
    """Weights of the classes whose evidence says where an image's finding is; None for images without one.

    Of two classes the second is the finding, as it is for the AUROC.
    """
    classes = len(model.card.class_names)
    if not isinstance(sample.label, int):
        return None if not any(sample.label) else [float(k == sample.label.index(1)) for k in range(classes)]
    if _is_binary(model):
        return [-1.0, 1.0] if sample.label == 1 else None
    return [1.0 if k == sample.label else -1.0 / (classes - 1) for k in range(classes)]


def _annotated(model: SoftCAM) -> Callable[[Sample, Geometry], npt.NDArray[np.float32]]:
    """Gives an image's mask, else the union of its boxes, else an empty place: one place an image."""

    def place(sample: Sample, geometry: Geometry) -> npt.NDArray[np.float32]:
        if sample.mask is None:
            return box_region(sample.boxes, geometry)
        stored = prepare_mask(sample.mask, geometry, model.card.preprocessing).pixels
        return np.asarray(stored[:1] / np.float32(WHITE), np.float32)

    return place


def _surfaces(
    loop: Loop,
    model: SoftCAM,
    dataset: ImageDataset,
    indexes: Sequence[int],
    targets: Sequence[list[float] | None],
) -> list[tuple[FlaggedItem, Tensor]]:
    size = loop.config.training.batch_size
    draws = [[Draw(index, None) for index in indexes[i : i + size]] for i in range(0, len(indexes), size)]
    field = model.receptive_field
    lattice = Lattice(first=field.centre, stride=field.stride)
    found = []
    with evaluating(model), torch.inference_mode():
        offset = model.offset.float()[:, None, None]
        for batch in make_loader(dataset, draws, loop.fabric, loop.config.hardware):
            maps = model(batch.image.to(loop.fabric.device)).maps.float() - offset
            weights = torch.tensor([targets[index] for index in batch.index.tolist()], device=maps.device)
            surface = Surface(tuple(batch.image.shape[2:]), tuple(maps.shape[2:]), lattice).to(maps.device)
            found.append((batch, surface(torch.einsum("bk,bkij->bij", weights, maps))))
    return found


def _evidence_row(
    name: str, title: str, better: Better, pairs: Sequence[tuple[int, float, float]]
) -> FigureChange | None:
    """A row of shares that images (index, before, after) have; images without either are left out."""
    there = np.array([pair for pair in pairs if pair[1] == pair[1] and pair[2] == pair[2]], dtype=np.float64)
    if not len(there):
        return None
    images = np.unique(there[:, 0])
    # Several flags of an image are one draw of the bootstrap.
    before, after = (np.array([there[there[:, 0] == image, column].mean() for image in images]) for column in (1, 2))
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(images), (RESAMPLES if len(images) >= LEAST_IMAGES else 0, len(images)))
    return FigureChange(
        name=name,
        title=title,
        group="evidence",
        images=len(images),
        before=_estimate(before.mean(), before[drawn].mean(1)),
        after=_estimate(after.mean(), after[drawn].mean(1)),
        change=_estimate((after - before).mean(), (after - before)[drawn].mean(1)),
        better=better,
    )


def _estimate(value: float, samples: npt.NDArray[np.float64]) -> Estimate:
    samples = samples[np.isfinite(samples)]
    if len(samples) < 2:
        return Estimate(value=float(value))
    low, high = np.quantile(samples, [0.025, 0.975])
    return Estimate(value=float(value), low=float(low), high=float(high))
