"""What an exported map shows and by which model, the same in every format."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from softcam_core.explainers.explanation import Class, Explanation
from softcam_core.notice import NOTICE
from softcam_core.version import __version__


@dataclass(frozen=True, slots=True)
class Facts:
    """What an exported map shows and by which model.

    Attributes
    ----------
    target : str
        The class in words: "A", or "A against B".
    unit : str
        See `Explanation.unit_of`.
    method, method_title : str
        As commands take it, and as people read it.
    model, model_sha256 : str
        Name of the model, and hash of its weights; the hash is empty for a model that was never saved.
    software, notice : str
    """

    target: str
    unit: str
    method: str
    method_title: str
    model: str
    model_sha256: str
    software: str = field(default=f"softcam {__version__}")
    notice: str = field(default=NOTICE)

    def to_json(self, **more: object) -> str:
        """All of it, and `more`, as a JSON object in ASCII."""
        return json.dumps({**asdict(self), **more})

    def summary(self) -> str:
        """One paragraph for people."""
        unit = f" ({self.unit})" if self.unit else ""
        weights = f", weights sha256 {self.model_sha256}" if self.model_sha256 else ""
        return f"{self.method_title}: {self.target}{unit}. Model {self.model}{weights}. {self.software}. {self.notice}"


def facts_of(explanation: Explanation, target: Class, against: Class | None = None) -> Facts:
    """Facts about the map of a class, or of one class against another.

    Raises
    ------
    KeyError, IndexError
        See `Explanation.index`.
    """
    shown = explanation.target(target, against)
    return Facts(
        target=shown.title(explanation.class_names),
        unit=explanation.unit_of(target, against).replace("Δ", "change of"),  # some formats know ASCII alone
        method=explanation.method,
        method_title=explanation.about.title,
        model=explanation.card.name,
        model_sha256=explanation.card.sha256,
    )
