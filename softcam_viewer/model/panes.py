"""Panes: how many there are, which is active, and the questions they ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from softcam_viewer.model import backend, change_backend
from softcam_viewer.model.answers import Aim, Answer, Question
from softcam_viewer.model.explaining import Asker, Explaining, Request
from softcam_viewer.model.film import Film
from softcam_viewer.model.layouts import LAYOUTS
from softcam_viewer.model.methods import CHANGE, EVIDENCE, Method, change_method, name_of
from softcam_viewer.model.pane import PaneState

if TYPE_CHECKING:
    from softcam_core.explainers.explanation import Explanation
    from softcam_viewer.model.backend import OpenedImage
    from softcam_viewer.model.loaded_model import LoadedModel


BLINK_MS = 600
"""That each of two panes is seen when they blink."""


class Panes(QObject):
    """The panes in view; they share the case.

    Parameters
    ----------
    explaining : Explaining
    film : Film
        What they lie over.
    """

    layout_changed = Signal()
    active_changed = Signal()
    # Of the active pane, also when another one becomes active:
    explanation_changed = Signal()
    overlay_changed = Signal()
    methods_changed = Signal()  # the methods there are became known
    asked = Signal()  # any pane asked for something else
    predicted = Signal(object)  # what the main model says of the case in view, whatever the panes show: an Explanation
    views_linked = Signal(bool)
    peeked = Signal()  # overlays were hidden for a moment, or are shown again

    def __init__(self, explaining: Explaining, film: Film, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._explaining = explaining
        self._made: list[PaneState] = []
        self._film = film
        self._main: LoadedModel | None = None
        self._predicting = Asker(self._on_predicted)
        self._active = 0
        self._blinking = (0, 0)
        self.layout = "1x1"
        self.is_maximised = False
        self.shares_scale = False
        self.links_views = True
        self._blink = QTimer(self, interval=BLINK_MS)
        self._blink.timeout.connect(self._on_blink)
        self.methods: dict[str, Method] = {}
        self.is_peeking = False
        self._pairs: dict[str, LoadedModel] = {}  # by the key of a model, the one before it
        self._make()

    @property
    def made(self) -> tuple[PaneState, ...]:
        """All panes there have been, those in view first."""
        return tuple(self._made)

    @property
    def shown(self) -> tuple[PaneState, ...]:
        """Panes in view, row by row."""
        return tuple(self._made[: LAYOUTS[self.layout].count])

    @property
    def visible(self) -> tuple[PaneState, ...]:
        """Those that are on screen: all, or the maximised one."""
        return (self.active,) if self.is_maximised else self.shown

    @property
    def active(self) -> PaneState:
        """The pane that the panels and keys act on."""
        return self._made[self._active]

    @property
    def active_index(self) -> int:
        """Number of the active pane, from 0."""
        return self._active

    def number_of(self, pane: PaneState) -> int:
        """Number of a pane for people, from 1."""
        return self._made.index(pane) + 1

    # Which panes there are

    def set_layout(self, name: str) -> None:
        """Show more or fewer panes. New ones show the active pane's class by methods that are not shown yet."""
        self.stop_blinking()
        if name == self.layout:
            self.maximise(on=False)
            return
        before = self.shown
        self.layout, self.is_maximised = name, False
        pattern = self.active
        while len(self._made) < LAYOUTS[name].count:
            pane = self._make()
            pane.like(pattern)
            pane.method = next(iter(self.other_methods(pane, self._made[:-1])), self.active.method)
        shown = self.shown
        for pane in before[len(shown) :]:
            self._explaining.withdraw(pane.asker)
            pane.use_film(self._film)
            pane.clear()
        self._active = min(self._active, len(shown) - 1)
        self.layout_changed.emit()
        for pane in shown[len(before) :]:
            self._ask(pane)
        self._announce_active()

    def activate(self, index: int) -> None:
        """Make a pane in view the active one."""
        self.stop_blinking()
        self._activate(index)

    def step(self, by: int) -> None:
        """Make the next (1) or previous (-1) pane the active one."""
        self.activate((self._active + by) % len(self.shown))

    def maximise(self, *, on: bool) -> None:
        """Show the active pane alone, or all of the layout again."""
        self.stop_blinking()
        self._maximise(on=on)

    def swap(self, first: int, second: int) -> None:
        """Exchange the places of two panes in view; the active one stays active."""
        active, count = self.active, len(self.shown)
        if first == second or not (0 <= first < count and 0 <= second < count):
            return
        self._made[first], self._made[second] = self._made[second], self._made[first]
        self._active = self._made.index(active)
        self.layout_changed.emit()
        self._announce_active()

    def copy_overlay(self) -> None:
        """Show the maps of all panes as the active one's: all but their class."""
        pattern = self.active.overlay
        for pane in self.shown:
            pane.show_as(replace(pattern, target=pane.overlay.target, against=pane.overlay.against))

    @property
    def is_blinking(self) -> bool:
        """True while two panes are shown in turn."""
        return self._blink.isActive()

    def toggle_blinking(self) -> None:
        """Show the active pane and the next one in turn, in the same place; or stop it."""
        if self.is_blinking:
            self.stop_blinking()
        elif len(self.shown) > 1:
            self._blinking = (self._active, (self._active + 1) % len(self.shown))
            self._maximise(on=True)
            self._blink.start()
            self.layout_changed.emit()

    def stop_blinking(self) -> None:
        """Show all panes again, if two were shown in turn."""
        if self.is_blinking:
            self._blink.stop()
            self._maximise(on=False)
            self._activate(self._blinking[0])

    def _on_blink(self) -> None:
        first, second = self._blinking
        self._activate(second if self._active == first else first)

    def _maximise(self, *, on: bool) -> None:
        if on != self.is_maximised and (len(self.shown) > 1 or not on):
            self.is_maximised = on
            self.layout_changed.emit()

    def _activate(self, index: int) -> None:
        if 0 <= index < len(self.shown) and index != self._active:
            self._active = index
            if self.is_maximised:
                self.layout_changed.emit()
            self._announce_active()

    def _announce_active(self) -> None:
        self.active_changed.emit()
        self.explanation_changed.emit()

    def _make(self) -> PaneState:
        pane = PaneState(self._film, self)
        pane.wanted.connect(partial(self._ask, pane))
        pane.explained.connect(partial(self._pass_on, pane, self.explanation_changed.emit))
        pane.overlay_changed.connect(partial(self._pass_on, pane, self.overlay_changed.emit))
        pane.explained.connect(self._update_scales)
        pane.overlay_changed.connect(self._update_scales)
        self._made.append(pane)
        return pane

    def _pass_on(self, pane: PaneState, tell: Callable[[], None]) -> None:
        if pane is self.active:
            tell()

    def other_methods(self, pane: PaneState, beside: Sequence[PaneState]) -> list[str]:
        """Methods for a pane beside others, those first that are unlike theirs; none that takes long unasked."""
        names = {name_of(other.method) for other in beside}
        families = {method.family for method in self.methods.values() if method.name in names}
        refusals = pane.model.refusals if pane.model else {}
        unlike = ("floor", "change")  # which explain nothing by themselves
        new: list[str] = []
        rest: list[str] = []
        for method in self.methods.values():
            if method.name in names or not method.is_quick or method.family in unlike or method.name in refusals:
                continue
            (rest if method.family in families else new).append(method.name)
            families.add(method.family)
        return new + rest

    def share_scale(self, *, on: bool) -> None:
        """Give all maps of the same unit one scale, so that equal colours are equal numbers; or each its own."""
        self.shares_scale = on
        self._update_scales()
        self.overlay_changed.emit()

    def link_views(self, *, on: bool) -> None:
        """Let all panes look at the same part of the image, that of the active one; or each at its own."""
        if on != self.links_views:
            self.links_views = on
            self.views_linked.emit(on)

    def _update_scales(self) -> None:
        limits: dict[object, list[float]] = {}
        for pane in self.shown:
            if pane.overlay_map is not None:
                limits.setdefault(pane.overlay_map.scale_key, []).append(pane.overlay_map.limit)
        for pane in self.shown:
            if pane.overlay_map is not None:
                key = pane.overlay_map.scale_key
                is_shared = self.shares_scale and key is not None and len(limits[key]) > 1
                pane.share_scale(max(limits[key]) if is_shared else None)

    # What they show

    def set_methods(self, methods: tuple[Method, ...]) -> None:
        """Tell which methods there are."""
        self.methods = {method.name: method for method in (*methods, change_method())}
        self.methods_changed.emit()

    def clear(self) -> None:
        """Show no maps, and want none, of the film: it is changing."""
        for pane in self.shown:
            if pane.film is self._film:
                self._explaining.withdraw(pane.asker)
                pane.clear()
        self._explaining.withdraw(self._predicting)

    def ask(self) -> None:
        """Explain the image in view in all panes that show it, in the active one first, after its prediction."""
        self._predict()
        for pane in sorted(self.shown, key=lambda p: p is not self.active):
            if pane.film is self._film:
                self._ask(pane)

    def toggle_pinned(self, pane: PaneState) -> None:
        """Let a pane keep the case in view while the others go on to another; or let it follow again."""
        if pane.film is not self._film:
            pane.use_film(self._film)
        elif self._film.opened is not None:
            pane.use_film(self._film.copy(pane))

    def is_pinned(self, pane: PaneState) -> bool:
        """True where a pane holds a case of its own."""
        return pane.film is not self._film

    def use_model(self, model: LoadedModel) -> None:
        """Make a model the main one; panes that showed the one before show it."""
        before, self._main = self._main, model
        following = [pane for pane in self._made if pane.model is before]
        # Panes that show evidence first: what they ask for is the prediction too, and their maps with it.
        for pane in [pane for pane in following if pane.method == EVIDENCE]:
            pane.set_model(model)
        self._predict()
        for pane in following:
            pane.set_model(model)

    def pair(self, before: LoadedModel, after: LoadedModel) -> None:
        """Two models belong together: what changes in the second is told against the first."""
        self._pairs[after.key] = before

    def before(self, model: LoadedModel) -> LoadedModel | None:
        """What the evidence of a model is compared with: the one it was paired with, otherwise the main one."""
        found = self._pairs.get(model.key, self._main)
        return None if found is model else found

    def forget_model(self, model: LoadedModel) -> None:
        """A model is not open any more; panes that showed it show the main one."""
        self._pairs = {key: other for key, other in self._pairs.items() if model.key not in (key, other.key)}
        for pane in self._made:
            if pane.model is model:
                pane.set_model(self._main)

    def prediction_of(self, pane: PaneState) -> Explanation | None:
        """What a pane's model says of the case, also while or where its method says nothing."""
        opened = pane.film.opened
        if name_of(pane.method) != CHANGE and pane.explanation is not None:
            return pane.explanation
        if pane.model is None or opened is None:
            return None
        known = self._explaining.cache.any_of(opened.key, pane.model.key)
        return known.explanation if known else None

    def cancel(self, pane: PaneState) -> None:
        """Stop what a pane is waiting for."""
        if pane.progress is not None:
            self._explaining.withdraw(pane.asker)
            pane.clear(stopped=True)

    def retry(self, pane: PaneState) -> None:
        """Compute what was stopped."""
        self._ask(pane)

    def peek(self, *, on: bool) -> None:
        """Hide the overlays of all panes for as long as wanted."""
        if on != self.is_peeking:
            self.is_peeking = on
            self.peeked.emit()

    def requests(self, opened: OpenedImage) -> tuple[Request, ...]:
        """What will be asked of an image when it comes into view, its prediction first."""
        panes = [pane for pane in self.visible if pane.film is self._film]
        found = [self._prediction(opened), *(self._request(pane, opened) for pane in panes)]
        return tuple({request.question: request for request in found if request is not None}.values())

    def _request(self, pane: PaneState, opened: OpenedImage | None) -> Request | None:
        """What a pane asks of an image; None where it lacks something for that."""
        method, model = self.methods.get(name_of(pane.method)), pane.model
        if opened is None or model is None or method is None:
            return None
        if method.name == CHANGE:
            return self._change(model, opened)
        is_evidence = method.name == EVIDENCE
        aim = None if is_evidence else pane.aim
        question = Question(opened.key, model.key, pane.method, aim)
        views = self._views(model, pane.method) if is_evidence else set()
        work = partial(backend.explain, model.explained_by(method), opened.image, pane.method, aim, views)
        return Request(question, work, method.is_quick)

    def _change(self, model: LoadedModel, opened: OpenedImage) -> Request:
        before, views = self.before(model), self._views(model, CHANGE)
        key = f"{model.key} less {before.key if before else 'nothing'}"
        work = partial(change_backend.explain_change, before, model, opened.image, views)
        return Request(Question(opened.key, key, CHANGE), work, is_quick=True)

    def _prediction(self, opened: OpenedImage | None) -> Request | None:
        """The main model's own evidence, which is asked for whatever the panes show."""
        model = self._main
        if opened is None or model is None:
            return None
        views = self._views(model, EVIDENCE)
        work = partial(backend.explain, model.network, opened.image, EVIDENCE, None, views)
        return Request(Question(opened.key, model.key, EVIDENCE), work, is_quick=True)

    def _views(self, model: LoadedModel, method: str) -> set[Aim | None]:
        """Which maps of a model's evidence are shown, so that all of them are ready, whoever asks first."""
        return {pane.aim for pane in self.shown if (pane.model, pane.method) == (model, method)}

    def _ask(self, pane: PaneState) -> None:
        request = self._request(pane, pane.film.opened) if pane in self.shown else None
        if request is None:
            self._explaining.withdraw(pane.asker)
            pane.clear()
        else:
            self._explaining.ask(pane.asker, request)
        self.asked.emit()

    def _predict(self) -> None:
        request = self._prediction(self._film.opened)
        if request is None:
            self._explaining.withdraw(self._predicting)
        else:
            self._explaining.ask(self._predicting, request)

    def _on_predicted(self, answer: Answer) -> None:
        self.predicted.emit(answer.explanation)
