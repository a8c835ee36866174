"""Which figures of a map are told beside it, what each is, and how its numbers are written."""

from __future__ import annotations

import math
from dataclasses import dataclass

from softcam_core.evaluation.metrics import METRICS, Metric

ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}
BETTER = {
    "higher": "Higher is better.",
    "lower": "Lower is better.",
    "neither": "It describes; neither end is the better one.",
}
NOTHING, WAITING = "–", "…"
CURVE_NAMES = ("deletion", "insertion")
LOCALISATION = ("relevance_mass", "pointing_game")
SPARSITY = ("gini", "near_zero")
AGREEMENT = "rank_agreement"
SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Column:
    """A figure as panels show it.

    Attributes
    ----------
    metric : Metric
        What it is in the core, by whose name it goes.
    short : str
        Title that fits a narrow column of names.
    definition : str
        One or two sentences.
    """

    metric: Metric
    short: str
    definition: str

    @property
    def name(self) -> str:
        """Name in the core and in files."""
        return self.metric.name

    @property
    def title(self) -> str:
        """Title with an arrow to the better end."""
        return f"{self.short} {ARROWS[self.metric.better]}".strip()

    @property
    def tip(self) -> str:
        """Definition, which end is better, and where it comes from."""
        reference = f"\n{self.metric.reference}." if self.metric.reference else ""
        return f"{self.metric.title}. {self.definition}\n{BETTER[self.metric.better]}{reference}"

    def text(self, value: float, *, wide: bool = False) -> str:
        """A number for people; `wide` where there is room for one more digit."""
        more = int(wide)
        if self.name == "pointing_game" and value in (0, 1):
            return "hit" if value else "miss"
        if self.name in ("relevance_mass", "near_zero"):
            return f"{100 * value:.{more}f} %"
        if self.name == SECONDS:
            decimals = 0 if value >= 100 else 1 + more if value >= 10 else 2 + more
            return f"{value:.{decimals}f}"
        text = f"{value:.{2 + more}f}"
        return text.replace("-", "−") if float(text) else text.lstrip("-")


def _of_blocks(text: str) -> str:
    options = METRICS["deletion"].options
    return (
        f"{text} The area under the curve over the first {options['steps']} blocks of {options['block']} × "
        f"{options['block']} pixels of the model input, those of most evidence first; blank is the mean of the "
        "training data."
    )


COLUMNS: tuple[Column, ...] = tuple(
    Column(METRICS[name], short, definition)
    for name, short, definition in (
        ("deletion", "Deletion",
         _of_blocks("What stays of the probability of the class shown while the map's strongest blocks are blanked.")),
        ("insertion", "Insertion",
         _of_blocks("What comes of the probability of the class shown while the map's strongest blocks come back.")),
        ("gini", "Sparsity (Gini)",
         "How unequal the cells of the method's own grid are: 0 where all are equally far from 0, near 1 where one has "
         "everything."),
        ("near_zero", "Near zero", "Share of these cells that are at most 1 % of the strongest one."),
        ("relevance_mass", "Mass in box",
         "Share of the evidence for the class that lies in the boxes or the mask of the case."),
        ("pointing_game", "Pointing", "Whether the highest value lies in the boxes or the mask of the case."),
        (AGREEMENT, "Like pane 1",
         "Spearman's rank correlation with the map of pane 1 over the pixels of the model input, −1 to 1."),
        (SECONDS, "Time, s", "Time that the method took; of SoftCAM's evidence for all classes together."),
    )
)  # fmt: skip
"""In the order in which people should see them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of one map.

    Attributes
    ----------
    value : float or None
        Never NaN.
    why : str
        Why there is none, a sentence.
    is_waiting : bool
        True while it is being computed.
    """

    value: float | None = None
    why: str = ""
    is_waiting: bool = False

    @classmethod
    def of(cls, value: float, why: str) -> Cell:
        """A figure, or for NaN why there is none."""
        return cls(why=why) if math.isnan(value) else cls(value)

    def text(self, column: Column, *, wide: bool = False) -> str:
        """What stands in the table."""
        if self.value is None:
            return WAITING if self.is_waiting else NOTHING
        return column.text(self.value, wide=wide)
