"""Splits drawn by patient, with nearly the same mixture of classes in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from softcam_core.data.samples import Split

_Feature = tuple[str, Hashable]


def draw_splits(
    labels: Sequence[int | tuple[int, ...]],
    patients: Sequence[str],
    names: Sequence[str],
    *,
    val_share: float,
    test_share: float,
    seed: int,
) -> list[Split]:
    """Deal images out to train, val and test, all images of a patient to the same.

    Patients go one after the other, those with most images first, to where they reduce the chi-squared distance from
    the wished shares most: of all images, of each class, and of each combination of classes. Before that, each class
    that has a patient for each split gets one there. (scikit-learn's StratifiedGroupKFold makes folds of equal size
    only.)

    Parameters
    ----------
    labels : sequence of int or tuple of int
        Class of each image, or 0 or 1 for each class.
    patients : sequence of str
        Whose image it is; an image without a name is taken for a patient of its own.
    names : sequence of str
        Different for each image. The result depends on them and not on the order of the images.
    val_share, test_share : float
        Parts of the images; their sum is below 1.
    seed : int

    Returns
    -------
    list of {"train", "val", "test"}
        One for each image.
    """
    wished: dict[Split, float] = {"train": 1 - val_share - test_share, "val": val_share, "test": test_share}
    shares = {split: share for split, share in wished.items() if share > 0}
    members: dict[tuple[str, str], list[int]] = {}
    for image in sorted(range(len(names)), key=names.__getitem__):
        patient = patients[image]
        members.setdefault((patient, "" if patient else names[image]), []).append(image)
    groups = list(members.values())
    order = [groups[i] for i in np.random.default_rng(seed).permutation(len(groups))]
    dealer = _Dealer(order, labels, shares)
    dealer.deal_one_of_each_class()
    dealer.deal_the_rest()
    result: list[Split] = ["train"] * len(names)
    for group, split in zip(order, dealer.dealt, strict=True):
        for image in group:
            result[image] = split or "train"
    return result


class _Dealer:
    """Deals groups of images out to splits."""

    def __init__(
        self, groups: Sequence[Sequence[int]], labels: Sequence[int | tuple[int, ...]], shares: dict[Split, float]
    ) -> None:
        self.shares = shares
        self.sizes = [len(group) for group in groups]
        self.features = [Counter(f for image in group for f in _features(labels[image])) for group in groups]
        self.totals: Counter[_Feature] = Counter()
        for counts in self.features:
            self.totals.update(counts)
        self.dealt: list[Split | None] = [None] * len(groups)
        self.taken: dict[Split, Counter[_Feature]] = {split: Counter() for split in shares}

    def deal_one_of_each_class(self) -> None:
        """Give each split a patient of each class that has enough of them, the rarest class first."""
        holders: dict[_Feature, list[int]] = {}
        for group in sorted(range(len(self.sizes)), key=self.sizes.__getitem__):  # small ones disturb shares least
            for feature in self.features[group]:
                if feature[0] == "class":
                    holders.setdefault(feature, []).append(group)
        for feature, having in sorted(holders.items(), key=lambda item: (len(item[1]), item[0])):
            if len(having) < len(self.shares):
                continue
            free = iter([group for group in having if self.dealt[group] is None])
            for split in self.shares:
                if not self.taken[split][feature]:
                    chosen = next(free, None)
                    if chosen is not None:
                        self._deal(chosen, split)

    def deal_the_rest(self) -> None:
        """Give each patient to the split that lacks such images most."""
        for group in sorted(range(len(self.sizes)), key=lambda g: -self.sizes[g]):
            if self.dealt[group] is None:
                self._deal(group, min(self.shares, key=lambda split: self._cost(group, split)))

    def _cost(self, group: int, split: Split) -> float:
        """By how much the sum of (taken - wished)^2 / wished changes."""
        share, taken = self.shares[split], self.taken[split]
        cost = 0.0
        for feature, count in self.features[group].items():
            wished = share * self.totals[feature]
            cost += count * (2 * (taken[feature] - wished) + count) / wished
        return cost

    def _deal(self, group: int, split: Split) -> None:
        self.dealt[group] = split
        self.taken[split].update(self.features[group])


def _features(label: int | tuple[int, ...]) -> list[_Feature]:
    """What the shares of an image shall be met for."""
    features: list[_Feature] = [("image", None)]
    if isinstance(label, int):
        return [*features, ("class", label)]
    positive = [("class", index) for index, has_class in enumerate(label) if has_class]
    return [*features, ("combination", label), *positive]
