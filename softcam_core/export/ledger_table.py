"""The ledger of a prediction as a table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from softcam_core.explainers.explanation import Class, Explanation, Sign
from softcam_core.files import write_whole
from softcam_core.ledger.regions import Ledger, area_mm2
from softcam_core.notice import NOTICE

COLUMNS = ("region", "verdict", "area_share", "area_mm2", "peak", "contribution", "share_of_total",
           "class", "unit", "threshold", "sign", "method", "model", "sha256", "notice")  # fmt: skip


def write_ledger(
    path: Path | str,
    ledger: Ledger,
    explanation: Explanation,
    target: Class,
    against: Class | None = None,
    *,
    level: float,
    sign: Sign = "both",
    spacing: tuple[float, float] | None = None,
    pixel_size: tuple[float, float] = (1.0, 1.0),
) -> None:
    """Write a ledger, one row a region, then what is below the threshold, the offset, and their sum.

    The column ``contribution`` adds up to its last row, the logit or the log-odds. Every row names the class, the
    threshold, the model and the notice. Areas are left empty for the offset, and in square millimetres where the
    spacing is not known; shares of the total where the total is 0. A file that is there is replaced as a whole.

    Parameters
    ----------
    path : Path or str
        CSV, UTF-8.
    ledger : Ledger
    explanation : Explanation
        That the ledger was made of.
    target, against : str or int
        What the ledger is of, as `Explanation.map_of` takes them.
    level : float
        The threshold, in the map's unit.
    sign : {"both", "positive", "negative"}
        Of the regions told apart.
    spacing : (float, float), optional
        Millimetres per image pixel.
    pixel_size : (float, float)
        Height and width of the ledger's pixels in image pixels (`softcam_core.ledger.regions.pixel_size_of`).

    Raises
    ------
    SettingsError
        When the file cannot be written.
    KeyError, IndexError
        See `Explanation.index`.
    """
    total, card, wanted = ledger.total, explanation.card, explanation.target(target, against)
    unit = explanation.unit_of(target, against)

    def row(
        region: str, verdict: str, contribution: float, area: tuple[float, int] | None, peak: float | None
    ) -> list[str]:
        return [
            region,
            verdict,
            _figure(area and area[0]),
            _figure(area_mm2(area[1], spacing, pixel_size) if area and spacing else None),
            _figure(peak),
            _figure(contribution),
            _figure(contribution / total if total else None),
            wanted.title(card.class_names),
            unit,
            _figure(level),
            sign,
            explanation.method,
            card.name,
            card.sha256,
            NOTICE,
        ]

    analysed = ledger.below_pixels + sum(region.pixels for region in ledger.regions)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for r in ledger.regions:
        verdict = "for" if r.positive else "against"
        writer.writerow(row(r.name, verdict, r.contribution, (r.area, r.pixels), r.peak))
    below = ledger.below_area, ledger.below_pixels
    writer.writerow(row("Below threshold", "below threshold", ledger.below, below, None))
    writer.writerow(row("Offset", "offset", ledger.offset, None, None))
    writer.writerow(row("Sum", "sum", total, (1.0, analysed), None))
    write_whole(Path(path), text.getvalue().encode())


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
