"""Sanity: a map that stays when the network's weights are gone does not explain the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from softcam_core.evaluation.stability import kept_order
from softcam_core.explainers.base import Explainer
from softcam_core.explainers.targets import TargetLike, Targets
from softcam_core.explainers.watch import UNWATCHED, Watch
from softcam_core.models.classifier import Classifier

STAGES = 4


def cascade(model: Classifier, stages: int = STAGES, seed: int = 0) -> Iterator[tuple[str, Classifier]]:
    """Copies of a network whose weights are random from the top down, further with each.

    The cascading randomisation of Adebayo et al. (Sanity checks for saliency maps, NeurIPS 2018, section 3.1), in a few
    stages. The first resets the head alone, the others about equally many layers of the features, in the order in
    which the network holds them. After the last nothing that was learnt is left. Layers start as their kind does by
    itself (``reset_parameters``), normalisations with their statistics; parameters outside of such layers are shuffled.

    Parameters
    ----------
    model : Classifier
        Left as it was.
    stages : int
        At least 2.
    seed : int

    Yields
    ------
    name : str
        Of the lowest layer that is random.
    network : Classifier
        A copy of its own, in the model's modes.

    Raises
    ------
    ValueError
        For less than 2 stages.
    """
    if stages < 2:
        raise ValueError(f"stages must be at least 2, not {stages}")
    holders = [name for name, part in model.named_modules() if _has_state(part)]
    features = [name for name in holders if name.startswith("features.") or name == "features"]
    groups = [[name for name in holders if name not in set(features)]]
    for number in range(stages - 1, 0, -1):
        start, end = ((n * len(features)) // (stages - 1) for n in (number - 1, number))
        groups.append(features[start:end])
    network, lowest = model, "head"
    for number, group in enumerate(groups):
        network = deepcopy(network)
        _reset([network.get_submodule(name) for name in group], seed + number, model.device)
        lowest = group[0] if number and group else lowest
        yield lowest, network


def _has_state(part: nn.Module) -> bool:
    """Whether a module holds parameters or statistics of its own."""
    return any(len(own) for own in (part._parameters, part._buffers))


def _reset(parts: Sequence[nn.Module], seed: int, device: torch.device) -> None:
    with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.no_grad():
        torch.manual_seed(seed)
        for part in parts:
            reset = getattr(part, "reset_parameters", None)
            if reset is not None:
                reset()
                continue
            for own in part.parameters(recurse=False):
                order = torch.randperm(own.numel(), device=own.device)
                own.copy_(own.flatten()[order].view_as(own))


def sanity_check(
    explainer: Explainer,
    model: Classifier,
    images: Tensor,
    targets: Targets | TargetLike | None,
    *,
    stages: int = STAGES,
    seed: int = 0,
    watch: Watch = UNWATCHED,
) -> Tensor:
    """How much of a map is left when the network's weights are random from the top down.

    Spearman's rank correlation of the maps' absolute values, the measure of Adebayo et al. (NeurIPS 2018, section 3.1)
    "with absolute values": a random head turns the sign of many maps, so that with signs correlations of -0.9 and 0.9,
    both of maps that are still there, would have the mean of maps that are gone.

    Parameters
    ----------
    explainer : Explainer
    model : Classifier
        Left as it was; copies of it are explained, one at a time.
    images : Tensor, (B, 3, H, W)
        Normalised.
    targets
        See `Explainer`; of the random networks the same.
    stages, seed : int
        See `cascade`.
    watch : Watch

    Returns
    -------
    Tensor, (B, stages) float64
        On the CPU. In [-1, 1], the mean over targets: near 0 is good, 1 is a map that knows nothing of the weights. A
        map that became constant has nothing left, 0; NaN where it was constant from the start.

    Raises
    ------
    ValueError
        See `cascade`.
    SettingsError, CancelledError
        See `Explainer`.
    """
    size = images.shape[2], images.shape[3]
    before = explainer(model, images, targets, watch=watch.part(0, stages + 1)).on_input(size).abs()
    kept = []
    for number, (_, network) in enumerate(cascade(model, stages, seed)):
        after = explainer(network, images, targets, watch=watch.part(number + 1, stages + 1)).on_input(size).abs()
        kept.append(kept_order(before, after))
    return torch.stack(kept, dim=1)
