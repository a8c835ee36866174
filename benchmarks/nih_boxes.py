"""The radiographs with boxes of the test data as one table that `softcam evaluate` reads."""

import csv
from pathlib import Path

from study_nih import boxed_images


def write_boxed_manifest(data: Path, path: Path) -> list[str]:
    """Write a table of all radiographs of ``cxr_nih_boxes``, with the boxes around pneumonia.

    Boxes around other findings are left out: the networks know of pneumonia alone.

    Returns
    -------
    list of str
        The options that say how to read it.
    """
    folder = data / "cxr_nih_boxes"
    boxes = boxed_images(data)
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["image", "pneumonia", "split", "patient_id", "boxes"])
        for row in rows:
            drawn = "; ".join(" ".join(f"{number:g}" for number in box) for box in boxes.get(row["image"], []))
            writer.writerow([row["image"], row["pneumonia"], "test", row["patient_id"], drawn])
    columns = ("--label-column", "pneumonia", "--set", "data.patient_column=patient_id")
    return [str(path), "--root", str(folder / "images"), *columns]
