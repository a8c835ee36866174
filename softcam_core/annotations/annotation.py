"""What somebody said about evidence, and about a case."""

from __future__ import annotations

import time
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from softcam_core.annotations.shapes import Shape

Verdict = Literal["wrong", "correct", "missed", "unsure"]
Status = Literal["open", "in_review", "reviewed"]

VERDICTS: dict[Verdict, str] = {
    "wrong": "Wrong evidence",
    "correct": "Correct evidence",
    "missed": "Missed finding",
    "unsure": "Unsure",
}
"""Verdicts, and what people call them."""

STATUSES: dict[Status, str] = {"open": "Not reviewed", "in_review": "In review", "reviewed": "Reviewed"}
"""How far the review of a case is, and what people call it."""

REST = "rest"
"""`Annotation.against` of evidence that was weighed against all other classes."""


def _valid_unicode(value: object) -> object:
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_valid_unicode)]
Line = Annotated[Text, Field(max_length=200)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Annotation(_Record):
    """A verdict on one place of one image.

    Attributes
    ----------
    id : str
        32 hexadecimal digits, its own for ever.
    case : str
        Key of the image (`softcam_core.annotations.identity`), which says what it shows and not where it lies.
    frame : int
        From 0.
    verdict : {"wrong", "correct", "missed", "unsure"}
        The evidence there is wrong (spurious), or correct; a finding there was missed.
    class_name : str
        Class that the evidence speaks for.
    against : str
        Class that it was weighed against, "rest" for all others together, "" for none.
    shape : Shape
        In pixels of the image.
    comment : str
    reviewer : str
    confidence : float or None
        0 to 1; None where nothing was said.
    method : str
        What drew the map that was judged, as `softcam_core.explainers.methods.parse_method` reads it; "" for none.
    model_name, model_sha256 : str
        Whose evidence it was; "" for none.
    threshold : float or None
        That the map was shown from, in `unit`.
    unit : str
    created, modified : float
        Seconds since 1970, UTC.
    """

    id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] = Field(default_factory=lambda: uuid4().hex)
    case: Annotated[str, Field(min_length=1, max_length=200)]
    frame: Annotated[int, Field(ge=0)] = 0
    verdict: Verdict
    class_name: Line
    against: Line = ""
    shape: Shape
    comment: Annotated[Text, Field(max_length=10_000)] = ""
    reviewer: Line = ""
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    method: Line = ""
    model_name: Line = ""
    model_sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""
    threshold: float | None = None
    unit: Line = ""
    created: float = Field(default_factory=time.time)
    modified: float = Field(default_factory=time.time)


class Review(_Record):
    """What one reviewer says about a case as a whole; there is one for each case and reviewer.

    Attributes
    ----------
    case : str
        Key of the image.
    reviewer : str
    status : {"open", "in_review", "reviewed"}
    labels : tuple of str or None
        Classes that the case has; empty for none of them, None where nothing was said.
    comment : str
    modified : float
        Seconds since 1970, UTC.
    """

    case: Annotated[str, Field(min_length=1, max_length=200)]
    reviewer: Line = ""
    status: Status = "open"
    labels: tuple[Line, ...] | None = None
    comment: Annotated[Text, Field(max_length=10_000)] = ""
    modified: float = Field(default_factory=time.time)


class CaseRecord(_Record):
    """An image that something was said about.

    Attributes
    ----------
    key : str
        See `softcam_core.annotations.identity`.
    height, width : int
        In pixels.
    sop_instance_uid : str
        Of a DICOM file; "" for others, and where a file came without it.
    path : str
        Where the image was seen last: a hint to find it again, never what it is known by. Stays out of exports.
    """

    key: Annotated[str, Field(min_length=1, max_length=200)]
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    sop_instance_uid: str = ""
    path: Text = ""


Record = Annotation | Review


class Change(_Record):
    """One record before and after; None for one that was or is not there."""

    before: Annotation | Review | None
    after: Annotation | Review | None

    @property
    def inverse(self) -> Change:
        """What takes it back."""
        return Change(before=self.after, after=self.before)


class Edit(_Record):
    """What a person did in one go: written whole or not at all.

    Attributes
    ----------
    title : str
        For people ("Flag as wrong evidence").
    changes : tuple of Change
        At most one for each record.
    """

    title: str
    changes: tuple[Change, ...]

    @property
    def inverse(self) -> Edit:
        """What takes it back."""
        return Edit(title=self.title, changes=tuple(change.inverse for change in reversed(self.changes)))
