"""All methods by name, and explaining one image with any of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch

from softcam_core.devices import describe_device
from softcam_core.errors import OutOfMemoryError, SettingsError
from softcam_core.explainers.ablation_cam import AblationCAM
from softcam_core.explainers.base import Explainer
from softcam_core.explainers.cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from softcam_core.explainers.eigen_cam import EigenCAM
from softcam_core.explainers.evidence import SoftCAMEvidence
from softcam_core.explainers.explanation import Explanation
from softcam_core.explainers.floors import Edges, RandomMap
from softcam_core.explainers.gradients import GradientTimesInput
from softcam_core.explainers.guided import GuidedBackprop, GuidedGradCAM
from softcam_core.explainers.integrated_gradients import IntegratedGradients
from softcam_core.explainers.lrp import LRP
from softcam_core.explainers.occlusion import Occlusion
from softcam_core.explainers.rise import RISE
from softcam_core.explainers.score_cam import ScoreCAM
from softcam_core.explainers.smoothgrad import SmoothGrad
from softcam_core.explainers.targets import Target, TargetLike, default_target
from softcam_core.explainers.watch import UNWATCHED, Watch
from softcam_core.imaging.image import MedicalImage
from softcam_core.models.classifier import Classifier
from softcam_core.models.modes import evaluating
from softcam_core.models.softcam import ALWAYS_LARGE_ENOUGH, SoftCAM

METHODS: dict[str, type[Explainer]] = {
    method.about.name: method
    for method in (
        SoftCAMEvidence,
        GradCAM,
        GradCAMPlusPlus,
        HiResCAM,
        LayerCAM,
        XGradCAM,
        EigenCAM,
        ScoreCAM,
        AblationCAM,
        GradientTimesInput,
        IntegratedGradients,
        GuidedBackprop,
        GuidedGradCAM,
        SmoothGrad,
        LRP,
        Occlusion,
        RISE,
        RandomMap,
        Edges,
    )
}
"""In the order in which people should see them."""


def make_explainer(name: str, **options: Any) -> Explainer:  # noqa: ANN401
    """A method by its name, with options.

    Raises
    ------
    SettingsError
        For an unknown method or option, with the nearest names, or a value that an option cannot have.
    """
    if name not in METHODS:
        near = get_close_matches(name, METHODS, n=3)
        advice = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(METHODS)}."
        raise SettingsError(name, "is not a method", advice)
    method = METHODS[name]
    known = method.defaults()
    for option, value in options.items():
        if option not in known:
            advice = f"It has {', '.join(known)}." if known else "It has none."
            raise SettingsError(f"{name}:{option}", "is not an option of this method", advice)
        if type(value) is not type(known[option]) and not (isinstance(known[option], float) and type(value) is int):
            kind = {str: "a name", bool: "true or false", int: "a whole number", float: "a number"}[type(known[option])]
            raise SettingsError(f"{name}:{option}", f"{value!r} does not fit", f"Give {kind}.")
    return method(**options)


def parse_method(text: str) -> Explainer:
    """Read a method as people write it: "occlusion", or with options "occlusion:patch=32,stride=16".

    Raises
    ------
    SettingsError
        As `make_explainer`.
    """
    name, written = (piece.strip() for piece in text.partition(":")[::2])
    known = METHODS[name].defaults() if name in METHODS else {}
    options: dict[str, Any] = {}
    for part in filter(None, written.split(",")):
        option, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise SettingsError(text, f"{part!r} sets nothing", "Write NAME:OPTION=VALUE,OPTION=VALUE.")
        options[option] = _value(value, type(known.get(option, "")))
    return make_explainer(name, **options)


def _value(text: str, kind: type) -> Any:  # noqa: ANN401
    """A value as its option's type; what cannot be read stays text, and is refused with the option's name."""
    if kind is bool:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower(), text)
    try:
        return kind(text)
    except ValueError:
        return text


def explain(
    model: Classifier,
    image: MedicalImage,
    method: str | Explainer = "evidence",
    targets: Sequence[TargetLike] | None = None,
    *,
    watch: Watch = UNWATCHED,
) -> Explanation:
    """Explain a model's prediction for an image.

    Parameters
    ----------
    model : Classifier
        Left as it was.
    image : MedicalImage
    method : str or Explainer
        As `parse_method` reads it.
    targets : sequence of Target or int, optional
        What to explain. By default all classes for SoftCAM's evidence, and the predicted class for other methods; of
        two exclusive classes the second against the first.
    watch : Watch

    Raises
    ------
    SettingsError
        When the method cannot explain the model, or the model's input does not fit the device's memory or is too small
        for the network.
    CancelledError
        When the watch stopped it.
    """
    explainer = parse_method(method) if isinstance(method, str) else method
    prepared = model.card.preprocessing.apply(image)
    height, width = prepared.geometry.input_size
    batch = torch.from_numpy(prepared.array)[None].to(model.device, model.dtype)
    try:
        with evaluating(model), torch.inference_mode():
            logits = None if explainer.about.name == "evidence" else model.logits(batch)
        chosen = _targets(model, targets, logits)
        start = time.perf_counter()
        maps = explainer(model, batch, chosen, watch=watch)
        values = maps.values[0].float().cpu().numpy()
        seconds = time.perf_counter() - start
    except (torch.OutOfMemoryError, OutOfMemoryError) as error:
        torch.cuda.empty_cache()
        reason = f"an input of {height} x {width} pixels does not fit the memory of {model.device}"
        raise SettingsError(image.source, reason, "Run on the CPU, or use a model with a smaller input.") from error
    except RuntimeError as error:
        if min(height, width) >= ALWAYS_LARGE_ENOUGH:
            raise
        reason = f"an input of {height} x {width} pixels is too small for {model.card.architecture}"
        advice = "Open a larger image, or use a model that resizes its input."
        raise SettingsError(image.source, reason, advice) from error
    # The means of all evidence maps are the logits; another forward pass would say the same.
    scores = maps.values[0].mean((1, 2)) if logits is None else logits[0]
    offset = np.zeros(len(scores), dtype=np.float32)
    if isinstance(model, SoftCAM) and maps.scale == "mean":
        offset = model.offset.float().cpu().numpy()
    return Explanation(
        about=explainer.about,
        method=str(explainer),
        card=model.card,
        logits=scores.float().cpu().numpy(),
        probabilities=model.probabilities(scores).float().cpu().numpy(),
        targets=chosen,
        grid=np.ascontiguousarray(values),
        scale=maps.scale,
        unit=maps.unit,
        geometry=replace(prepared.geometry, lattice=maps.lattice),
        seconds=seconds,
        device=describe_device(model.device),
        warnings=tuple(maps.warning(0, t) for t in range(len(chosen))),
        notes=maps.notes,
        offset=offset,
    )


def _targets(
    model: Classifier, targets: Sequence[TargetLike] | None, logits: torch.Tensor | None
) -> tuple[Target, ...]:
    if logits is None:
        return tuple(Target(k) for k in range(len(model.card.class_names)))
    if targets is not None:
        return tuple(target if isinstance(target, Target) else Target(target) for target in targets)
    target = default_target(model.card, int(logits[0].argmax()))
    return (Target(1, 0) if target.against is not None else target,)
