"""The grid pointing game of all methods, on mosaics of images that all networks classify rightly."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from softcam_core.evaluation.cases import Case, present_in, see
from softcam_core.evaluation.grid_pointing import grid_pointing, mosaics
from softcam_core.evaluation.plan import Network, Plan
from softcam_core.evaluation.tables import About, Rows
from softcam_core.explainers.watch import Watch
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.classifier import Classifier
from softcam_core.models.modes import evaluating

_IMAGES = 64  # that mosaics are made of, at most
_FEWEST = 4  # of each class
_AT_ONCE = 4  # mosaics


def judge_mosaics(plan: Plan, watch: Watch) -> tuple[Rows, tuple[str, ...]]:
    """Play the grid pointing game with all methods, each mosaic of the same images for all.

    Images are those that every network classifies rightly, of each class those of which the least sure network is
    surest.

    Parameters
    ----------
    plan : Plan
        With the metric "grid_pointing".
    watch : Watch

    Returns
    -------
    rows : Rows
        A mosaic stands for an image.
    notes : tuple of str
        Why there are none, a sentence.

    Raises
    ------
    ImageReadError, SettingsError, CancelledError
        See `softcam_core.evaluation.evaluator.evaluate`.
    """
    metric = plan.metric("grid_pointing")
    assert metric is not None
    side, count = int(metric.options["side"]), int(metric.options["mosaics"])
    rows = Rows.empty()
    chosen = _chosen(plan, watch.part(0, 2))
    classes = torch.tensor([present_in(case.sample.label)[0] for case in chosen], dtype=torch.int64)
    if side < 2 or len(classes.unique()) < 2:
        reason = "a side of 2 or more" if side < 2 else "images of two classes that all networks classify rightly"
        return rows, (f"There is no grid pointing game: it needs {reason}.",)
    # Of numbers instead of images: how mosaics are made is known before they take any memory.
    numbers = torch.arange(len(chosen), dtype=torch.float32)[:, None, None, None].expand(-1, 3, 1, 1)
    plans = mosaics(numbers, classes, side, count=count, seed=plan.seed)
    members = plans.images[:, 0].long()
    pictures: dict[Preprocessing, Tensor] = {}
    for number, contender in enumerate(plan.contenders):
        network, part = contender.network, watch.part(1, 2).part(number, len(plan.contenders))
        if network.preprocessing not in pictures:
            pictures[network.preprocessing] = torch.stack([see(c.sample, network.preprocessing).image for c in chosen])
        starts = range(0, count, _AT_ONCE)
        for step, start in enumerate(starts):
            some = slice(start, min(start + _AT_ONCE, count))
            images = _assembled(pictures[network.preprocessing], members[some])
            targets = [[plan.target(network, int(target))] for target in plans.targets[some]]
            images = images.to(network.model.device, network.model.dtype)
            maps = contender.explainer(network.model, images, targets, watch=part.part(step, len(starts)))
            height, width = images.shape[2:]
            values = maps.on_input((height, width))[:, 0]
            values = values.where(values.isfinite().all(-1, keepdim=True).all(-2, keepdim=True), torch.nan)
            shares = grid_pointing(values, plans.cells[some].to(values.device), side)
            for mosaic, share, target in zip(range(start, count), shares.tolist(), targets, strict=False):
                title = target[0].title(plan.class_names)
                rows.add(_about(plan, mosaic, int(plans.targets[mosaic]), contender.key), metric.name, share, title)
    return rows, ()


def _chosen(plan: Plan, watch: Watch) -> list[Case]:
    """Cases of one class each and of the size that most have, which all networks classify rightly."""
    judges: dict[int, Network] = {id(n.judge): n for n in plan.networks}
    sizes = {n.preprocessing: plan.cases.surveys[n.preprocessing].sizes for n in judges.values()}
    usual = {each: Counter(known).most_common(1)[0][0] for each, known in sizes.items()}
    cases = [
        case
        for case in plan.cases.chosen
        if len(present_in(case.sample.label)) == 1 and all(sizes[p][case.number] == usual[p] for p in sizes)
    ]
    sure: dict[int, tuple[int, list[tuple[float, Case]]]] = {}
    for done, case in enumerate(cases):
        watch.report(done, len(cases))
        (label,) = present_in(case.sample.label)
        said = [_probabilities(n.judge, see(case.sample, n.preprocessing).image) for n in judges.values()]
        if all(int(p.argmax()) == label for p in said):
            sure.setdefault(label, (label, []))[1].append((min(float(p[label]) for p in said), case))
    most = max(_FEWEST, _IMAGES // max(1, len(sure)))
    best = [case for _, known in sure.values() for _, case in sorted(known, key=lambda each: -each[0])[:most]]
    return sorted(best, key=lambda case: case.number)


def _probabilities(judge: Classifier, image: Tensor) -> Tensor:
    with evaluating(judge), torch.inference_mode():
        return judge.probabilities(judge.logits(image[None].to(judge.device, judge.dtype)))[0]


def _assembled(images: Tensor, members: Tensor) -> Tensor:
    """Images (N, 3, H, W) and their numbers (n, side, side) -> mosaics (n, 3, side H, side W)."""
    rows = [torch.cat([torch.cat(list(images[row]), dim=2) for row in mosaic], dim=1) for mosaic in members]
    return torch.stack(rows)


def _about(plan: Plan, mosaic: int, label: int, key: tuple[str, str]) -> About:
    # Behind all images and patients, so that no mosaic is taken for one of them.
    number = len(plan.cases.chosen) + mosaic
    return About(number, 0, f"mosaic {mosaic}", plan.split, number, plan.class_names[label], "", *key)
