"""The folder of an evaluation: what was asked, figures in parts as they come, and what is made of them."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from softcam_core.errors import SettingsError
from softcam_core.evaluation.tables import read_table, write_table
from softcam_core.files import write_whole

Pictures = dict[str, npt.NDArray[np.int8]]


@dataclass(frozen=True, slots=True)
class EvaluationFolder:
    """Where an evaluation's files are.

    Attributes
    ----------
    path : Path
    """

    path: Path

    @property
    def asked(self) -> Path:
        """What is evaluated, JSON."""
        return self.path / "evaluation.json"

    @property
    def per_image(self) -> Path:
        """One figure an image, model, method and metric, Parquet."""
        return self.path / "per_image.parquet"

    @property
    def curves(self) -> Path:
        """Curves of every image, Parquet."""
        return self.path / "curves.parquet"

    @property
    def agreement(self) -> Path:
        """What compares two methods on an image, Parquet."""
        return self.path / "agreement.parquet"

    @property
    def summary(self) -> Path:
        """Means with intervals, and comparisons with the first method, CSV."""
        return self.path / "summary.csv"

    @property
    def summary_json(self) -> Path:
        """The same as JSON, with what was compared on what."""
        return self.path / "summary.json"

    @property
    def paired(self) -> Path:
        """Comparisons of all pairs of methods, CSV."""
        return self.path / "paired.csv"

    @property
    def report(self) -> Path:
        """One page for people."""
        return self.path / "report.html"

    @property
    def plots(self) -> Path:
        """Figures as PNG."""
        return self.path / "plots"

    def part(self, number: int) -> Path:
        """Figures of some images, Parquet."""
        return self.path / "parts" / f"{number:05}.parquet"

    def maps(self, number: int) -> Path:
        """Small maps of the same images for the report, NPZ."""
        return self.path / "parts" / f"{number:05}.npz"

    def prepare(self, identity: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Make the folder for an evaluation, or check that it holds the same one.

        Parameters
        ----------
        identity : mapping
            What makes this evaluation another than others, by name.
        overwrite : bool
            Take away an evaluation that it holds.

        Raises
        ------
        SettingsError
            When it holds something else or cannot be written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise SettingsError(self.path, "is a file, not a folder", "Choose another place for the evaluation.")
        try:
            if overwrite and self.asked.exists():
                self._clear()
            if self.asked.exists():
                self._check_same(identity)
            elif self.path.exists() and any(self.path.iterdir()):
                reason = "is not empty and holds no evaluation"
                raise SettingsError(self.path, reason, "Choose a new folder for the evaluation.")
            self.part(0).parent.mkdir(parents=True, exist_ok=True)
            self.plots.mkdir(exist_ok=True)
        except OSError as error:
            raise SettingsError(self.path, f"cannot be written: {error.strerror}", "Choose another folder.") from error
        if not self.asked.exists():
            write_whole(self.asked, (json.dumps(identity, indent=2, ensure_ascii=False) + "\n").encode())

    def write_part(self, number: int, table: pa.Table, maps: Mapping[str, npt.NDArray[np.int8]]) -> None:
        """Write what is known of some images; the figures come last, and show that the part is whole.

        Raises
        ------
        SettingsError
            When a file cannot be written.
        """
        packed = io.BytesIO()
        np.savez_compressed(packed, **maps)  # type: ignore[arg-type]
        write_whole(self.maps(number), packed.getvalue())
        write_table(self.part(number), table)

    def read_parts(self, count: int) -> list[pa.Table]:
        """Figures of all images.

        Raises
        ------
        SettingsError
            When a part cannot be read.
        """
        return [read_table(self.part(number)) for number in range(count)]

    def read_maps(self, number: int) -> Pictures:
        """Small maps of a part's images.

        Raises
        ------
        SettingsError
            When they cannot be read.
        """
        try:
            with np.load(self.maps(number), allow_pickle=False) as packed:
                return dict(packed)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            advice = "Delete it and its .parquet to have them made again."
            raise SettingsError(self.maps(number), f"cannot be read ({error})", advice) from error

    def _check_same(self, identity: Mapping[str, Any]) -> None:
        advice = "Choose another folder, or replace it with --overwrite."
        try:
            before = json.loads(self.asked.read_text(encoding="utf-8"))
            if not isinstance(before, dict):
                raise ValueError("it is no table")
        except ValueError as error:
            raise SettingsError(self.asked, "does not say what was evaluated", advice) from error
        now = json.loads(json.dumps(identity))
        differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        if differing:
            reason = f"holds another evaluation: it differs in {', '.join(differing)}"
            raise SettingsError(self.path, reason, advice)

    def _clear(self) -> None:
        """Take an evaluation's files away; what else is in the folder stays."""
        for folder in (self.part(0).parent, self.plots):
            shutil.rmtree(folder, ignore_errors=True)
        for file in self._files():
            file.unlink(missing_ok=True)

    def _files(self) -> Sequence[Path]:
        tables = (self.per_image, self.curves, self.agreement, self.summary, self.summary_json, self.paired)
        return (*tables, self.report, self.asked)
