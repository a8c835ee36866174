"""Figures of every image as a table, in one form for everything, kept in Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from softcam_core.errors import SettingsError
from softcam_core.files import write_whole

SCHEMA = pa.schema(
    [
        ("case", pa.int32()),
        ("row", pa.int32()),
        ("image", pa.string()),
        ("split", pa.string()),
        ("group", pa.int32()),
        ("label", pa.string()),
        ("predicted", pa.string()),
        ("model", pa.string()),
        ("method", pa.string()),
        ("target", pa.string()),
        ("metric", pa.string()),
        ("step", pa.int16()),
        ("other_model", pa.string()),
        ("other_method", pa.string()),
        ("value", pa.float64()),
    ]
)
"""One row a figure.

``case`` is the image's place in the evaluation and ``row`` its row in the manifest; images of one patient share
``group``, which says nothing else of the patient. ``predicted`` is what the explained model says. ``step`` counts the
steps of curves (null for a single figure), and the columns ``other_...`` name the second of two methods that are
compared with each other (null elsewhere). ``value`` is NaN where a figure is not defined.
"""

_NOTES = "softcam_notes"
_ALONE = ("step", "other_model", "other_method")


class About(NamedTuple):
    """What the figures of an image and a method have in common."""

    case: int
    row: int
    image: str
    split: str
    group: int
    label: str
    predicted: str
    model: str
    method: str


@dataclass(slots=True)
class Rows:
    """Figures as they come, column by column."""

    columns: dict[str, list[Any]]

    @classmethod
    def empty(cls) -> Rows:
        """No figures yet."""
        return cls({name: [] for name in SCHEMA.names})

    def add(
        self,
        about: About,
        metric: str,
        value: float,
        target: str = "",
        *,
        step: int | None = None,
        other: tuple[str, str] | None = None,
    ) -> None:
        """Add a figure."""
        other_model, other_method = other or (None, None)
        row = (*about, target, metric, step, other_model, other_method, float(value))
        for column, cell in zip(self.columns.values(), row, strict=True):
            column.append(cell)

    def curve(self, about: About, metric: str, values: Sequence[float], target: str = "") -> None:
        """Add the steps of a curve, from 0."""
        for step, value in enumerate(values):
            self.add(about, metric, value, target, step=step)

    def table(self, notes: Sequence[str] = ()) -> pa.Table:
        """All figures so far, and what should be known of them."""
        return pa.table(self.columns, schema=SCHEMA).replace_schema_metadata({_NOTES: json.dumps(list(notes))})


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet; a file that is there is replaced as a whole or not at all.

    Raises
    ------
    SettingsError
        When it cannot be written.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_whole(path, sink.getvalue().to_pybytes())


def read_table(path: Path) -> pa.Table:
    """Read a table that `write_table` wrote.

    Raises
    ------
    SettingsError
        When it cannot be read.
    """
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        reason = f"cannot be read ({str(error).splitlines()[0]})"
        raise SettingsError(path, reason, "Delete it to have it made again.") from error


def notes_of(parts: Iterable[pa.Table]) -> tuple[str, ...]:
    """What should be known of the figures of parts, each sentence once."""
    texts = [(part.schema.metadata or {}).get(_NOTES.encode(), b"[]") for part in parts]
    return tuple(dict.fromkeys(note for text in texts for note in json.loads(text)))


def joined(parts: Iterable[pa.Table]) -> pa.Table:
    """All parts as one table."""
    bare = [part.replace_schema_metadata(None) for part in parts]
    return pa.concat_tables([SCHEMA.empty_table(), *bare]).combine_chunks()


def single_figures(table: pa.Table) -> pa.Table:
    """One figure an image, model, method and metric."""
    return table.filter(pc.and_(table["step"].is_null(), table["other_method"].is_null())).drop_columns(list(_ALONE))


def curve_figures(table: pa.Table) -> pa.Table:
    """Curves, one row a step."""
    return table.filter(table["step"].is_valid()).drop_columns(["other_model", "other_method"])


def agreement_figures(table: pa.Table) -> pa.Table:
    """What compares two methods."""
    return table.filter(table["other_method"].is_valid()).drop_columns(["step"])
