"""What is compared: methods, each on the network that it explains."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from softcam_core.errors import SettingsError
from softcam_core.evaluation.cases import Case, Cases
from softcam_core.evaluation.metrics import Metric
from softcam_core.explainers.base import Explainer
from softcam_core.explainers.equivalence import same_as_evidence
from softcam_core.explainers.layers import find_layer
from softcam_core.explainers.methods import METHODS
from softcam_core.explainers.targets import Target, default_target
from softcam_core.imaging.preprocessing import Preprocessing
from softcam_core.models.black_box import BlackBox
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import weights_hash
from softcam_core.models.classifier import Classifier
from softcam_core.models.softcam import SoftCAM
from softcam_core.version import __version__

TargetStyle = Literal["auto", "class"]

FLOORS = ("random", "edges")
"""Methods that know nothing of the network: what is not better than they are says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network that is explained.

    Attributes
    ----------
    name : str
        What tables and reports call it; no two have the same.
    model : Classifier
        What methods are given.
    judge : Classifier
        What predicts and is asked about changed images: the model, or another that shares its weights and computes the
        same logits, so that what is asked of both is computed once.
    kind : {"softcam", "twin", "black_box"}
        "twin": the black box of the same weights as a SoftCAM.
    """

    name: str
    model: Classifier
    judge: Classifier
    kind: Literal["softcam", "twin", "black_box"]

    @property
    def card(self) -> ModelCard:
        """Of the model."""
        return self.model.card

    @property
    def preprocessing(self) -> Preprocessing:
        """How its input is made."""
        return self.card.preprocessing


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A method on a network.

    Attributes
    ----------
    network : Network
    explainer : Explainer
    same_as_evidence : str
        Why it gives the network's evidence by algebra, a sentence; empty where it does not.
    """

    network: Network
    explainer: Explainer
    same_as_evidence: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Network and method, as tables name them."""
        return self.network.name, str(self.explainer)

    @property
    def is_floor(self) -> bool:
        """Whether it knows nothing of the network."""
        return self.explainer.about.family == "floor"


@dataclass(frozen=True, eq=False)
class Plan:
    """What is compared on what.

    Attributes
    ----------
    contenders : tuple of Contender
        The first is what others are compared with.
    metrics : tuple of Metric
    cases : Cases
    split : str
        "train", "val", "test" or "all".
    finding : int or None
        Class that annotations are of; None for that of each image's label.
    targets : {"auto", "class"}
        Whether of two exclusive classes one is explained against the other, or each by itself.
    seed : int
        Of everything that is drawn.
    notes : tuple of str
        What should be known of the comparison, sentences.
    """

    contenders: tuple[Contender, ...]
    metrics: tuple[Metric, ...]
    cases: Cases
    split: str
    finding: int | None = None
    targets: TargetStyle = "auto"
    seed: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of all networks."""
        return self.contenders[0].network.card.class_names

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """Each network once."""
        return tuple({id(c.network): c.network for c in self.contenders}.values())

    @cached_property
    def titles(self) -> dict[tuple[str, str], str]:
        """Key of a contender -> its method for people, with the network where that does not go without saying."""
        several = len({c.network.name for c in self.contenders if c.network.kind == "softcam"}) > 1
        found = {}
        for contender in self.contenders:
            about = contender.explainer.about
            changed = ", ".join(f"{name} {value}" for name, value in contender.explainer.options().items())
            title = about.title + (f" ({changed})" if changed and not contender.is_floor else "")
            named = several and contender.network.kind == "softcam" and not contender.is_floor
            found[contender.key] = f"{title}, {contender.network.name}" if named else title
        return found

    def metric(self, name: str) -> Metric | None:
        """A figure that was asked for, by its name."""
        return next((metric for metric in self.metrics if metric.name == name), None)

    def label_of(self, case: Case) -> int | None:
        """Class whose map should say whether the image has it; None where no one class does.

        That which annotations are of; of two exclusive classes the second, by custom the finding; else the image's
        only class.
        """
        card = self.contenders[0].network.card
        if self.finding is not None:
            return self.finding
        if card.task == "single_label" and len(card.class_names) == 2:
            return 1
        return case.finding

    def target(self, network: Network, of: int) -> Target:
        """What is explained of a class."""
        return default_target(network.card, of) if self.targets == "auto" else Target(of)

    def identity(self) -> dict[str, Any]:
        """What makes this evaluation another than others, by name; where it runs does not."""
        return {
            "version": __version__,
            "models": {n.name: _weights(n.judge) for n in self.networks},
            "preprocessing": {n.name: n.preprocessing.model_dump(mode="json") for n in self.networks},
            "contenders": [list(contender.key) for contender in self.contenders],
            "metrics": [str(metric) for metric in self.metrics],
            "classes": list(self.class_names),
            "split": self.split,
            "images": _content(self.cases.chosen),
            "finding": None if self.finding is None else self.class_names[self.finding],
            "targets": self.targets,
            "seed": self.seed,
        }


def make_networks(
    models: Mapping[str, SoftCAM], black_box: tuple[str, BlackBox] | None
) -> tuple[list[Network], Network, tuple[str, ...]]:
    """Networks of a comparison: the SoftCAMs, what other methods explain, and what should be known of that.

    Parameters
    ----------
    models : mapping of str to SoftCAM
        By name; at least one.
    black_box : (str, BlackBox), optional
        Name and network; by default the black box that has the first model's weights.

    Raises
    ------
    SettingsError
        When the networks' classes or tasks differ.
    """
    softcams = [Network(name, model, model, "softcam") for name, model in models.items()]
    first = softcams[0]
    for name, card in [(n.name, n.card) for n in softcams] + ([(black_box[0], black_box[1].card)] if black_box else []):
        if card.class_names != first.card.class_names or card.task != first.card.task:
            theirs, ours = (f"{', '.join(c.class_names)} ({c.task})" for c in (card, first.card))
            raise SettingsError(name, f"has the classes {theirs}, not {ours}", "Compare models of the same classes.")
    if black_box is not None:
        return softcams, Network(black_box[0], black_box[1], black_box[1], "black_box"), ()
    try:
        twin = BlackBox.twin_of(models[first.name])
    except SettingsError as error:
        note = f"{first.name} has no black box of the same function ({error.reason}): all methods explain it itself."
        return softcams, first, (note,)
    network = Network(f"{first.name}, black box", twin, first.model, "twin")
    return softcams, network, (f"The black box has the weights of {first.name}, and predicts the same.",)


def make_contenders(
    softcams: Sequence[Network],
    explained: Network,
    explainers: Sequence[Explainer],
    *,
    leave_out: bool = False,
    report: Callable[[str], object] = lambda text: None,
) -> tuple[Contender, ...]:
    """SoftCAM's evidence on each SoftCAM, every other method on the black box.

    Parameters
    ----------
    softcams : sequence of Network
    explained : Network
        What methods other than evidence explain.
    explainers : sequence of Explainer
        In the order of the tables; those that are equal count once.
    leave_out : bool
        Leave methods out that cannot explain the network, instead of refusing them.
    report : callable
        Told of each that was left out, a sentence.

    Raises
    ------
    SettingsError
        When methods cannot explain their network, with all of them and the reasons; or when none is left.
    """
    contenders: list[Contender] = []
    refused: list[str] = []
    for explainer in dict.fromkeys(explainers):
        for network in softcams if explainer.about.needs_softcam else [explained]:
            reason = explainer.refusal(network.model) or _layer_problem(explainer, network.model)
            if reason:
                refused.append(f"{explainer} on {network.name}: {reason}")
            else:
                contenders.append(Contender(network, explainer, same_as_evidence(explainer, network.model)))
    if refused and not leave_out:
        lines = "".join(f"\n  {text}" for text in refused)
        raise SettingsError("--method", f"cannot explain what they are meant to:{lines}", "\nLeave them out.")
    for text in refused:
        report(f"Left out: {text}.")
    if not contenders:
        raise SettingsError("--method", "none is left", f"There are {', '.join(METHODS)}.")
    return tuple(contenders)


def distinct_names(cards: Sequence[ModelCard]) -> list[str]:
    """Names of models, told apart by their weights where the cards have the same."""
    counts = Counter(card.name for card in cards)
    return [card.name if counts[card.name] == 1 else f"{card.name} ({card.sha256[:6]})" for card in cards]


def _layer_problem(explainer: Explainer, model: Classifier) -> str:
    """What is wrong with the layer that a method was told to look at."""
    try:
        if layer := getattr(explainer, "layer", ""):
            find_layer(model, layer)
    except SettingsError as error:
        return f"{error.path}: {error.reason}. {error.advice}".rstrip(".")
    return ""


def _weights(model: Classifier) -> str:
    return model.card.sha256 or weights_hash(model.state_dict())


def _content(cases: Sequence[Case]) -> str:
    """SHA-256 of what is judged: names, sizes, labels and annotations, but not where files lie."""
    rows = []
    for case in cases:
        sample = case.sample
        files = [(path.name, path.stat().st_size) for path in (sample.path, sample.mask) if path is not None]
        rows.append([files, sample.row, sample.label, sample.split, list(sample.boxes), case.group])
    return hashlib.sha256(json.dumps(rows).encode("utf-8", "surrogateescape")).hexdigest()
