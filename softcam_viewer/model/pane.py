"""PaneState: what one pane shows and how, and what it is waiting for."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from softcam_viewer.model.answers import Aim, Answer
from softcam_viewer.model.explaining import Asker
from softcam_viewer.model.film import Film
from softcam_viewer.model.methods import EVIDENCE
from softcam_viewer.model.overlay import OverlayMap, OverlaySettings, make_overlay_map

if TYPE_CHECKING:
    from softcam_core.explainers.explanation import Explanation
    from softcam_viewer.model.loaded_model import LoadedModel


class PaneState(QObject):
    """One method, model and class, and their map.

    Parameters
    ----------
    film : Film
        What the map is of and lies over.
    """

    wanted = Signal()  # something was chosen that needs another explanation
    chosen = Signal()  # method, model or class
    explained = Signal()  # there is a new explanation, or none (yet), or an error
    overlay_changed = Signal()  # how it is shown
    progressed = Signal()
    film_changed = Signal()  # it shows another film, which is not what a film tells of itself

    def __init__(self, film: Film, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.film = film
        self.method = EVIDENCE
        self.model: LoadedModel | None = None
        self.overlay = OverlaySettings()
        self.explanation: Explanation | None = None
        self.overlay_map: OverlayMap | None = None
        self.progress: float | None = None  # 0 to 1; None where nothing is computed
        self.error = ""
        self.is_stopped = False  # by the user
        self.caption = ""  # what it stands for among others ("Before"), for people
        self._classes: tuple[str, ...] = ()
        self.asker = Asker(self._on_answered, self._on_failed, self._on_progressed)

    # What is chosen

    def set_method(self, spec: str) -> None:
        """Show what another method says, given with its options."""
        if spec != self.method:
            self.method = spec
            self.chosen.emit()
            self.wanted.emit()

    def set_model(self, model: LoadedModel | None) -> None:
        """Show what is said of another model."""
        if model is not self.model:
            self.model = model
            self.chosen.emit()
            self.wanted.emit()

    def set_caption(self, text: str) -> None:
        """Say what the pane stands for among others; "" for nothing."""
        if text != self.caption:
            self.caption = text
            self.chosen.emit()

    def use_film(self, film: Film) -> None:
        """Show another film."""
        if film is not self.film:
            if self.film.parent() is self:
                self.film.deleteLater()
            self.film = film
            self.clear()
            self.film_changed.emit()
            self.chosen.emit()
            self.wanted.emit()

    def like(self, other: PaneState) -> None:
        """Take over model, class and overlay settings of another pane, but not its method."""
        self.model, self.overlay, self._classes = other.model, other.overlay, other._classes
        self.chosen.emit()
        self.overlay_changed.emit()

    def show(self, method: str, model: LoadedModel, overlay: OverlaySettings, *, keeps_class: bool) -> None:
        """Take over all at once, with one question; without `keeps_class` the class is the model's own choice."""
        self.clear()
        self.method, self.model, self.overlay = method, model, overlay
        self._classes = model.card.class_names if keeps_class else ()
        self.chosen.emit()
        self.overlay_changed.emit()
        self.wanted.emit()

    @property
    def aim(self) -> Aim | None:
        """The class to explain and what it is weighed against; None before one was chosen among the model's classes."""
        if self.model is None or self.model.card.class_names != self._classes:
            return None
        return self.overlay.target, self.overlay.against

    def set_overlay(self, **changes: Any) -> None:  # noqa: ANN401 - fields of OverlaySettings
        """Change the class shown, or how it is shown."""
        before, self.overlay = self.overlay, replace(self.overlay, **changes)
        if self.overlay == before:
            return
        if (before.target, before.against) != (self.overlay.target, self.overlay.against):
            self.chosen.emit()
            if self.explanation is None or not self.explanation.is_evidence:
                self.wanted.emit()
            else:
                self._make_map()
        elif before.smooth != self.overlay.smooth and self.explanation is not None:
            self._make_map()
        self.overlay_changed.emit()

    def show_as(self, settings: OverlaySettings) -> None:
        """Take over all settings at once."""
        self.set_overlay(**{f.name: getattr(settings, f.name) for f in fields(settings)})

    def next_class(self) -> None:
        """Show the next class, keeping the comparison with another class where there are more than two."""
        if self.model is None or self.aim is None:
            return
        count, target, against = len(self.model.card.class_names), self.overlay.target, self.overlay.against
        following = (target + 1) % count
        if against is not None and following == against:
            against = target if count == 2 else None
        self.set_overlay(target=following, against=against)

    def share_scale(self, limit: float | None) -> None:
        """End the scale at a value that other panes end theirs at too, or at the map's own largest."""
        overlay = self.overlay_map
        if overlay is None:
            return
        scale, is_shared = (overlay.limit, False) if limit is None else (limit, True)
        if (scale, is_shared) != (overlay.scale, overlay.is_shared):
            self.overlay_map = replace(overlay, scale=scale, is_shared=is_shared)
            self.overlay_changed.emit()

    # What comes of it

    def clear(self, *, stopped: bool = False, error: str = "") -> None:
        """Show no map: nothing is computed, or what was is not wanted any more."""
        self.explanation = self.overlay_map = self.progress = None
        self.is_stopped, self.error = stopped, error
        self.progressed.emit()
        self.explained.emit()

    def _on_answered(self, answer: Answer) -> None:
        explanation = answer.explanation
        self.explanation, self.overlay_map = explanation, None
        self.progress, self.error, self.is_stopped = None, "", False
        if explanation.class_names != self._classes:
            # Only a model with other classes resets what is shown; stepping through cases keeps it.
            self._classes = explanation.class_names
            target = explanation.targets[0]
            shown = explanation.default_view() if explanation.is_evidence else (target.of, target.against)
            self.overlay = replace(self.overlay, target=shown[0], against=shown[1])
            self.chosen.emit()
        settings = self.overlay
        if settings.smooth:  # as most people want it, which therefore is made ready
            self.overlay_map = answer.overlays.get((settings.target, settings.against))
        if self.overlay_map is None:
            self._make_map()
        self.progressed.emit()
        self.explained.emit()

    def _on_failed(self, message: str) -> None:
        self.clear(error=message)

    def _on_progressed(self, share: float) -> None:
        if self.progress is None:
            self.clear()  # never the map of one class or method under the name of another
        self.progress = share
        self.progressed.emit()

    def _make_map(self) -> None:
        assert self.explanation is not None
        settings = self.overlay
        self.overlay_map = make_overlay_map(self.explanation, settings.target, settings.against, smooth=settings.smooth)
