"""What a run says while it trains: typed events, one JSON object a line, for whoever watches.

Standard library and pydantic alone, so that the viewer can follow a run without torch.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from softcam_core.errors import SettingsError

FinalStatus = Literal["finished", "interrupted", "stopped_early", "failed"]
ErrorKind = Literal["out_of_memory", "not_finite", "disk", "data", "process", "other"]
CheckpointKind = Literal["best", "last", "resume"]


def _for_json(value: Any) -> Any:  # noqa: ANN401
    """JSON has no NaN, and no half characters, which names of files that are no UTF-8 have in Python."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_for_json(key): _for_json(item) for key, item in value.items()}
    return [_for_json(item) for item in value] if isinstance(value, list | tuple) else value


Number = Annotated[float | None, BeforeValidator(_for_json)]
"""A figure; None where it is not a finite number."""

Text = Annotated[str, BeforeValidator(_for_json)]


class RunEvent(BaseModel):
    """What all events have: `time`, seconds since 1970, UTC."""

    # Fields that a newer version adds are not this one's business.
    model_config = ConfigDict(frozen=True, extra="ignore")

    time: float = Field(default_factory=time.time, allow_inf_nan=False)


class StartEvent(RunEvent):
    """A run begins or goes on.

    Attributes
    ----------
    run : str
        Its name.
    config : dict
        What matters about its settings.
    epochs, steps_per_epoch : int
        Planned.
    processes : int
    device : str
    resumed_from : int or None
        Step that it goes on from; None at the beginning.
    pid : int
        Of the process that writes.
    version : str
        Of softcam.
    """

    type: Literal["start"] = "start"
    run: Text
    config: Annotated[dict[str, Any], BeforeValidator(_for_json)] = Field(default_factory=dict)
    epochs: int
    steps_per_epoch: int
    processes: int = 1
    device: Text
    resumed_from: int | None = None
    pid: int
    version: Text


class StepEvent(RunEvent):
    """Some steps of the optimiser were made.

    Attributes
    ----------
    epoch : int
        From 1.
    step, steps : int
        Steps made since the run's beginning, and all that are planned.
    loss : float or None
    terms : dict of str to float
        What the loss is made of: "classification", "l1", "l2".
    learning_rate : float or None
    images_per_second, seconds_left : float or None
    """

    type: Literal["step"] = "step"
    epoch: int
    step: int
    steps: int
    loss: Number
    terms: dict[str, Number] = Field(default_factory=dict)
    learning_rate: Number
    images_per_second: Number = None
    seconds_left: Number = None


class EpochEvent(RunEvent):
    """An epoch was trained and judged.

    Attributes
    ----------
    epoch : int
        From 1.
    metrics : dict of str to float or None
        The row of the run's table.
    seconds : float
    is_best : bool
    """

    type: Literal["epoch"] = "epoch"
    epoch: int
    metrics: dict[str, Number]
    seconds: float
    is_best: bool


class CheckpointEvent(RunEvent):
    """A file of the model or of the run's state was written.

    Attributes
    ----------
    kind : {"best", "last", "resume"}
    path : str
        Relative to the run's folder.
    """

    type: Literal["checkpoint"] = "checkpoint"
    kind: CheckpointKind
    path: Text
    epoch: int
    step: int


class WarningEvent(RunEvent):
    """Something to know that does not end the run."""

    type: Literal["warning"] = "warning"
    message: Text


class ErrorEvent(RunEvent):
    """What ended the run."""

    type: Literal["error"] = "error"
    message: Text
    kind: ErrorKind


class HeartbeatEvent(RunEvent):
    """The process is alive, though nothing else was said for a while.

    Attributes
    ----------
    epoch, step : int
        Where the loop last reported from; 0 before it did.
    seconds_since_progress : float
        How long ago that was: seconds in a slow loop, ever more in one that is stuck.
    memory : int or None
        Most bytes the process had in memory so far; None where the system does not tell.
    """

    type: Literal["heartbeat"] = "heartbeat"
    epoch: int
    step: int
    seconds_since_progress: float
    memory: int | None


class PauseEvent(RunEvent):
    """Whoever watches had the run wait between two steps, or go on.

    Attributes
    ----------
    is_paused : bool
    """

    type: Literal["pause"] = "pause"
    is_paused: bool


class EndEvent(RunEvent):
    """Nothing more will come.

    Attributes
    ----------
    status : {"finished", "interrupted", "stopped_early", "failed"}
    best_epoch : int or None
    metrics : dict of str to float or None
        Of the best epoch.
    """

    type: Literal["end"] = "end"
    status: FinalStatus
    best_epoch: int | None = None
    metrics: dict[str, Number] = Field(default_factory=dict)
    message: Text = ""


Event = (
    StartEvent
    | StepEvent
    | EpochEvent
    | CheckpointEvent
    | WarningEvent
    | ErrorEvent
    | HeartbeatEvent
    | PauseEvent
    | EndEvent
)

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


class EventReader:
    """Follows a run's file while it grows.

    Parameters
    ----------
    path : Path or str
        Need not be there yet.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._offset = 0
        self._file_id: tuple[int, int] | None = None

    def read(self) -> list[Event]:
        """Read what was written since the last call; from the beginning where another run took the file's place.

        Lines that are not finished wait for the next call. Lines that are no event this version knows are passed over.

        Raises
        ------
        SettingsError
            When the file is there and cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                file_id = (status.st_dev, status.st_ino)
                if file_id != self._file_id or status.st_size < self._offset:
                    self._file_id, self._offset = file_id, 0
                if status.st_size == self._offset:
                    return []
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SettingsError(self.path, f"cannot be read: {error.strerror}", "Check its permissions.") from error
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [event for line in whole.splitlines() if (event := _parse(line)) is not None]


def read_events(path: Path | str) -> list[Event]:
    """All events that a run has written so far; none where there is no file."""
    return EventReader(path).read()


def _parse(line: bytes) -> Event | None:
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError:
        return None
