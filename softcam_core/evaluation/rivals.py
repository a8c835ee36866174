"""The same maps by other people's libraries, where these are installed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from copy import deepcopy
from functools import partial
from importlib.util import find_spec
from io import StringIO
from typing import Any

import torch
from torch import Tensor, nn

from softcam_core.explainers.base import Explainer
from softcam_core.models.classifier import Classifier
from softcam_core.models.families import FAMILIES

LIBRARIES = {"torchcam": "torch-cam", "pytorch_grad_cam": "grad-cam", "captum": "captum", "zennit": "zennit"}
"""Modules and the libraries' names."""

_TORCHCAM = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMpp",
    "layercam": "LayerCAM",
    "xgradcam": "XGradCAM",
    "scorecam": "ScoreCAM",
}
_GRAD_CAM = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMPlusPlus",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "xgradcam": "XGradCAM",
    "eigencam": "EigenCAM",
    "scorecam": "ScoreCAM",
    "ablationcam": "AblationCAM",
}
_CAPTUM = ("gradxinput", "ig", "guided", "guidedgradcam", "smoothgrad", "occlusion")
_CANONIZERS = {
    "resnet": "ResNetCanonizer",
    "vgg": "VGGCanonizer",
    "squeezenet": "VGGCanonizer",
    "compact": "VGGCanonizer",
}
_AT_ONCE = 8  # inputs in a pass, for the libraries that ask

MapsOf = Callable[[], Sequence[Any]]
"""Makes a map of each class, as its library gives it."""


def rivals_of(
    explainer: Explainer, model: Classifier, image: Tensor, classes: Sequence[int]
) -> dict[str, MapsOf | None]:
    """The same job by other libraries: maps of the last features, or of the input, one class after the other.

    Parameters
    ----------
    explainer : Explainer
        Whose maps, with its number of steps, samples and channels.
    model : Classifier
        Left as it was; each library runs on a copy of its own, without activations in place, on which some insist.
    image : Tensor, (1, 3, H, W)
        On the model's device.
    classes : sequence of int

    Returns
    -------
    dict
        Name of each library that has the method -> what makes its maps, or None where it is not installed.
    """
    name, options = explainer.about.name, {**explainer.defaults(), **explainer.options()}
    if options.get("layer"):
        return {}
    canonizer = _CANONIZERS.get(
        next((n for n, f in FAMILIES.items() if model.card.architecture in f.architectures), "")
    )
    has: dict[str, tuple[bool, _Maker]] = {
        "torchcam": (name in _TORCHCAM, _torchcam),
        "pytorch_grad_cam": (name in _GRAD_CAM and not options.get("top"), _grad_cam),
        "captum": (name in _CAPTUM, _captum),
        "zennit": (name == "lrp" and canonizer is not None, _zennit),
    }
    return {
        LIBRARIES[module]: _quiet(make(name, options, _Network(model), image, classes)) if find_spec(module) else None
        for module, (is_there, make) in has.items()
        if is_there
    }


def _quiet(maps: MapsOf) -> MapsOf:
    """Without the warnings and the progress bars of the libraries."""

    def run() -> Sequence[Any]:
        with warnings.catch_warnings(), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            return maps()

    return run


class _Network(nn.Module):
    """A copy of a network that gives logits; some channels of its features pass a module that can be hooked."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = deepcopy(model).eval()
        self.chosen = nn.Identity()
        self.channels: Tensor | None = None
        for part in self.modules():
            if getattr(part, "inplace", None) is True:
                part.inplace = False  # type: ignore[assignment]

    @property
    def features(self) -> nn.Module:
        """Registered once: zennit would merge layers twice."""
        return self.model.features

    def forward(self, x: Tensor) -> Tensor:
        features = self.features(x)
        if self.channels is not None:
            self.chosen(features[:, self.channels])
        return self.model.classify(features)

    def choose(self, image: Tensor, count: int) -> nn.Module:
        """The module whose output is the features, or those that vary most over the image (see our Score-CAM)."""
        if not count:
            return self.features
        with torch.no_grad():
            features = self.features(image)[0]
        self.channels = features.var((1, 2), correction=0).topk(min(count, len(features))).indices
        return self.chosen


_Maker = Callable[[str, Mapping[str, Any], _Network, Tensor, Sequence[int]], MapsOf]


def _torchcam(
    name: str, options: Mapping[str, Any], network: _Network, image: Tensor, classes: Sequence[int]
) -> MapsOf:
    import torchcam.methods

    is_score = name == "scorecam"
    more: dict[str, Any] = {"batch_size": _AT_ONCE} if is_score else {}
    extractor = getattr(torchcam.methods, _TORCHCAM[name])(
        network, network.choose(image, options.get("top", 0)), **more
    )

    def maps() -> list[Any]:
        with torch.set_grad_enabled(not is_score):
            scores = network(image)
        kept = {} if is_score else {"retain_graph": True}
        return [extractor(of, scores, normalized=False, **kept)[0] for of in classes]

    return maps


def _grad_cam(
    name: str, options: Mapping[str, Any], network: _Network, image: Tensor, classes: Sequence[int]
) -> MapsOf:
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    cam = getattr(pytorch_grad_cam, _GRAD_CAM[name])(model=network, target_layers=[network.features])
    cam.batch_size = _AT_ONCE
    return lambda: [cam(input_tensor=image, targets=[ClassifierOutputTarget(of)]) for of in classes]


def _captum(name: str, options: Mapping[str, Any], network: _Network, image: Tensor, classes: Sequence[int]) -> MapsOf:
    from captum import attr

    more: dict[str, Any] = {}
    method: Any
    if name == "gradxinput":
        method = attr.InputXGradient(network)
    elif name == "ig":
        method = attr.IntegratedGradients(network)
        more = {"n_steps": options["steps"], "internal_batch_size": _AT_ONCE}
    elif name == "guided":
        method = attr.GuidedBackprop(network)
    elif name == "guidedgradcam":
        method = attr.GuidedGradCam(network, network.features)
    elif name == "smoothgrad":
        method = attr.NoiseTunnel(attr.Saliency(network))
        spread = options["noise"] * float(image.max() - image.min())
        more = {"nt_samples": options["samples"], "nt_samples_batch_size": _AT_ONCE, "stdevs": spread, "abs": False}
    else:
        method = attr.Occlusion(network)
        more = {
            "sliding_window_shapes": (3, options["patch"], options["patch"]),
            "strides": (3, options["stride"], options["stride"]),
            "perturbations_per_eval": _AT_ONCE,
        }
    return lambda: [method.attribute(image.detach().clone().requires_grad_(), target=of, **more) for of in classes]


def _zennit(name: str, options: Mapping[str, Any], network: _Network, image: Tensor, classes: Sequence[int]) -> MapsOf:
    import zennit.torchvision
    from zennit.attribution import Gradient
    from zennit.composites import EpsilonPlusFlat

    family = next(n for n, f in FAMILIES.items() if network.model.card.architecture in f.architectures)
    canonizer = getattr(zennit.torchvision, _CANONIZERS[family])()
    composite = EpsilonPlusFlat(canonizers=[canonizer], zero_params="bias")
    one_hot = torch.eye(len(network.model.card.class_names), device=image.device)

    def maps() -> list[Any]:
        with Gradient(model=network, composite=composite) as attributor:
            # What is handed back is the logit.
            fresh = (image.detach().clone().requires_grad_() for _ in classes)
            return [attributor(x, partial(torch.mul, one_hot[[of]]))[1] for x, of in zip(fresh, classes, strict=True)]

    return maps
