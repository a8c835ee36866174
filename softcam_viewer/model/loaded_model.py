"""A model in use, and what of it methods are run on."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from softcam_core.explainers.base import Explainer
    from softcam_core.models.card import ModelCard
    from softcam_core.models.classifier import Classifier
    from softcam_core.models.receptive_field import ReceptiveField
    from softcam_viewer.model.methods import Method

OWN = ("evidence", "change")
"""Families of what a model says by itself."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model in use.

    Attributes
    ----------
    path : Path
    key : str
        Tells its weights from others'.
    network : Classifier
        A SoftCAM, or a black box that is there to compare with.
    device : str
        For people.
    field : ReceptiveField
        What a cell of its evidence sees.
    quick, slow : Classifier
        What methods other than evidence explain, one for each lane: a method may hang hooks into it, and another
        thread must not run through them. Both share the weights of `network`.
    subject : str
        What these are, for people.
    refusals : dict of str to str
        Methods that cannot explain it with their standard options, and why.
    """

    path: Path
    key: str
    network: Classifier
    device: str
    field: ReceptiveField
    quick: Classifier
    slow: Classifier
    subject: str
    refusals: dict[str, str]

    @property
    def card(self) -> ModelCard:
        """What the model is."""
        return self.network.card

    @property
    def is_black_box(self) -> bool:
        """True where it has no evidence of its own."""
        return "evidence" in self.refusals

    def explained_by(self, method: Method) -> Classifier:
        """What a method is run on."""
        if method.family in OWN:
            return self.network
        return self.quick if method.is_quick else self.slow

    def subject_of(self, method: Method) -> str:
        """What a method is run on, for people."""
        return "SoftCAM" if method.family in OWN else self.subject


def wrap(network: Classifier, path: Path) -> LoadedModel:
    """Make a network ready for use; imports torch, so not for the UI thread."""
    from softcam_core.devices import describe_device
    from softcam_core.errors import SettingsError
    from softcam_core.explainers.methods import METHODS
    from softcam_core.models.black_box import BlackBox
    from softcam_core.models.softcam import SoftCAM

    explained, subject = network, "black box"
    if isinstance(network, SoftCAM):
        try:
            explained, subject = BlackBox.twin_of(network), "black-box twin"
        except SettingsError:
            subject = "SoftCAM itself, it has no black-box twin"
    # Nothing is trained here, and threads that share weights must not find them in different states.
    for part in (network, explained):
        part.eval().requires_grad_(False)
    field = network.receptive_field
    explained.receptive_field  # noqa: B018 - kept by the network, so that both copies have it
    return LoadedModel(
        path=path,
        key=network.card.sha256 or str(uuid4()),  # loaded again it is another one, as its file may be
        network=network,
        device=describe_device(network.device),
        field=field,
        quick=_private(explained),
        slow=_private(explained),
        subject=subject,
        refusals=_refusals(METHODS, network, explained),
    )


def _refusals(methods: dict[str, type[Explainer]], network: Classifier, explained: Classifier) -> dict[str, str]:
    reasons = {
        name: method().refusal(network if method.about.family == "evidence" else explained)
        for name, method in methods.items()
    }
    return {name: reason for name, reason in reasons.items() if reason}


def _private(network: Classifier) -> Classifier:
    """A copy of the modules on the same weights."""
    shared = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    return copy.deepcopy(network, {**shared, id(network.card): network.card})
