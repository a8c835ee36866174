"""What a fine-tuned model does other than the model it started from: figures before and after, with intervals.

Pydantic alone, so that the viewer can show a comparison without torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from softcam_core.errors import SettingsError
from softcam_core.files import write_whole
from softcam_core.training.events import Number, Text

Better = Literal["higher", "lower", "neither"]
Group = Literal["classification", "evidence"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Estimate(_Record):
    """A figure and how sure it is.

    Attributes
    ----------
    value : float or None
    low, high : float or None
        95 % bootstrap interval over images; None for too few images.
    """

    value: Number
    low: Number = None
    high: Number = None


class FigureChange(_Record):
    """A figure of two models on the same images.

    Attributes
    ----------
    name : str
        "test_auc", "evidence_wrong" and so on.
    title : str
        For people.
    group : {"classification", "evidence"}
    images : int
        That it was measured on.
    before, after : Estimate
    change : Estimate
        After less before; its interval is of the difference itself, images drawn in pairs.
    better : {"higher", "lower", "neither"}
    """

    name: str
    title: Text
    group: Group
    images: int = Field(ge=0)
    before: Estimate
    after: Estimate
    change: Estimate
    better: Better = "neither"

    @property
    def verdict(self) -> Literal["better", "worse", "unsure"]:
        """Whether the change is sure to be for the better or the worse, judged by its interval."""
        low, high = self.change.low, self.change.high
        if self.better == "neither" or low is None or high is None or low <= 0 <= high:
            return "unsure"
        return "better" if (low > 0) == (self.better == "higher") else "worse"


class Comparison(_Record):
    """A model and the one it started from.

    Attributes
    ----------
    before, after : str
        SHA-256 of their weights.
    before_name, after_name : str
    rows : tuple of FigureChange
    notes : tuple of str
        Sentences on what the figures do not say.
    """

    before: str
    after: str
    before_name: Text
    after_name: Text
    rows: tuple[FigureChange, ...]
    notes: Annotated[tuple[Text, ...], BeforeValidator(tuple)] = ()


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write a comparison as JSON; raises SettingsError where that cannot be."""
    write_whole(path, comparison.model_dump_json(indent=1).encode())


def read_comparison(path: Path) -> Comparison:
    """Read a comparison.

    Raises
    ------
    SettingsError
        When there is none, or it is damaged.
    """
    try:
        return Comparison.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(
            path, f"cannot be read: {error.strerror}", "The run may not have come to its end."
        ) from error
    except ValidationError as error:
        raise SettingsError(path, "is not a comparison of two models", "Fine-tune again to make it anew.") from error
