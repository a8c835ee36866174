"""One look for all figures: drawn without pyplot's global state, saved as a whole or not at all."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from softcam_core.files import write_whole
from softcam_core.notice import NOTICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

WIDE, NARROW = 9.0, 4.5  # inches; a report shows 100 pixels an inch
DOTS_PER_INCH = 180

# Okabe & Ito's colours without yellow, which white swallows: told apart by people with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINE_STYLES = ("-", "--")
INK, MUTED, GRID = "#1B2430", "#5D6B7E", "#DDE3EA"

_NOTICE_HEIGHT = 0.24  # inches

_STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    # Names of classes are no formulas, whatever signs they have.
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.7,
    "lines.markersize": 4.5,
    "lines.solid_capstyle": "round",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "legend.borderpad": 0.2,
    "legend.fontsize": 8.5,
    "legend.title_fontsize": 8.5,
    "legend.handlelength": 1.8,
}


@contextmanager
def figure(path: Path | str, width: float, height: float) -> Iterator[Figure]:
    """A figure to draw on, saved as a PNG with the notice when the block ends.

    Parameters
    ----------
    path : Path or str
    width, height : float
        Inches.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    # Imported here: matplotlib takes a third of a second, and not every command draws.
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # From the library's own defaults: a person's settings must not change a report.
    with matplotlib.style.context(["default", _STYLE]):
        drawn = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(drawn)
        share = _NOTICE_HEIGHT / height
        engine = drawn.get_layout_engine()
        assert engine is not None
        engine.set(rect=(0.0, share, 1.0, 1.0 - share), w_pad=0.1, h_pad=0.1)  # type: ignore[call-arg]
        yield drawn
        drawn.text(0.1 / width, 0.09 / height, NOTICE, fontsize=6.5, color=MUTED, va="bottom")
        picture = io.BytesIO()
        with warnings.catch_warnings():
            # Writing systems that the bundled font lacks show as boxes.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            drawn.savefig(picture, format="png", metadata={"Software": None})
    write_whole(Path(path), picture.getvalue())


def line_look(place: int) -> tuple[str, str]:
    """Colour and line style of the curve at a place; fourteen differ."""
    return COLOURS[place % len(COLOURS)], LINE_STYLES[place // len(COLOURS) % len(LINE_STYLES)]


def shortened(name: str, length: int) -> str:
    """A name on one line of limited length; both of its ends stay, where names that are alike differ."""
    name = " ".join(name.split())
    if len(name) <= length:
        return name
    tail = (length - 1) // 3
    return f"{name[: length - 1 - tail].rstrip()}…{name[-tail:].lstrip()}"


def unit_square(axes: Axes, x: str, y: str, title: str) -> None:
    """Axes from 0 to 1 both ways."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=x, ylabel=y, title=title)
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.set_aspect("equal")


def wrapped(name: str, length: int) -> str:
    """A name on at most two lines of limited length."""
    return "\n".join(textwrap.wrap(shortened(name, 2 * length), length)[:2])


def turned(texts: Sequence[Text], angle: float) -> None:
    """Turn labels of an x axis so that they do not run into each other."""
    for text in texts:
        text.set(rotation=angle, ha="right", va="top" if angle < 90 else "center", rotation_mode="anchor")
