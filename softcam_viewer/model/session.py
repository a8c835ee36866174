"""Session: the case, the model and the view that are open, and what happens when one of them changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from softcam_viewer.jobs.lanes import Lanes
from softcam_viewer.model import backend
from softcam_viewer.model.cases import CaseList
from softcam_viewer.model.explaining import Explaining
from softcam_viewer.model.film import Film
from softcam_viewer.model.loaded_model import LoadedModel
from softcam_viewer.model.methods import list_methods
from softcam_viewer.model.panes import Panes

if TYPE_CHECKING:
    from softcam_core.explainers.explanation import Explanation
    from softcam_viewer.jobs.lanes import Lane


class Session(QObject):
    """State of the application; widgets show it and ask it for changes.

    Parameters
    ----------
    lanes : Lanes
    device : str
        Where networks run, a name of `softcam_core.devices`.
    """

    row_changed = Signal(int)  # another case was chosen; its image follows
    model_changed = Signal()  # the main model is another one
    compared_changed = Signal()  # a model to compare with was opened or closed
    busy_changed = Signal(str)  # what the user is waiting for, "" for nothing
    failed = Signal(str)  # a message for the user
    conversion_wanted = Signal(object)  # a file of weights was opened that may become a model: a Convertible
    converted = Signal(str)  # how equal the model just converted is, in one sentence
    conversion_failed = Signal(str)  # why not

    def __init__(self, lanes: Lanes, device: str = "auto", parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.cases = CaseList(self)
        self.row = -1
        self.film = Film(self)
        self.model: LoadedModel | None = None
        self.compared: tuple[LoadedModel, ...] = ()
        self._waits: dict[Lane, str] = {}
        self._lanes, self._device = lanes, device
        self._explaining = Explaining(lanes.quick, lanes.slow, parent=self)
        self.panes = Panes(self._explaining, self.film, self)
        self.panes.predicted.connect(self._on_predicted)
        self.cases.preview_wanted.connect(self._on_preview_wanted)

    @property
    def models(self) -> tuple[LoadedModel, ...]:
        """All models that panes can show, the main one first."""
        return (() if self.model is None else (self.model,)) + self.compared

    def stop(self) -> None:
        """Stop what is being explained; the session ends."""
        self._explaining.stop()

    # Cases

    def open_paths(self, paths: list[Path]) -> None:
        """Open files and folders; their images replace the worklist."""
        work = partial(backend.find_paths, paths)
        self._wait_for(self._lanes.case, "Looking for images…", work, self._on_paths_found)

    def select(self, row: int, frame: int = 0) -> None:
        """Bring a case into view."""
        if not 0 <= row < len(self.cases):
            return
        self.row = row
        self._lanes.case.clear()
        path = self.cases[row].path
        self._wait_for(
            self._lanes.case,
            "Reading the image…",
            partial(backend.read, path, frame),
            partial(self._on_image_read, row),
            partial(self._on_read_failed, row),
        )
        self.row_changed.emit(row)

    def step(self, by: int) -> None:
        """Go to the next (1) or previous (-1) case."""
        self.select(min(max(self.row + by, 0), len(self.cases) - 1))

    def step_frame(self, by: int) -> None:
        """Go to another frame; past the ends of the file, and for single frames, to another case."""
        image = self.film.image
        if image is not None and 0 <= image.frame + by < image.frame_count:
            self.select(self.row, image.frame + by)
        elif 0 <= self.row + by < len(self.cases):
            self.step(by)

    def _on_paths_found(self, paths: list[Path]) -> None:
        self._lanes.preview.clear()
        self.cases.reset(paths)
        self.row = -1
        self.select(0)

    def _on_image_read(self, row: int, opened: backend.OpenedImage) -> None:
        if row == self.row:  # no other case has been chosen meanwhile
            self._show(opened)

    def _on_read_failed(self, row: int, message: str) -> None:
        self.cases.update_case(row, error=message)
        if row == self.row:
            self._show(None)  # never the film of one case under the name of another
        self.failed.emit(message)

    def _show(self, opened: backend.OpenedImage | None) -> None:
        self.panes.clear()  # a map lies over its own image only
        self.film.show(opened)
        self.panes.ask()

    # Models

    def open_model(self, path: Path) -> None:
        """Load a model and explain the case in view with it."""
        self._learn_methods()
        work = partial(backend.load, path, self._device)
        self._wait_for(self._lanes.model, "Loading the model…", work, self._on_model_loaded)

    def add_model(self, path: Path) -> None:
        """Load a model to compare with, and show it in the active pane."""
        if self.model is None:
            self.open_model(path)
            return
        work = partial(backend.load_to_compare, path, self.model.card, self._device)
        self._wait_for(self._lanes.model, "Loading the model…", work, self._on_compared_loaded)

    def close_compared(self) -> None:
        """Close all models but the main one."""
        closed, self.compared = self.compared, ()
        for model in closed:
            self.panes.forget_model(model)
        self.compared_changed.emit()

    def convert(self, request: backend.ConversionRequest) -> None:
        """Convert a file of weights, measured on the case in view, and use the model."""
        self._learn_methods()
        images = () if self.film.image is None else (self.film.image,)
        work = partial(backend.convert, request, images, self._device)
        self._wait_for(
            self._lanes.model, "Converting the model…", work, self._on_converted, self.conversion_failed.emit
        )

    def _learn_methods(self) -> None:
        if not self.panes.methods:
            # Before the model, which takes longer: the lane keeps the order.
            self._lanes.model.submit(list_methods, self.panes.set_methods, self.failed.emit)

    def _on_converted(self, model: LoadedModel) -> None:
        self._on_model_loaded(model)
        conversion = model.card.conversion
        self.converted.emit("" if conversion is None else conversion.summary())

    def _on_model_loaded(self, model: LoadedModel | backend.Convertible) -> None:
        if isinstance(model, backend.Convertible):
            self.conversion_wanted.emit(model)
            return
        self.model = model
        self._lanes.preview.clear()
        self.cases.forget_predictions()
        self.model_changed.emit()
        self.panes.use_model(model)

    def _on_compared_loaded(self, model: LoadedModel) -> None:
        known = next((m for m in self.models if m.key == model.key), None)
        if known is None:
            self.compared = (*self.compared, model)
            self.compared_changed.emit()
        self.panes.active.set_model(known or model)

    def _on_predicted(self, explanation: Explanation) -> None:
        # By its file: while the next image is read, this one is still in view and its row no longer chosen.
        row = None if self.film.image is None else self.cases.row_of(self.film.image.source)
        if row is not None:
            name = explanation.class_names[explanation.predicted]
            self.cases.update_case(row, prediction=(name, float(explanation.probabilities[explanation.predicted])))

    # Previews

    def _on_preview_wanted(self, row: int) -> None:
        path, model = self.cases[row].path, self.model
        self._lanes.preview.submit(
            partial(backend.preview, path, model),
            partial(self._on_previewed, path),
            partial(self._on_preview_failed, path),
        )

    def _on_previewed(self, path: Path, preview: backend.Preview) -> None:
        row = self.cases.row_of(path)
        if row is not None:
            known = self.cases[row].prediction
            self.cases.update_case(
                row, thumbnail=preview.thumbnail, frames=preview.frames, prediction=known or preview.prediction
            )

    def _on_preview_failed(self, path: Path, message: str) -> None:
        row = self.cases.row_of(path)
        if row is not None:
            self.cases.update_case(row, error=message)

    # Waiting

    @property
    def busy(self) -> str:
        """What the user is waiting for, "" for nothing."""
        return next(iter(self._waits.values()), "")

    def _wait_for(
        self,
        lane: Lane,
        what: str,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None] | None = None,
    ) -> None:
        def finish(report: Callable[[Any], None], outcome: Any) -> None:  # noqa: ANN401 - whatever the work gives
            self._waits.pop(lane, None)
            report(outcome)
            self.busy_changed.emit(self.busy)

        self._waits[lane] = what
        self.busy_changed.emit(self.busy)
        lane.submit(work, partial(finish, done), partial(finish, failed or self.failed.emit))
