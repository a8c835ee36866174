"""PaneLink: where the cursor is in one pane is shown in all, and a pane that is dragged onto another swaps with it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, QPoint, Signal

from softcam_viewer.ui.canvas.pane import Pane


class PaneLink(QObject):
    """Passes on what happens in a pane and concerns the others."""

    swapped = Signal(object, object)  # two panes

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._panes: list[Pane] = []

    def add(self, pane: Pane) -> None:
        """Link a pane."""
        self._panes.append(pane)
        pane.view.pointed.connect(partial(self._point, pane))
        pane.view.left.connect(partial(self._share, None))
        pane.header.dragged.connect(partial(self._show_target, pane))
        pane.header.dropped.connect(partial(self._drop, pane))

    # The cursor

    def _point(self, pane: Pane, row: float, column: float) -> None:
        height, width = pane.view.image_size
        self._share((row / height, column / width))

    def _share(self, share: tuple[float, float] | None) -> None:
        for pane in self._panes:
            pane.point_at(share if pane.isVisible() else None)

    # Dragging

    def _at(self, position: QPoint) -> Pane | None:
        return next((p for p in self._panes if p.isVisible() and p.rect().contains(p.mapFromGlobal(position))), None)

    def _show_target(self, dragged: Pane, position: QPoint) -> None:
        target = self._at(position)
        for pane in self._panes:
            is_target = pane is target and pane is not dragged
            pane.view.show_hint(f"Swap with {dragged.header.title}" if is_target else "")

    def _drop(self, dragged: Pane, position: QPoint) -> None:
        target = self._at(position)
        for pane in self._panes:
            pane.view.show_hint("")
        if target is not None and target is not dragged:
            self.swapped.emit(dragged, target)
