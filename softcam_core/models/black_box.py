"""BlackBox: a classifier as it is usually built, with global pooling and a classifier behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from softcam_core.errors import CheckpointError
from softcam_core.models.card import ArchitectureOptions, ModelCard
from softcam_core.models.checkpoint import is_model_file, load_model
from softcam_core.models.classifier import Classifier
from softcam_core.models.conversion import convert
from softcam_core.models.families import family_of
from softcam_core.models.fitting import fitting_architectures, some_of
from softcam_core.models.layouts import align, skeleton
from softcam_core.models.softcam import SoftCAM
from softcam_core.models.weights import read_weights


class BlackBox(Classifier):
    """Features, global pooling and a classifier: what post-hoc methods explain.

    Parameters
    ----------
    network : nn.Module
        (B, 3, H, W) -> logits (B, K), of the card's architecture.
    card : ModelCard
    """

    def __init__(self, network: nn.Module, card: ModelCard) -> None:
        family = family_of(card.architecture)
        head = family.pooled(network)  # first: the parts of timm's networks are the network itself, without its head
        super().__init__(family.parts(network, card.options)[0], card)
        self.head = head

    @classmethod
    def twin_of(cls, model: SoftCAM) -> Self:
        """The black box that computes the same logits from the same weights; it shares them.

        Raises
        ------
        SettingsError
            When the architecture has no black box of the same function.
        """
        return cls(model.black_box(), model.card).eval()

    def classify(self, features: Tensor) -> Tensor:
        """See `Classifier`."""
        logits: Tensor = self.head(features)
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) normalised images -> logits (B, K)."""
        return self.logits(x)


def twin_or_itself(model: SoftCAM) -> Classifier:
    """What post-hoc methods explain where no black box is given: the model's twin, or itself where it has none."""
    has_twin = not family_of(model.card.architecture).inexact and model.card.options.final_relu
    return BlackBox.twin_of(model) if has_twin else model


def load_black_box(path: Path | str, like: ModelCard, device: torch.device | str = "cpu") -> BlackBox:
    """Load a separately trained black box.

    Parameters
    ----------
    path : Path or str
        A model file of ours, whose twin it is (`BlackBox.twin_of`), or plain weights of a black box
        (`softcam_core.models.weights.read_weights`), of an architecture that the weights themselves tell.
    like : ModelCard
        Of the model it is compared with: plain weights take over its classes, task and preprocessing.
    device : torch.device or str

    Raises
    ------
    CheckpointError
        When the file cannot be read, or is no black box with these classes.
    SettingsError
        When a model file's architecture has no black box of the same function.
    """
    path = Path(path)
    if is_model_file(path):
        black_box = BlackBox.twin_of(load_model(path, device))
        if black_box.card.class_names != like.class_names:
            theirs, ours = (", ".join(card.class_names) for card in (black_box.card, like))
            raise CheckpointError(path, f"has the classes {theirs}, not {ours}", "Compare models of the same classes.")
        return black_box
    tensors = read_weights(path)
    fits = [name for name, fit in fitting_architectures(tensors) if fit == 1]
    if len(fits) == 1 and family_of(fits[0]).inexact:
        return _pooled_otherwise(path, tensors, fits[0], like).to(device)
    model = convert(path, like.class_names, task=like.task, preprocessing=like.preprocessing)
    return BlackBox.twin_of(model.to(device))


def _pooled_otherwise(path: Path, tensors: dict[str, Tensor], architecture: str, like: ModelCard) -> BlackBox:
    """A black box whose head no 1x1 convolutions compute, and which therefore is no model file of ours."""
    model = skeleton(architecture, len(like.class_names))
    names = model.black_box_names()
    aligned = align(tensors, model)
    network = family_of(architecture).network(architecture, len(like.class_names), ArchitectureOptions())
    try:
        missing, _ = network.load_state_dict({names[k]: v for k, v in aligned.tensors.items()}, strict=False)
    except RuntimeError as error:
        reason = f"does not hold a {architecture} with {len(like.class_names)} classes"
        raise CheckpointError(path, reason, "Compare models of the same classes.") from error
    if lacking := [name for name in missing if not name.endswith("num_batches_tracked")]:
        raise CheckpointError(path, f"lacks weights of {architecture} ({some_of(lacking)})", "Export it again.")
    changes = {"name": path.stem, "architecture": architecture, "options": ArchitectureOptions()}
    card = like.model_copy(update=changes | {"conversion": None, "metrics": {}, "provenance": {}, "sha256": ""})
    return BlackBox(network, card).eval()
