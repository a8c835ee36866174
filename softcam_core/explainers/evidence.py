"""SoftCAM's own evidence: no method on top of the network, but the network's last step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from softcam_core.explainers.base import About, Explainer, Maps
from softcam_core.explainers.layers import lattice_of
from softcam_core.explainers.watch import Watch
from softcam_core.models.classifier import Classifier
from softcam_core.models.softcam import SoftCAM


@dataclass(frozen=True, slots=True)
class SoftCAMEvidence(Explainer):
    """One forward pass: the maps whose means are the targets (Djoumessi & Berens, SoftCAM, MIDL 2026, section 3)."""

    in_place: ClassVar[bool] = True

    about: ClassVar[About] = About(
        name="evidence",
        title="SoftCAM evidence",
        reference="Djoumessi & Berens, MIDL 2026, section 3",
        family="evidence",
        cost="forward",
        signed=True,
        valid="Always: the prediction is computed from it.",
        needs_softcam=True,
    )

    def refusal(self, model: Classifier) -> str:
        """See `Explainer`; half precision is fine, because nothing is differentiated."""
        return "" if isinstance(model, SoftCAM) else "a black box has no evidence of its own"

    def _maps(self, model: Classifier, images: Tensor, weights: Tensor, watch: Watch) -> Maps:
        assert isinstance(model, SoftCAM)
        watch.report(0)
        with torch.no_grad():
            evidence = model(images).maps
        maps = torch.einsum("btk,bkij->btij", weights, evidence)
        watch.report(1)
        return Maps(maps if maps.dtype == torch.float64 else maps.float(), "mean", "logit", lattice_of(model))
