"""Explanations as numbers: NumPy archives."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np

from softcam_core.explainers.explanation import Explanation
from softcam_core.files import write_whole
from softcam_core.imaging.geometry import Lattice
from softcam_core.notice import NOTICE


def save_explanation(path: Path | str, explanation: Explanation) -> None:
    """Write an explanation as .npz, without pickled objects.

    The archive holds ``grid`` (T, h, w), ``targets`` (T,) in words, ``scale`` and ``unit`` (see
    `softcam_core.explainers.base.Maps`), ``logits``, ``probabilities``, ``class_names`` and
    ``offset`` (K,), the geometry (``image_size``, ``resized``, ``origin``, ``input_size``, ``lattice_first``,
    ``lattice_stride``: pairs of rows and columns in pixels, the fields of `Geometry` and `Lattice`; NaN where there is
    no lattice; ``field``: top, left, bottom and right of what was resized), ``method``, ``model`` and ``notice``. A
    file that is there is replaced as a whole.

    Parameters
    ----------
    path : Path or str
        Ends in .npz.
    explanation : Explanation

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    geometry = explanation.geometry
    nowhere = (np.nan, np.nan)
    lattice = geometry.lattice or Lattice(nowhere, nowhere)
    buffer = BytesIO()
    np.savez_compressed(
        buffer,
        grid=explanation.grid,
        targets=np.array([t.title(explanation.class_names) for t in explanation.targets], dtype=np.str_),
        scale=np.array(explanation.scale),
        unit=np.array(explanation.unit),
        logits=explanation.logits,
        probabilities=explanation.probabilities,
        offset=explanation.offset,
        class_names=np.array(explanation.class_names, dtype=np.str_),
        image_size=np.array(geometry.image_size),
        field=np.array(geometry.extent),
        resized=np.array(geometry.resized),
        origin=np.array(geometry.origin),
        input_size=np.array(geometry.input_size),
        lattice_first=np.array(lattice.first),
        lattice_stride=np.array(lattice.stride),
        method=np.array(explanation.method),
        model=np.array(explanation.card.name),
        notice=np.array(NOTICE),
    )
    write_whole(Path(path), buffer.getvalue())
