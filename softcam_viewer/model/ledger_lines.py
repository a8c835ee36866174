"""The lines of the ledger as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from softcam_viewer.model.overlay import OverlayMap
from softcam_viewer.model.weighing import Weighing

LARGEST_SHARE = 10.0
"""Of a sum; beside larger ones the sum is next to nothing."""
MOST_REGIONS = 12
"""That have lines of their own; smaller ones share one."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the ledger.

    Attributes
    ----------
    kind : {"region", "rest", "sum", "shape", "outcome"}
        Regions and the rest add up to the sum; shapes lie anywhere and are told apart from it. The outcome is what the
        sum would be without all that is left out.
    title : str
    contribution : float
        In the map's unit.
    area : str
        With its unit; empty where it has none.
    peak : str
        Value farthest from zero, in the map's unit; empty where it has none.
    share : str
        Of the sum; empty where the sum is too near to zero to be a measure.
    note : str
        More about it, a sentence.
    number : int or None
        Of its region.
    box : (float, float, float, float) or None
        Where it is on the image: top, left, bottom, right in pixels.
    is_counted : bool
        False where it is left out.
    """

    kind: Literal["region", "rest", "sum", "shape", "outcome"]
    title: str
    contribution: float
    area: str = ""
    peak: str = ""
    share: str = ""
    note: str = ""
    number: int | None = None
    box: Box | None = None
    is_counted: bool = True

    @property
    def can_be_left_out(self) -> bool:
        """True for places."""
        return self.kind in ("region", "shape")


def ledger_lines(weighing: Weighing) -> list[Line]:
    """Lines of the ledger of the active pane; empty where it has none."""
    ledger, overlay = weighing.ledger, weighing.overlay
    if ledger is None or overlay is None:
        return []
    left_out = weighing.left_out
    # The largest are shown, and whatever is left out, or nobody could count it again.
    ranked = sorted(ledger.regions, key=lambda r: (r.number not in left_out, -abs(r.contribution)))
    shown = {region.number for region in ranked[:MOST_REGIONS]} | set(left_out)
    largest = max((abs(region.peak) for region in ledger.regions), default=1.0)
    # One number of decimals for the column, of which there is room for four.
    peak_decimals = min(max(0, 2 - math.floor(math.log10(largest))), 4) if largest > 0 else 0
    lines = []
    for region in ledger.regions:
        if region.number in shown:
            verdict = "for" if region.positive else "against"
            note = f"Evidence {verdict} the class, {region.area:.1%} of the analysed area. A click looks at it."
            lines.append(
                Line(
                    "region",
                    region.name,
                    region.contribution,
                    _area(weighing, region.pixels, region.area),
                    f"{region.peak:+.{peak_decimals}f}".replace("-", "−"),
                    note=note.replace("%", " %"),
                    number=region.number,
                    box=_on_image(weighing, region.box),
                    is_counted=region.number not in left_out,
                )
            )
    small = [region for region in ledger.regions if region.number not in shown]
    if small:
        title = f"{len(small)} smaller regions" if len(small) > 1 else "1 smaller region"
        area = _area(weighing, sum(r.pixels for r in small), sum(r.area for r in small))
        lines.append(Line("rest", title, sum(r.contribution for r in small), note=f"Together {area}."))
    below = _area(weighing, ledger.below_pixels, ledger.below_area)
    lines.append(Line("rest", "Below threshold", ledger.below, note=f"All the rest of the map: {below}."))
    lines.append(
        Line(
            "rest",
            "Offset",
            ledger.offset,
            note="What the model says when it sees nothing. It is the same everywhere, so no place has earned it.",
        )
    )
    lines = [replace(line, share=share_text(line.contribution, ledger.total)) for line in lines]
    lines.append(Line("sum", "Sum", ledger.total, note=_sum_note(overlay)))
    lines += [_shape_line(weighing, index) for index in range(len(weighing.shapes))]
    if weighing.mask is not None:
        after = ledger.total - weighing.contribution_of(weighing.mask)
        note = f"The {overlay.unit} without them; what is in several of them is taken out once."
        lines.append(Line("outcome", f"Without {', '.join(weighing.names_left_out)}", after, note=note))
    return lines


def _sum_note(overlay: OverlayMap) -> str:
    height, width = overlay.grid.shape
    return f"The {overlay.unit}, which is the mean of {height} × {width} evidence cells, the offset among them."


def share_text(contribution: float, total: float) -> str:
    """Part of a sum, in percent; empty where the sum is so small beside it that this says nothing."""
    if not abs(contribution) < LARGEST_SHARE * abs(total):
        return ""
    share = 100 * contribution / total
    decimals = 0 if abs(share) >= 9.95 or abs(share) < 0.05 else 1
    return f"{share:z.{decimals}f} %".replace("-", "−")


def rounded(lines: Sequence[Line], decimals: int) -> list[float]:
    """Contributions as they are shown: rounded so that the lines above the sum still add up to it.

    The largest remainders are rounded up, as seats are given after an election; no number is off by one unit or more in
    its last place.
    """
    unit = 10.0**-decimals
    parts = [index for index, line in enumerate(lines) if line.kind in ("region", "rest")]
    shown = [round(line.contribution / unit) for line in lines]
    sums = [shown[index] for index, line in enumerate(lines) if line.kind == "sum"]
    if sums and parts:
        floors = {index: math.floor(lines[index].contribution / unit) for index in parts}
        missing = sums[0] - sum(floors.values())
        ranked = sorted(parts, key=lambda index: floors[index] - lines[index].contribution / unit)
        for place, index in enumerate(ranked):
            shown[index] = floors[index] + (place < missing)
    return [number * unit for number in shown]


def _shape_line(weighing: Weighing, index: int) -> Line:
    shape = weighing.shapes[index]
    rows, columns = zip(*shape.points, strict=True)
    box = (min(rows), min(columns), max(rows), max(columns))
    note = "Drawn by hand. It may overlap regions, so it is not part of the sum."
    return Line(
        "shape",
        shape.name,
        weighing.contribution_of(weighing.mask_of(shape)),
        "drawn",
        note=note,
        box=box,
        is_counted=False,
    )


def _area(weighing: Weighing, pixels: int, share: float) -> str:
    size = weighing.area_mm2(pixels)
    if size is None:
        return f"{share:.1%}".replace("%", " %")
    return f"{size:,.0f} mm²" if size >= 10 else f"{size:.2g} mm²"


def _on_image(weighing: Weighing, box: tuple[int, int, int, int]) -> Box:
    overlay = weighing.overlay
    assert overlay is not None
    top, left, bottom, right = overlay.box
    height, width = overlay.raster.image_size
    down, across = (bottom - top) / height, (right - left) / width
    return top + box[0] * down, left + box[1] * across, top + box[2] * down, left + box[3] * across
