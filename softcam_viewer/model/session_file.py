"""Session files: what was open and how it was shown, in JSON.

They hold no patient's name or identifier of their own. Paths may: they are names that the user gave, on their own disk.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core.core_schema import SerializationInfo

from softcam_core.errors import BorderError
from softcam_core.files import write_whole
from softcam_core.imaging.image import VoiFunction, Window
from softcam_viewer.model.layouts import LAYOUTS
from softcam_viewer.model.measure import POINTS

SUFFIX = ".softcam"
FORMAT: Final = "softcam-session"
VERSION: Final = 1
MOST_PIXELS = 1e6
"""A side of an image; what lies farther away was not drawn on one."""


class SessionFileError(BorderError):
    """A session file could not be read or written."""


def _resolve(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None else Path(os.path.normpath(folder / path))


def _relate(path: Path, info: SerializationInfo) -> str:
    """Relative to the file in its folder and in the folder above, so that either can be moved; else absolute."""
    folder = (info.context or {}).get("folder")
    path = path.absolute()
    if folder is not None and path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    # Not above a folder at the top of the disk: what lies there has nothing to do with the session.
    if folder is not None and len(folder.parts) > 3 and path.is_relative_to(folder.parent):
        return f"../{path.relative_to(folder.parent).as_posix()}"
    return path.as_posix()


SessionPath = Annotated[Path, AfterValidator(_resolve), PlainSerializer(_relate, return_type=str)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Place = Annotated[float, Field(ge=-MOST_PIXELS, le=MOST_PIXELS, allow_inf_nan=False)]
Places = tuple[tuple[Place, Place], ...]
"""(row, column) in pixels of an image."""


class Entry(BaseModel):
    """A part of the file; names that this version does not know are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class WindowEntry(Entry):
    """What an image is seen through."""

    center: Finite
    width: Positive
    function: VoiFunction = "LINEAR_EXACT"
    inverted: bool = False

    @classmethod
    def of(cls, window: Window, *, inverted: bool) -> WindowEntry | None:
        """Of a window; None for one that images of broken numbers have."""
        if not (math.isfinite(window.center) and math.isfinite(window.width) and window.width > 0):
            return None
        return cls(center=window.center, width=window.width, function=window.function, inverted=inverted)

    @property
    def window(self) -> Window:
        """The window, without the inversion."""
        return Window(self.center, self.width, self.function)


class ViewEntry(Entry):
    """What part of an image is shown: column and row in the middle, screen pixels per image pixel, size in pixels."""

    x: Finite
    y: Finite
    scale: Positive
    height: int = Field(gt=0)
    width: int = Field(gt=0)


class ModelEntry(Entry):
    """A model that was open.

    Attributes
    ----------
    path : Path
    sha256 : str
        Of its weights, as its card tells; of the whole file where it has no card.
    """

    path: SessionPath
    sha256: str = ""


class CaseEntry(Entry):
    """A frame of a case, and the window it was seen through."""

    path: SessionPath
    frame: int = Field(default=0, ge=0)
    window: WindowEntry | None = None


class PaneEntry(Entry):
    """What a pane showed.

    Attributes
    ----------
    method : str
        With its options.
    model : int
        0 for the main model, 1 for the first to compare with.
    target, against : str or None
        Names of classes; None for the model's own choice, and for no comparison.
    against_rest : bool
        Weighed against all other classes together.
    overlay : dict
        How it was shown: fields of `softcam_viewer.model.overlay.OverlaySettings`.
    pinned : CaseEntry or None
        The case that it held for itself.
    """

    method: str = "evidence"
    model: int = Field(default=0, ge=0)
    target: str | None = None
    against: str | None = None
    against_rest: bool = False
    overlay: dict[str, bool | int | float | str | None] = Field(default_factory=dict)
    pinned: CaseEntry | None = None


class FoldedEntry(Entry):
    """A folded heading of the worklist: by a case below it, as it may tell who the patient is, and its level."""

    path: SessionPath
    level: int = Field(ge=0)


class WorklistEntry(Entry):
    """How the worklist was shown; see `softcam_viewer.model.worklist.Worklist`."""

    sort: str = "opened"
    is_turned: bool = False
    filter: str = ""
    is_grouped: bool = True
    folded: tuple[FoldedEntry, ...] = ()


class MeasureEntry(Entry):
    """A ruler or an angle; see `softcam_viewer.model.measure.Measure`."""

    kind: Literal["ruler", "angle"]
    points: Places

    @model_validator(mode="after")
    def _check_whole(self) -> MeasureEntry:
        if len(self.points) != POINTS[self.kind]:
            raise ValueError(f"this {self.kind} has {len(self.points)} points, not {POINTS[self.kind]}")
        return self


class MeasuredEntry(Entry):
    """What was measured on a frame of a case."""

    path: SessionPath
    frame: int = Field(default=0, ge=0)
    measures: tuple[MeasureEntry, ...] = ()


class SeedEntry(Entry):
    """A region of the ledger, by its peak: shares of the height and width of the map, and its sign."""

    row: Share
    column: Share
    positive: bool


class ShapeEntry(Entry):
    """A place drawn by hand; see `softcam_viewer.model.weighing.Shape`."""

    name: str = Field(pattern=r"^L[1-9]\d*$", max_length=9)
    points: Places = Field(min_length=3)


class LeftOutEntry(Entry):
    """What did not count in the active pane, of the case that it showed."""

    regions: tuple[SeedEntry, ...] = ()
    shapes: tuple[ShapeEntry, ...] = ()

    @field_validator("shapes")
    @classmethod
    def _check_names(cls, shapes: tuple[ShapeEntry, ...]) -> tuple[ShapeEntry, ...]:
        if len({shape.name for shape in shapes}) < len(shapes):
            raise ValueError("two shapes have one name")
        return shapes


class ShownEntry(Entry):
    """What was shown beside the maps.

    Attributes
    ----------
    crosshair, cells, annotations, magnifier : bool
        See `softcam_viewer.model.tools.Tools`.
    magnification : {2, 3, 4}
        Of the magnifier.
    waterfall : bool
        The ledger as a waterfall.
    curves : bool
        Curves of the maps shown are computed without being asked for.
    """

    crosshair: bool = True
    cells: bool = False
    annotations: bool = True
    magnifier: bool = False
    magnification: Literal[2, 3, 4] = 2
    waterfall: bool = False
    curves: bool = False


class SessionFile(Entry):
    """All that a session file holds.

    Attributes
    ----------
    cases : tuple of Path
        The worklist.
    tables : tuple of Path
        Of labels, that were opened for it.
    reviewed : tuple of Path
        Those that are.
    models : tuple of ModelEntry
        The main one first.
    case : CaseEntry or None
        The one in view.
    view : ViewEntry or None
        None where the whole image is shown.
    is_maximised : bool
        The active pane has all the room.
    measured : tuple of MeasuredEntry
        What was measured, on all cases.
    left_out : LeftOutEntry
        What did not count in the ledger.
    """

    format: Literal["softcam-session"] = FORMAT
    version: Literal[1] = VERSION
    cases: tuple[SessionPath, ...] = ()
    tables: tuple[SessionPath, ...] = ()
    reviewed: tuple[SessionPath, ...] = ()
    models: tuple[ModelEntry, ...] = ()
    case: CaseEntry | None = None
    layout: str = "1x1"
    active: int = Field(default=0, ge=0)
    panes: tuple[PaneEntry, ...] = ()
    shares_scale: bool = False
    links_views: bool = True
    view: ViewEntry | None = None
    worklist: WorklistEntry = WorklistEntry()
    is_maximised: bool = False
    shown: ShownEntry = ShownEntry()
    measured: tuple[MeasuredEntry, ...] = ()
    left_out: LeftOutEntry = LeftOutEntry()

    @property
    def is_empty(self) -> bool:
        """True where nothing was open."""
        return not self.cases and not self.models


def read_session(path: Path) -> SessionFile:
    """Read a session file; raises SessionFileError."""
    try:
        values = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise SessionFileError(path, f"cannot be read: {error.strerror}", "Check that it is there.") from error
    except (ValueError, RecursionError) as error:
        raise SessionFileError(path, "is damaged: it is not valid JSON", "Open another session.") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise SessionFileError(path, "is no session of the SoftCAM viewer", "Open a file that it has saved.")
    version = values.get("version")
    if isinstance(version, int) and version > VERSION:
        reason = f"was saved by a newer version of the program (format {version}; this one reads up to {VERSION})"
        raise SessionFileError(path, reason, "Update the program to open it.")
    try:
        content = SessionFile.model_validate(values, context={"folder": path.absolute().parent})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SessionFileError(path, f"is damaged at {place}: {first['msg']}", "Open another session.") from error
    if content.layout not in LAYOUTS:
        raise SessionFileError(path, f"is damaged at layout: there is no layout {content.layout!r}")
    return content


def write_session(path: Path, content: SessionFile) -> None:
    """Write a session file whole or not at all; raises SessionFileError."""
    text = content.model_dump_json(indent=1, context={"folder": path.absolute().parent})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, (text + "\n").encode())
    except OSError as error:
        raise SessionFileError(path, f"cannot be written: {error.strerror}", "Choose another folder.") from error
    except BorderError as error:
        raise SessionFileError(path, error.reason, "Choose another folder.") from error


def file_digest(path: Path) -> str:
    """SHA-256 of a whole file, "" where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def with_digests(content: SessionFile, known: dict[Path, str]) -> SessionFile:
    """Fill in the digests of model files that have no card; `known` keeps them, as reading a file takes its time."""
    models = []
    for model in content.models:
        digest = model.sha256 or known.get(model.path) or file_digest(model.path)
        known[model.path] = digest
        models.append(model.model_copy(update={"sha256": digest}))
    return content.model_copy(update={"models": tuple(models)})
