"""What is explained: the logit of a class, by itself or against others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from softcam_core.errors import SettingsError
from softcam_core.models.card import ModelCard


@dataclass(frozen=True, slots=True)
class Target:
    r"""A linear combination of logits, :math:`t = \sum_k w_k y_k`.

    Attributes
    ----------
    of : int
        The class that counts for 1.
    against : int, "rest" or None
        A class that counts for -1: the combination of two exclusive classes is their log-odds, exactly. With "rest"
        all other classes count for -1 together, each the same.
    """

    of: int
    against: int | Literal["rest"] | None = None

    def title(self, class_names: Sequence[str]) -> str:
        """In words: "A", "A against B" or "A against the rest"."""
        if self.against is None:
            return class_names[self.of]
        other = "the rest" if self.against == "rest" else class_names[self.against]
        return f"{class_names[self.of]} against {other}"


TargetLike = Target | int
Targets = Sequence[TargetLike] | Sequence[Sequence[TargetLike]]
"""The same T targets for all images, or T targets for each of them."""


def default_target(card: ModelCard, of: int) -> Target:
    """A class as it is best shown: of two exclusive ones against the other, because only their difference matters."""
    is_pair = card.task == "single_label" and len(card.class_names) == 2
    return Target(of, 1 - of) if is_pair else Target(of)


def contrasts(targets: Targets | TargetLike | None, images: int, card: ModelCard) -> Tensor:
    """Weights of the logits for each image and target, (B, T, K) float64.

    Parameters
    ----------
    targets : Targets, TargetLike or None
        One target, T targets for all images, or for each of the B images T targets of its own. None for every class by
        itself.
    images : int
        The number B.
    card : ModelCard
        Of the model, for its K classes.

    Raises
    ------
    SettingsError
        When there are no targets, not as many lists as images, lists of different lengths, or a class that the model
        does not have.
    """
    classes = len(card.class_names)
    if targets is None:
        targets = range(classes)
    if isinstance(targets, Target | int):
        targets = [targets]
    rows = list(targets)
    if not rows:
        raise SettingsError("targets", "there are none", "Name at least one class.")
    if all(isinstance(row, Target | int) for row in rows):
        weights = torch.stack([_weights(row, card) for row in rows])  # type: ignore[arg-type]
        return weights.expand(images, len(rows), classes)
    if any(isinstance(row, Target | int) for row in rows):
        raise SettingsError("targets", "some are for all images and some for one", "Give one list for each image.")
    if len(rows) != images:
        raise SettingsError("targets", f"there are lists for {len(rows)} images, but {images} images", "Give one each.")
    if len({len(row) for row in rows}) != 1 or not rows[0]:  # type: ignore[arg-type]
        raise SettingsError("targets", "the images have different numbers of targets", "Give each the same number.")
    return torch.stack([torch.stack([_weights(target, card) for target in row]) for row in rows])  # type: ignore[union-attr]


def _weights(target: TargetLike, card: ModelCard) -> Tensor:
    if not isinstance(target, Target):
        target = Target(target)
    classes = len(card.class_names)
    for index in (target.of, target.against):
        if isinstance(index, int) and not 0 <= index < classes:
            names = ", ".join(f"{i} {name}" for i, name in enumerate(card.class_names))
            raise SettingsError("targets", f"the model has no class {index}", f"Its classes are {names}.")
    weights = torch.zeros(classes, dtype=torch.float64)
    if target.against == "rest":
        if classes < 2:
            raise SettingsError("targets", "a model of one class has no rest", "Explain the class by itself.")
        weights -= 1 / (classes - 1)
    elif target.against is not None:
        if target.against == target.of:
            raise SettingsError("targets", "a class cannot be set against itself", "Name two different classes.")
        weights[target.against] = -1
    weights[target.of] = 1
    return weights
