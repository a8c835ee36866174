"""View: what part of an image is shown."""

from __future__ import annotations

from typing import NamedTuple


class View(NamedTuple):
    """What part of an image is shown.

    Attributes
    ----------
    x, y : float
        Column and row in the middle.
    scale : float
        Screen pixels per image pixel.
    is_fitted : bool
        The whole image is shown, also after the next change of size.
    size : (int, int)
        Height and width of the image in pixels.
    """

    x: float
    y: float
    scale: float
    is_fitted: bool
    size: tuple[int, int]

    def on(self, size: tuple[int, int]) -> View:
        """The same part of an image of another size, by its share in height and width."""
        if size == self.size:
            return self  # to the last digit
        (height, width), (own_height, own_width) = size, self.size
        scale = self.scale * own_height / height
        return View(self.x * width / own_width, self.y * height / own_height, scale, self.is_fitted, size)
