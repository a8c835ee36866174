"""What methods are timed on: a network with its black box, and an image."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from softcam_core.data.phantoms import make_phantom
from softcam_core.errors import SettingsError
from softcam_core.evaluation.agreement import rank_correlation
from softcam_core.explainers.base import Explainer
from softcam_core.explainers.methods import make_explainer
from softcam_core.models.black_box import BlackBox
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import load_model
from softcam_core.models.classifier import Classifier
from softcam_core.models.families import default_preprocessing
from softcam_core.models.softcam import SoftCAM

_WHITE = 4095  # of phantoms
_SEED = 1


def bench_networks(source: Path | str, classes: int, device: torch.device) -> tuple[SoftCAM, Classifier]:
    """A SoftCAM, and the black box with its weights; the SoftCAM itself where it has none.

    Parameters
    ----------
    source : Path or str
        A model file, or the name of an architecture, for fresh weights.
    classes : int
        Of fresh weights.
    device : torch.device

    Raises
    ------
    SettingsError
        For an unknown architecture.
    CheckpointError
        When the file cannot be read.
    """
    if isinstance(source, Path):
        model = load_model(source, device)
    else:
        try:
            preprocessing = default_preprocessing(source)
        except KeyError as error:
            raise SettingsError(source, str(error.args[0]), "See `softcam bench methods --help`.") from error
        names = tuple(f"class {k}" for k in range(classes))
        card = ModelCard(
            name=source, architecture=source, class_names=names, task="multi_label", preprocessing=preprocessing
        )
        model = SoftCAM.from_card(card).to(device).eval()
    try:
        networks: tuple[SoftCAM, Classifier] = model, BlackBox.twin_of(model)
    except SettingsError:
        networks = model, model
    for network in networks:
        _ = network.receptive_field  # found once, with the first map, which would take longer than all others
    return networks


def phantom_input(model: Classifier, size: int) -> Tensor:
    """A phantom with a lesion as a model sees it, (1, 3, size, size)."""
    film = torch.from_numpy(make_phantom(_SEED, size, lesion=True).pixels / _WHITE)
    mean, std = (torch.tensor(getattr(model.card.preprocessing, name))[:, None, None] for name in ("mean", "std"))
    return ((film - mean) / std)[None].to(model.device, model.dtype)


def top_fidelity(explainer: Explainer, model: Classifier, image: Tensor) -> float | None:
    """How like the map of some channels is to that of all: their rank correlation, the mean over classes.

    None for a method that has no option `top`, or does not use it.
    """
    options = explainer.options()
    if not options.get("top"):
        return None
    whole = make_explainer(explainer.about.name, **options | {"top": 0})
    some, all_ = (each(model, image).values[0] for each in (explainer, whole))
    return float(rank_correlation(some, all_).nanmean())
