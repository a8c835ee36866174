"""ViewLink: several views look at the same part of the image."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject

from softcam_viewer.ui.canvas.image_view import ImageView


class ViewLink(QObject):
    """Passes centre and scale of a view on to the others, while it is on.

    pyqtgraph's own links share the visible range instead, which with a locked aspect grows at each change of size.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._views: list[ImageView] = []
        self._is_on = True

    def add(self, view: ImageView) -> None:
        """Link a view, which at once shows what the others show."""
        if self._views:
            view.show_view(self._views[0].view)
        self._views.append(view)
        view.viewed.connect(partial(self._pass_on, view))

    def link(self, leader: ImageView, *, on: bool) -> None:
        """Show in all views what one shows, from now on; or leave each as it is."""
        self._is_on = on
        self._pass_on(leader)

    def _pass_on(self, changed: ImageView) -> None:
        if not self._is_on:
            return
        for view in self._views:
            if view is not changed:
                view.show_view(changed.view)
