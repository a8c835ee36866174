"""How verdicts look on an image: each by colour, sign and kind of line."""

from __future__ import annotations

from dataclasses import dataclass

from softcam_core.annotations.annotation import Verdict
from softcam_viewer.ui.theme import DARK
from softcam_viewer.ui.verdict_marks import verdict_color


@dataclass(frozen=True, slots=True)
class VerdictLook:
    """How a verdict looks.

    Attributes
    ----------
    color : str
        "#rrggbb": marks lie on film, which is dark in either theme.
    sign : str
    dashes : tuple of float
        Pixels of the screen at 1x; empty for a solid line.
    """

    color: str
    sign: str
    dashes: tuple[float, ...] = ()


SIGNS: dict[Verdict, tuple[str, tuple[float, ...]]] = {
    "wrong": ("▲", ()),
    "correct": ("●", ()),
    "missed": ("■", (8, 5)),
    "unsure": ("?", (3, 3)),
}

LOOKS: dict[Verdict, VerdictLook] = {
    verdict: VerdictLook(verdict_color(verdict, DARK), sign, dashes) for verdict, (sign, dashes) in SIGNS.items()
}
