"""How far a job is: the figures of its events, few enough to be drawn ten times a second."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from softcam_core.training import events

MOST_POINTS = 500
"""Of a curve."""
MOST_WARNINGS = 50
_EPOCH_FIGURES = ("train_", "val_", "evidence_")
"""Beginnings of the names of what is judged; an epoch's row has its step and its time, too."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class JobProgress:
    """Where a job is, as far as its events tell.

    Attributes
    ----------
    epoch, epochs, step, steps : int
        From 1; 0 before the first one.
    seconds_left : float or None
    loss : float or None
        Of the last step.
    curves : mapping of str to tuple of (float, float)
        (x, y) by name. Of the steps "loss" and its terms, at most MOST_POINTS of them: x is the step, and where there
        are more steps, each point is the mean of equally many. Of the epochs "val_auc" and so on: x is the epoch.
    log_tail : tuple of str
        Last lines of what the process wrote.
    warnings : tuple of str
        The last ones.
    device : str
        That it runs on, in words.
    seconds_since_step : float or None
        How long ago the loop last moved, where a heartbeat told.
    """

    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    loss: float | None = None
    curves: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    log_tail: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    device: str = ""
    seconds_since_step: float | None = None

    @property
    def share(self) -> float:
        """Part that is done, 0 to 1."""
        return min(1.0, self.step / self.steps) if self.steps else 0.0

    def latest(self, name: str) -> float | None:
        """Last value of a curve."""
        points = self.curves.get(name)
        return points[-1][1] if points else None


class Curve:
    """A curve that grows and never has more than MOST_POINTS points: each is the mean of equally many values."""

    def __init__(self) -> None:
        self._points: list[Point] = []
        self._each = 1
        self._pending: list[Point] = []

    @property
    def points(self) -> tuple[Point, ...]:
        """So far; the last one may be of fewer values."""
        return (*self._points, _mean(self._pending)) if self._pending else tuple(self._points)

    def add(self, x: float, y: float) -> None:
        """Add a value, further right than all before."""
        self._pending.append((x, y))
        if len(self._pending) < self._each:
            return
        self._points.append(_mean(self._pending))
        self._pending = []
        if len(self._points) == MOST_POINTS:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairs]
            self._each *= 2

    def cut(self, x: float) -> None:
        """Take away what lies right of `x`: a run that goes on from there makes it again."""
        self._points = [point for point in self._points if point[0] <= x]
        self._pending = [point for point in self._pending if point[0] <= x]


def _mean(points: list[Point]) -> Point:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


class ProgressKeeper:
    """Makes progress of events, and keeps those that tell how a process ends.

    Attributes
    ----------
    log_tail : tuple of str
        To be set by who reads the log.
    last_start, last_end, last_error : event or None
        The latter two of the process that runs or ran last.
    kept : CheckpointEvent or None
        What there is to resume from.
    is_paused, has_begun : bool
        Of that process.
    """

    def __init__(self) -> None:
        self.log_tail: tuple[str, ...] = ()
        self.last_end: events.EndEvent | None = None
        self.last_error: events.ErrorEvent | None = None
        self.last_start: events.StartEvent | None = None
        self.kept: events.CheckpointEvent | None = None
        self.is_paused = self.has_begun = False
        self._reset()

    def _reset(self) -> None:
        self._epoch = self._epochs = self._step = self._steps = 0
        self._left: float | None = None
        self._loss: float | None = None
        self._device = ""
        self._idle: float | None = None
        self._warnings: list[str] = []
        self._steps_curves: dict[str, Curve] = {}
        self._epoch_curves: dict[str, Curve] = {}

    def take(self, happened: Iterable[events.Event]) -> None:
        """Take note of events, in their order."""
        for event in happened:
            match event:
                case events.StartEvent():
                    self._start(event)
                case events.StepEvent():
                    self._take_step(event)
                case events.EpochEvent():
                    self._epoch = event.epoch
                    figures = {k: value for k, value in event.metrics.items() if k.startswith(_EPOCH_FIGURES)}
                    self._add(self._epoch_curves, event.epoch, figures)
                case events.CheckpointEvent():
                    self.kept = event if event.kind == "resume" else self.kept
                case events.WarningEvent():
                    self._warnings = [*self._warnings, event.message][-MOST_WARNINGS:]
                case events.ErrorEvent():
                    self.last_error = event
                case events.HeartbeatEvent():
                    self._idle = event.seconds_since_progress
                case events.PauseEvent():
                    self.is_paused = event.is_paused
                case events.EndEvent():
                    self.last_end = event

    def _start(self, event: events.StartEvent) -> None:
        if event.resumed_from is None:
            self._reset()
            self.kept = None
        else:
            done = event.resumed_from // event.steps_per_epoch
            for curve in self._steps_curves.values():
                curve.cut(event.resumed_from)
            for curve in self._epoch_curves.values():
                curve.cut(done)
            self._step, self._epoch = event.resumed_from, done
        self.expect_start()
        self.has_begun = True
        self._epochs, self._steps = event.epochs, event.epochs * event.steps_per_epoch
        self._device, self.last_start = event.device, event

    def expect_start(self) -> None:
        """Another process takes over: how the last one was and ended says nothing any more."""
        self.last_end = self.last_error = None
        self.is_paused = self.has_begun = False
        self._left = self._idle = None

    def _take_step(self, event: events.StepEvent) -> None:
        self._epoch, self._step, self._steps = event.epoch, event.step, event.steps
        self._left, self._loss, self._idle = event.seconds_left, event.loss, None
        self._add(self._steps_curves, event.step, {"loss": event.loss, **event.terms})

    @staticmethod
    def _add(curves: dict[str, Curve], x: int, values: Mapping[str, float | None]) -> None:
        for name, value in values.items():
            if value is not None:  # None is a figure that was not finite
                curves.setdefault(name, Curve()).add(x, value)

    @property
    def progress(self) -> JobProgress:
        """As it is now."""
        curves = self._epoch_curves | self._steps_curves
        return JobProgress(
            epoch=self._epoch,
            epochs=self._epochs,
            step=self._step,
            steps=self._steps,
            seconds_left=self._left,
            loss=self._loss,
            curves={name: curve.points for name, curve in curves.items()},
            log_tail=self.log_tail,
            warnings=tuple(self._warnings),
            device=self._device,
            seconds_since_step=self._idle,
        )
