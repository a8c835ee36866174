"""Session: the case, the model and the view that are open, and what happens when one of them changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from softcam_viewer.model import backend
from softcam_viewer.model.cases import CaseList
from softcam_viewer.model.overlay import OverlayMap, OverlaySettings, make_overlay_map

if TYPE_CHECKING:
    from softcam_core.explainers.explanation import Explanation
    from softcam_core.imaging.image import MedicalImage, Window
    from softcam_viewer.jobs.lanes import Lane


class Session(QObject):
    """State of the application; widgets show it and ask it for changes.

    Parameters
    ----------
    case_lane : Lane
        For what the user waits for: finding, reading and explaining the case in view.
    model_lane : Lane
        For loading models, beside the reading of the case.
    preview_lane : Lane
        For the worklist.
    device : str
        Where networks run, a name of `softcam_core.devices`.
    """

    row_changed = Signal(int)  # another case was chosen; its image follows
    image_changed = Signal()  # the image in view is another one, or none
    window_changed = Signal()  # its window or inversion
    model_changed = Signal()
    explanation_changed = Signal()  # there is a new explanation, or none (yet)
    overlay_changed = Signal()  # how it is shown
    busy_changed = Signal(str)  # what the user is waiting for, "" for nothing
    failed = Signal(str)  # a message for the user
    conversion_wanted = Signal(object)  # a file of weights was opened that may become a model: a Convertible
    converted = Signal(str)  # how equal the model just converted is, in one sentence
    conversion_failed = Signal(str)  # why not

    def __init__(
        self,
        case_lane: Lane,
        model_lane: Lane,
        preview_lane: Lane,
        device: str = "auto",
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.cases = CaseList(self)
        self.row = -1
        self.image: MedicalImage | None = None
        self.window: Window | None = None
        self.inverted = False
        self.model: backend.LoadedModel | None = None
        self.explanation: Explanation | None = None
        self.overlay = OverlaySettings()
        self.overlay_map: OverlayMap | None = None
        self._waits: dict[Lane, str] = {}
        self._classes: tuple[str, ...] = ()
        self._case_lane, self._model_lane, self._preview_lane = case_lane, model_lane, preview_lane
        self._device = device
        self.cases.preview_wanted.connect(self._on_preview_wanted)

    # Cases

    def open_paths(self, paths: list[Path]) -> None:
        """Open files and folders; their images replace the worklist."""
        work = partial(backend.find_paths, paths)
        self._wait_for(self._case_lane, "Looking for images…", work, self._on_paths_found)

    def select(self, row: int, frame: int = 0) -> None:
        """Bring a case into view."""
        if not 0 <= row < len(self.cases):
            return
        self.row = row
        self._case_lane.clear()
        path = self.cases[row].path
        self._wait_for(
            self._case_lane,
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
        image = self.image
        if image is not None and 0 <= image.frame + by < image.frame_count:
            self.select(self.row, image.frame + by)
        elif 0 <= self.row + by < len(self.cases):
            self.step(by)

    def _on_paths_found(self, paths: list[Path]) -> None:
        self._preview_lane.clear()
        self.cases.reset(paths)
        self.row = -1
        self.select(0)

    def _on_image_read(self, row: int, image: MedicalImage) -> None:
        if row != self.row:
            return  # another case has been chosen meanwhile
        self._show(image)
        self._explain()

    def _on_read_failed(self, row: int, message: str) -> None:
        self.cases.update_case(row, error=message)
        if row == self.row:
            self._show(None)  # never the film of one case under the name of another
        self.failed.emit(message)

    def _show(self, image: MedicalImage | None) -> None:
        self.image = image
        self.window = image.window if image else None
        self.inverted = False
        self._set_explanation(None)
        self.image_changed.emit()

    # Window

    def set_window(self, window: Window) -> None:
        """Show the image with another window."""
        self.window = window
        self.window_changed.emit()

    def toggle_inverted(self) -> None:
        """Swap black and white."""
        self.inverted = not self.inverted
        self.window_changed.emit()

    # Model and explanation

    def open_model(self, path: Path) -> None:
        """Load a model and explain the case in view with it."""
        work = partial(backend.load, path, self._device)
        self._wait_for(self._model_lane, "Loading the model…", work, self._on_model_loaded)

    def convert(self, request: backend.ConversionRequest) -> None:
        """Convert a file of weights, measured on the case in view, and use the model."""
        images = () if self.image is None else (self.image,)
        work = partial(backend.convert, request, images, self._device)
        self._wait_for(self._model_lane, "Converting the model…", work, self._on_converted, self.conversion_failed.emit)

    def _on_converted(self, model: backend.LoadedModel) -> None:
        self._on_model_loaded(model)
        conversion = model.network.card.conversion
        self.converted.emit("" if conversion is None else conversion.summary())

    def _on_model_loaded(self, model: backend.LoadedModel | backend.Convertible) -> None:
        if isinstance(model, backend.Convertible):
            self.conversion_wanted.emit(model)
            return
        self.model = model
        self._preview_lane.clear()
        self.cases.forget_predictions()
        self._set_explanation(None)
        self.model_changed.emit()
        self._explain()

    def _explain(self) -> None:
        if self.model is None or self.image is None:
            return
        work = partial(backend.explain, self.model, self.image)
        done = partial(self._on_explained, self.image, self.model)
        self._wait_for(self._case_lane, "Computing the evidence…", work, done)

    def _on_explained(self, image: MedicalImage, model: backend.LoadedModel, explanation: Explanation) -> None:
        if image is not self.image or model is not self.model:
            return
        # By its file: while the next image is read, this one is still in view and its row no longer chosen.
        row = self.cases.row_of(image.source)
        if row is not None:
            name = explanation.class_names[explanation.predicted]
            self.cases.update_case(row, prediction=(name, float(explanation.probabilities[explanation.predicted])))
        self._set_explanation(explanation)

    def _set_explanation(self, explanation: Explanation | None) -> None:
        self.explanation = explanation
        if explanation is None:
            self.overlay_map = None
        else:
            if explanation.class_names != self._classes:
                # Only a model with other classes resets what is shown; stepping through cases keeps it.
                self._classes = explanation.class_names
                target, against = explanation.default_view()
                self.overlay = replace(self.overlay, target=target, against=against)
            self.overlay_map = make_overlay_map(explanation, self.overlay.target, self.overlay.against)
        self.explanation_changed.emit()

    # Overlay

    def set_overlay(self, **changes: Any) -> None:  # noqa: ANN401 - fields of OverlaySettings
        """Change how the explanation is shown."""
        before, self.overlay = self.overlay, replace(self.overlay, **changes)
        if self.overlay == before:
            return
        if self.explanation and (before.target, before.against) != (self.overlay.target, self.overlay.against):
            self.overlay_map = make_overlay_map(self.explanation, self.overlay.target, self.overlay.against)
        self.overlay_changed.emit()

    def next_class(self) -> None:
        """Show the next class, keeping the comparison with another class where there are more than two."""
        if self.explanation is None:
            return
        count, target, against = len(self.explanation.class_names), self.overlay.target, self.overlay.against
        following = (target + 1) % count
        if against is not None and following == against:
            against = target if count == 2 else None
        self.set_overlay(target=following, against=against)

    # Previews

    def _on_preview_wanted(self, row: int) -> None:
        path, model = self.cases[row].path, self.model
        self._preview_lane.submit(
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
