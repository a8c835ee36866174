"""The margin beside an overlay: what is shown, the colour bar with its ticks, the model and the notice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from softcam_core.explainers.explanation import Sign
from softcam_core.export.colormaps import ColorMap
from softcam_core.notice import NOTICE

BACKGROUND = (0x12, 0x15, 0x1A)
TEXT = (0xE7, 0xEA, 0xF0)
MUTED = (0x93, 0xA0, 0xB4)
LINE = (0x2C, 0x34, 0x40)
WARNING = (0xFF, 0xCC, 0x66)

_TEXT_SIZES = (13, 30)
_PANEL_WIDTH = 17  # in text sizes, as are all lengths below
_PANEL_HEIGHT = 42
_MAX_LINES = 3
_HIDDEN = 0.3  # how much of its colour the bar keeps where values are not shown


@dataclass(frozen=True, slots=True)
class Scale:
    """How values become colours.

    Attributes
    ----------
    lower, upper : float
        Values at the ends of the colour bar; ``lower`` is -``upper`` or 0.
    threshold : float
        Values nearer to zero are not shown.
    colormap : ColorMap
    sign : {"both", "positive", "negative"}
    """

    lower: float
    upper: float
    threshold: float
    colormap: ColorMap
    sign: Sign = "both"

    def indices(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
        """Rows of the colour table for values of any shape."""
        at = (values - self.lower) / (self.upper - self.lower)
        return np.asarray(np.clip(np.rint(at * 255), 0, 255), dtype=np.intp)

    def is_shown(self, value: float) -> bool:
        """Whether the overlay colours a value."""
        sides = {"both": True, "positive": value > 0, "negative": value < 0}
        return sides[self.sign] and abs(value) >= self.threshold

    def ticks(self, count: int = 8) -> tuple[tuple[float, ...], int]:
        """Round values from `lower` to `upper`, zero among them, and the decimals they need."""
        rough = (self.upper - self.lower) / count
        magnitude = math.floor(math.log10(rough))
        step = next(s for s in (1, 2, 5, 10) if s * 10.0**magnitude >= rough * 0.999) * 10.0**magnitude
        first, last = math.ceil(self.lower / step - 1e-9), math.floor(self.upper / step + 1e-9)
        return tuple(i * step for i in range(first, last + 1)), max(0, -math.floor(math.log10(step) + 1e-9))


@dataclass(frozen=True, slots=True)
class PanelText:
    """What the margin says.

    Attributes
    ----------
    method, target, model : str
    against : str or None
        The class subtracted.
    facts : tuple of (str, str)
        Labels and values.
    unit : str
        Of the map's values; "" where they have none.
    notes : tuple of str
    """

    method: str
    target: str
    against: str | None
    facts: tuple[tuple[str, str], ...]
    unit: str
    model: str
    notes: tuple[str, ...] = ()


def draw_panel(picture: Image.Image, scale: Scale, text: PanelText) -> Image.Image:
    """Put a picture on a dark ground with the panel to its right.

    Parameters
    ----------
    picture : Image
        RGB.
    scale : Scale
    text : PanelText

    Returns
    -------
    Image
        RGB, larger than the picture.
    """
    size = min(max(round(max(picture.size) / 46), _TEXT_SIZES[0]), _TEXT_SIZES[1])
    height = max(picture.height, _PANEL_HEIGHT * size)
    canvas = Image.new("RGB", (picture.width + (_PANEL_WIDTH + 3) * size, height + 2 * size), BACKGROUND)
    canvas.paste(picture, (size, size + (height - picture.height) // 2))
    _Panel(canvas, picture.width + 2 * size, size).draw(scale, text)
    return canvas


class _Panel:
    """Writes from the top down and from the bottom up; the colour bar takes what is left between."""

    def __init__(self, canvas: Image.Image, left: int, size: int) -> None:
        self.canvas, self.pen = canvas, ImageDraw.Draw(canvas)
        self.left, self.size, self.width = left, size, _PANEL_WIDTH * size
        self.small = _font(round(size * 0.85))
        self.normal = _font(size)
        self.large = _font(round(size * 1.5))

    def draw(self, scale: Scale, text: PanelText) -> None:
        top = self._write(self.size, text.method.upper(), self.small, MUTED)
        top = self._write(top + self.size // 3, text.target, self.large, TEXT)
        if text.against is not None:
            top = self._write(top, f"against {text.against}", self.normal, MUTED)
        top += round(self.size * 0.8)
        for label, value in text.facts:
            top = self._fact(top, label, value)
        lines = [(line, self.small, WARNING) for line in wrap(NOTICE, self.small, self.width)]
        above = [(f"model: {text.model}", MUTED), *((note, MUTED) for note in text.notes)]
        bottom = self._write_up(self.canvas.height - self.size, lines)
        self.pen.line((self.left, bottom - self.size // 2, self.left + self.width, bottom - self.size // 2), LINE)
        wrapped = [(line, self.small, ink) for words, ink in above for line in wrap(words, self.small, self.width)]
        bottom = self._write_up(bottom - self.size, wrapped)
        self._bar(top + self.size, bottom - self.size, scale, text)

    def _write(self, top: int, words: str, font: ImageFont.FreeTypeFont, ink: tuple[int, int, int]) -> int:
        for line in wrap(words, font, self.width):
            self.pen.text((self.left, top), line, ink, font)
            top += _line_height(font)
        return top

    def _write_up(self, bottom: int, lines: list[tuple[str, ImageFont.FreeTypeFont, tuple[int, int, int]]]) -> int:
        """Write lines that end at `bottom`; returns their top."""
        top = bottom - sum(_line_height(font) for _, font, _ in lines)
        start = top
        for line, font, ink in lines:
            self.pen.text((self.left, start), line, ink, font)
            start += _line_height(font)
        return top

    def _fact(self, top: int, label: str, value: str) -> int:
        self.pen.text((self.left, top), label, MUTED, self.normal)
        right = self.left + self.width
        self.pen.text((right - self.normal.getlength(value), top), value, TEXT, self.normal)
        return top + _line_height(self.normal)

    def _bar(self, top: int, bottom: int, scale: Scale, text: PanelText) -> None:
        title = f"evidence ({text.unit})" if text.unit else "relevance"
        self.pen.text((self.left, top), title, MUTED, self.small)
        top += _line_height(self.small) + self.size // 2
        mark = round(self.size * 0.55)
        left, width, height = self.left + mark + 2, round(self.size * 1.4), bottom - top
        levels = np.linspace(scale.upper, scale.lower, height)
        colours = scale.colormap.table()[scale.indices(levels)].astype(np.float32)
        shown = np.array([scale.is_shown(float(level)) for level in levels])[:, None]
        faded = colours * _HIDDEN + np.array(BACKGROUND) * (1 - _HIDDEN)
        column = np.where(shown, colours, faded).round().astype(np.uint8)
        strip = np.ascontiguousarray(np.broadcast_to(column[:, None], (height, width, 3)))
        self.canvas.paste(Image.fromarray(strip), (left, top))
        self.pen.rectangle((left - 1, top - 1, left + width, bottom), outline=LINE)

        def row(value: float) -> int:
            return top + round((scale.upper - value) / (scale.upper - scale.lower) * (height - 1))

        values, decimals = scale.ticks()
        text_left = left + width + round(self.size * 0.8)
        for value in values:
            self.pen.line((left + width + 1, row(value), left + width + self.size // 2, row(value)), MUTED)
            label = f"{value:+.{decimals}f}" if value else "0"
            self.pen.text((text_left, row(value)), label, TEXT, self.small, anchor="lm")
        marks = [s * scale.threshold for s in (1, -1) if scale.lower <= s * scale.threshold <= scale.upper]
        marks = [value for value in marks if scale.is_shown(value)] if scale.threshold else []
        for value in marks:
            at = row(value)
            self.pen.polygon(
                [(left - 3, at), (left - 3 - mark, at - mark // 2), (left - 3 - mark, at + mark // 2)], TEXT
            )
            self.pen.line((left, at, left + width - 1, at), TEXT)
        self._beside_bar(
            text_left + round(self.size * 3.6), top, bottom, row(marks[0] if len(marks) == 1 else 0.0), scale, text
        )

    def _beside_bar(self, left: int, top: int, bottom: int, middle: int, scale: Scale, text: PanelText) -> None:
        """Say what the ends of the bar speak for, and where the threshold is: right of the ticks."""
        height = _line_height(self.small)
        width = self.left + self.width - left
        upper = wrap(f"for {text.target}", self.small, width)
        lower = wrap(f"for {text.against}" if text.against else f"against {text.target}", self.small, width)
        middle_lines = ["threshold", _threshold_text(scale)] if scale.threshold else ["no threshold"]
        start = middle - len(middle_lines) * height // 2
        start = min(max(start, top + (len(upper) + 1) * height), bottom - (len(lower) + 1 + len(middle_lines)) * height)
        columns = [(top, upper, TEXT), (start, middle_lines, MUTED)]
        if scale.lower < 0:
            columns.append((bottom - len(lower) * height, lower, TEXT))
        for first, lines, ink in columns:
            for number, line in enumerate(lines):
                self.pen.text((left, first + number * height), line, ink, self.small)


def wrap(text: str, font: ImageFont.FreeTypeFont, width: int, max_lines: int = _MAX_LINES) -> list[str]:
    """Break a text into lines at spaces, or within words where they are too long; the rest is elided.

    Parameters
    ----------
    text : str
    font : FreeTypeFont
    width : int
        Pixels a line may take.
    max_lines : int

    Returns
    -------
    list of str
        At least one line, each at most `width` wide.
    """
    lines: list[str] = []
    rest = " ".join(text.split())
    while rest and len(lines) < max_lines:
        fits = _fitting(rest, font, width)
        if fits < len(rest):
            space = rest.rfind(" ", 0, fits + 1)
            fits = space if space > 0 else fits
        lines.append(rest[:fits])
        rest = rest[fits:].lstrip()
    if rest:
        lines[-1] = lines[-1][: _fitting(lines[-1], font, width - round(font.getlength("…")))] + "…"
    return lines or [""]


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> int:
    """Count the leading characters that fit, at least one."""
    count = len(text)
    while count > 1 and font.getlength(text[:count]) > width:
        count -= max(1, int(count - count * width / font.getlength(text[:count])) // 2)
    return count


def _threshold_text(scale: Scale) -> str:
    decimals = scale.ticks()[1] + 1
    sign = "±" if scale.lower < 0 and scale.sign == "both" else "+" if scale.sign != "negative" else "-"
    return f"{sign}{scale.threshold:.{decimals}f}"


def _line_height(font: ImageFont.FreeTypeFont) -> int:
    return round(font.size * 1.35)


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # what a size asks for
    return font
