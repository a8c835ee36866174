r"""Change: what one model's evidence has that another's has not, place by place.

Both predictions are means of their maps, so the difference of the maps has the difference of the predictions as its
mean, exactly:

.. math:: z_k^{after} - z_k^{before} = \frac{1}{hw} \sum_{ij} (A_{kij}^{after} - A_{kij}^{before})

and a ledger of it (`softcam_core.ledger.regions`) says how much of the change happened where.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from softcam_core.errors import SettingsError
from softcam_core.explainers.explanation import Class, Explanation

NAME = "change"
TITLE = "Change of evidence"
REFERENCE = "Djoumessi & Berens, MIDL 2026, section 3: difference of the evidence of two models"
VALID = "For two SoftCAMs with the same classes and the same input: their predictions differ by its mean."
UNIT_PREFIX = "Δ "


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Change(Explanation):
    """The evidence of a model less that of another one, for the same image.

    It is used as evidence is. Its logits are the differences of the logits; its probabilities are those of the model
    that comes after.

    Attributes
    ----------
    before, after : Explanation
        Evidence of the two.
    """

    before: Explanation
    after: Explanation

    def default_view(self) -> tuple[int, int | None]:
        """See `Explanation.default_view`: what the model that comes after is shown by."""
        return self.after.default_view()

    def unit_of(self, target: Class, against: Class | None = None) -> str:
        """See `Explanation.unit_of`."""
        return UNIT_PREFIX + self.after.unit_of(target, against)


def change_between(before: Explanation, after: Explanation) -> Change:
    """What changed from one model to another.

    Parameters
    ----------
    before, after : Explanation
        Evidence of two models for the same image.

    Returns
    -------
    Change
        With the seconds of both together, and the card of `after`.

    Raises
    ------
    SettingsError
        When one of them is no evidence, or the models have other classes, another kind of task, or evidence on other
        cells of the image.
    """
    from softcam_core.explainers.base import About

    _check(before, after)
    shared = {f.name: getattr(after, f.name) for f in fields(Explanation)}
    return Change(
        **shared
        | {
            "about": About(NAME, TITLE, REFERENCE, "evidence", "forward", True, VALID, needs_softcam=True),
            "method": NAME,
            "logits": after.logits - before.logits,
            "grid": np.asarray(after.grid - before.grid, dtype=np.float32),
            "offset": after.offset - before.offset,
            "seconds": before.seconds + after.seconds,
            "warnings": (),
            "notes": (f"{after.card.name} less {before.card.name}.",),
        },
        before=before,
        after=after,
    )


def _check(before: Explanation, after: Explanation) -> None:
    first, second = before.card, after.card
    name = second.name
    if not (before.is_evidence and after.is_evidence):
        box = name if not after.is_evidence else first.name
        raise SettingsError(box, "is no evidence, so nothing can be taken away from it", "Choose two SoftCAMs.")
    if first.class_names != second.class_names or first.task != second.task:
        told = " and ".join(f"{card.name} ({', '.join(card.class_names)})" for card in (first, second))
        raise SettingsError(
            name, f"the two models answer different questions: {told}", "Choose two of the same classes."
        )
    if before.geometry.image_size != after.geometry.image_size:
        raise SettingsError(name, "the two maps are of different images", "Explain the same image with both.")
    if before.geometry != after.geometry or before.grid.shape != after.grid.shape:
        cells = " and ".join("{} x {}".format(*explanation.grid.shape[1:]) for explanation in (before, after))
        reason = f"the two models see the image in different sections or cells ({cells})"
        raise SettingsError(name, reason, "Choose two with the same preprocessing and output stride.")
