"""Scores as a table."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from softcam_core.explainers.explanation import Explanation
from softcam_core.files import whole_file
from softcam_core.notice import NOTICE


def write_scores(path: Path | str, rows: Iterable[tuple[str, str, Explanation]], class_names: Iterable[str]) -> None:
    """Write class probabilities and logits, one row an image, with the model and the notice.

    A file that is there is replaced as a whole.

    Parameters
    ----------
    path : Path or str
        CSV, UTF-8.
    rows : iterable of (str, str, Explanation)
        Name of the image file, name of the outputs made from it, and the explanation.
    class_names : iterable of str
        Of the model, for the header.

    Raises
    ------
    SettingsError
        When the file cannot be written.
    """
    names = list(class_names)
    with whole_file(Path(path)) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        columns = [f"{what}[{name}]" for what in ("probability", "logit") for name in names]
        writer.writerow(["image", "output", "predicted", *columns, "model", "notice"])
        for image, output, explanation in rows:
            figures = [f"{value:.8g}" for value in (*explanation.probabilities, *explanation.logits)]
            predicted = names[explanation.predicted]
            writer.writerow([image, output, predicted, *figures, explanation.card.name, NOTICE])
