"""Rows of figures, one a pane, and how they leave the application: as text and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from softcam_core.notice import NOTICE
from softcam_viewer.model.figure_columns import COLUMNS, CURVE_NAMES, Cell

if TYPE_CHECKING:
    from softcam_core.evaluation.one_image import RemovalCurve

FILE_COLUMNS = ("pane", "method", "class", *(column.name for column in COLUMNS),
                *(f"{name}_curve" for name in CURVE_NAMES), "model", "sha256", "notice")  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class FigureRow:
    """What is told of one pane's map.

    Attributes
    ----------
    number : int
        Of the pane, from 1.
    title : str
        Of the method.
    method : str
        With its options.
    target : str
        The class in words; empty where there is no map.
    model, sha256 : str
        Name of the model and hash of its weights.
    cells : dict of str to Cell
        Name of the figure -> figure; one for each of `COLUMNS`.
    curves : dict of str to RemovalCurve
        Those that are known.
    """

    number: int
    title: str
    method: str
    target: str
    model: str
    sha256: str
    cells: dict[str, Cell]
    curves: dict[str, RemovalCurve] = field(default_factory=dict)


def as_text(rows: Iterable[FigureRow]) -> str:
    """A table of tabs and lines with the notice below, to paste into a sheet or a letter."""
    lines = [["Pane", "Method", "Class", *(column.title for column in COLUMNS), "Model"]]
    for row in rows:
        figures = [row.cells[column.name].text(column, wide=True) for column in COLUMNS]
        lines.append([str(row.number), row.title, row.target, *figures, row.model])
    return "\n".join(["\t".join(line) for line in lines] + [NOTICE]) + "\n"


def as_csv(rows: Iterable[FigureRow]) -> str:
    """A CSV of all digits, one row a pane; figures that are not known are empty, curves are numbers between blanks.

    The case is not named: names of files may tell whose image it is.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FILE_COLUMNS)
    for row in rows:
        figures = [_number(row.cells[column.name].value) for column in COLUMNS]
        curves = [" ".join(map(_number, row.curves[n].values)) if n in row.curves else "" for n in CURVE_NAMES]
        writer.writerow([row.number, row.method, row.target, *figures, *curves, row.model, row.sha256, NOTICE])
    return text.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
