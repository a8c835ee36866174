"""Score-CAM: channels weighed by what the network says of the image seen through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from softcam_core.explainers.base import About, Explainer, Maps, option
from softcam_core.explainers.cam import RELU
from softcam_core.explainers.layers import LAYER, activations_and_logits, lattice_of
from softcam_core.explainers.passes import forward_pixels, in_passes
from softcam_core.explainers.watch import Watch
from softcam_core.imaging.geometry import Geometry, Lattice
from softcam_core.models.classifier import Classifier


@dataclass(frozen=True, slots=True)
class ScoreCAM(Explainer):
    r"""Score-CAM (Wang et al., CVPR Workshops 2020, algorithm 1).

    .. math:: H_k = \frac{U(Z_k) - \min U(Z_k)}{\max U(Z_k) - \min U(Z_k)}, \qquad
              C_k = f(X \odot H_k) - f(0), \qquad L = \mathrm{ReLU} \sum_k \alpha_k Z_k

    with Z the features, U their surface over the input X and f the target. By `weights` "increase" f is the contrast of
    probabilities and :math:`\alpha = C`, the paper's channel-wise increase of confidence; by "softmax" it is that of
    logits and :math:`\alpha` the softmax of C over the channels, as in its algorithm, torchcam and grad-cam. A channel
    that is the same everywhere shows nothing, as a mask of zeros does. The masked inputs are run once for all targets.

    With `top` only the channels that vary most over the image (by their variance) are used: they differ most from
    plain masks, whatever the target is.
    """

    layer: str = option("", LAYER)
    top: int = option(0, "number of channels used, those that vary most over the image; 0 for all", least=0)
    weights: str = option(
        "increase",
        "what a channel counts: the increase of the target's probability, or a softmax of its logits over the channels",
        choices=("increase", "softmax"),
    )
    relu: bool = option(True, RELU)

    in_place: ClassVar[bool] = True

    about: ClassVar[About] = About(
        name="scorecam",
        title="Score-CAM",
        reference="Wang et al., CVPR Workshops 2020, algorithm 1",
        family="cam",
        cost="thousands",
        signed=False,
        valid="Where the network makes sense of images that fade to their mean colour.",
    )

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        lattice = lattice_of(model, self.layer)
        maps = []
        with torch.no_grad():
            blank = self._scores(model, torch.zeros_like(images[:1]))
            for i in range(len(images)):
                watch_image = watch.part(i, len(images))
                watch_image.report(0)
                features, _ = activations_and_logits(model, images[i : i + 1], self.layer, differentiable=False)
                channels = self._chosen(features[0])
                increases = self._seen_through(model, images[i], channels, lattice, blank, watch_image) - blank
                alpha = weights[i] @ increases.T
                if self.weights == "softmax":
                    alpha = alpha.softmax(-1)
                maps.append(torch.einsum("tk,kij->tij", alpha, channels))
        watch.report(1)
        values = torch.stack(maps)
        return Maps(values.relu() if self.relu else values, "relative", "", lattice)

    def _scores(self, model: Classifier, images: Tensor) -> Tensor:
        """What targets are contrasts of, (B, K)."""
        logits = model.logits(images)
        return model.probabilities(logits) if self.weights == "increase" else logits

    def _chosen(self, features: Tensor) -> Tensor:
        """The channels used, (n, h, w) of (D, h, w)."""
        if not 0 < self.top < len(features):
            return features
        return features[features.var((1, 2), correction=0).topk(self.top).indices]

    def _seen_through(
        self, model: Classifier, image: Tensor, channels: Tensor, lattice: Lattice, blank: Tensor, watch: Watch
    ) -> Tensor:
        """Scores of an image (3, H, W) masked with each of its channels (n, h, w): (n, K)."""
        height, width = image.shape[1:]
        size = height, width
        averages = Geometry(size, size, (0, 0), size, lattice).averages((channels.shape[1], channels.shape[2]))
        rows, columns = (torch.from_numpy(average).to(image) for average in averages)
        varying = (channels.amax((1, 2)) > channels.amin((1, 2))).nonzero()[:, 0]

        def run(some: slice) -> Tensor:
            surfaces = rows @ channels[varying[some]] @ columns.T
            surfaces = surfaces - surfaces.amin((1, 2), keepdim=True)
            ranges = surfaces.amax((1, 2), keepdim=True)
            masks = surfaces / ranges.where(ranges > 0, 1.0)
            return self._scores(model, image * masks[:, None])

        scores = blank.repeat(len(channels), 1)
        if len(varying):
            scores[varying] = in_passes(
                run, len(varying), height * width, limit=forward_pixels(image.device), watch=watch
            )
        return scores
