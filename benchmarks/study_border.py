"""A shortcut in real radiographs, flagged and trained away: evidence at the border of the image.

A SqueezeNet SoftCAM is trained on real radiographs as anybody would; much of its evidence for pneumonia lies in the
outer eighth of the image, where nothing of pneumonia can be seen. The border is painted over as wrong evidence on some
of the training images, by the viewer's own model, and the network is fine-tuned on that, and for comparison as long
without. Judged on radiographs with boxes around pneumonia that nothing was trained on. Needs the folder of test data
that is not part of this repository. Writes build/studies/border.json. Run by ``make study-border``.
"""

import argparse
import csv
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from flagging import border_of, flag_border, reviewing, see
from measuring import interval, machine, write_study
from study_nih import boxed_images
from tqdm import tqdm

import softcam_core as sc
from softcam_core.cli import main as softcam
from softcam_core.evaluation.localization import relevance_mass

FLAGGED = 150
SHARED = ["--label-column", "pneumonia", "--classes", "no finding,pneumonia", "--set", "data.patient_column=patient_id"]
TRAINING = [
    *("--arch", "squeezenet1_1", "--name", "NIH pneumonia", "--shorter-side", "320"),
    *("--epochs", "4", "--lr", "1e-4", "--set", "training.lr_warmup=0.5"),
]
FINE_TUNING = ["--epochs", "5", "--lr", "1e-4", "--set", "training.keep=last"]
TARGETS = {"border": 0.08, "box": 1.5}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    if not (data / "cxr_nih_train320").is_dir():
        print(f"skipped: {data / 'cxr_nih_train320'} is not there")
        return 0
    folder = Path("build/studies/border")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    table = ["train", data / "cxr_nih_train320/labels.csv", "--root", data / "cxr_nih_train320/images", *SHARED]
    init = data / "weights_squeezenet1_1/squeezenet1_1_imagenet.pth"
    run(*table, *TRAINING, "--init", init, "--out", folder / "before")
    before = folder / "before/best.safetensors"
    flags = flag_borders(data, before, folder / "flags.sqlite")
    start = ["--start", before, *FINE_TUNING]
    run(*table, *start, "--annotations", folder / "flags.sqlite", "--out", folder / "with")
    run(*table, *start, "--out", folder / "without")
    models = {"before": before}
    models |= {f"{name} feedback": folder / name / "best.safetensors" for name in ("with", "without")}
    found = {name: judge(path, data) for name, path in models.items()}
    print(f"border flagged on {flags} training images")
    for name, figures in found.items():
        print(name)
        for title, figure in figures.items():
            low, high = figure.get("interval_95", ("", ""))
            print(f"  {title:38}{figure['value']:7.3f}   {low} {high}")
    write_study("border", {"machine": machine(), "targets": TARGETS, "flags": flags, "models": found})
    border, box = ([found[name][title]["value"] for name in ("before", "with feedback")] for title in (BORDER, BOX))
    return int(border[1] > TARGETS["border"] or box[1] < TARGETS["box"] * box[0])


BORDER, BOX = "evidence in the border, 68 images", "evidence in the box, 43 images"


def judge(path: Path, data: Path) -> dict[str, dict[str, object]]:
    """AUC on the test split; shares of the positive evidence for pneumonia, by itself and against no finding."""
    model = sc.load_model(path)
    boxes = boxed_images(data)
    found: dict[str, list[float]] = {}
    for file in tqdm(sorted((data / "cxr_nih_boxes/images").iterdir()), unit="image", disable=None):
        image = sc.read_image(file)
        explanation = sc.explain(model, image)
        rim = torch.from_numpy(border_of(image.size))[None]
        for added, against in (("", None), (", log-odds", "no finding")):
            surface = torch.from_numpy(explanation.on_image("pneumonia", against=against))[None]
            found.setdefault(BORDER + added, []).append(float(relevance_mass(surface, rim)))
            if file.name in boxes:
                mask = np.zeros(image.size, dtype=bool)
                for x, y, width, height in boxes[file.name]:
                    mask[int(y) : round(y + height), int(x) : round(x + width)] = True
                found.setdefault(BOX + added, []).append(float(relevance_mass(surface, torch.from_numpy(mask)[None])))
    figures: dict[str, dict[str, object]] = {"test AUC": {"value": round(model.card.metrics["test_auc"], 4)}}
    for name, values in found.items():
        there = np.array(values, dtype=float)
        figures[name] = {"value": round(float(np.nanmean(there)), 4), "interval_95": interval(there, np.nanmean)}
    return figures


def run(*words: object) -> None:
    if softcam([str(word) for word in words]):
        raise SystemExit(f"softcam {words[0]} failed")


def flag_borders(data: Path, model: Path, store: Path) -> int:
    """Paint over the border of training images, of both classes alike."""
    with (data / "cxr_nih_train320/labels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    by_label = [[row["image"] for row in rows if row["pneumonia"] == label] for label in ("1", "0")]
    names = [name for pair in zip(*by_label, strict=False) for name in pair][:FLAGGED]
    images = [data / "cxr_nih_train320/images" / name for name in names]
    with reviewing(images, model, store) as session:
        for number in range(len(images)):
            see(session, number)
            flag_border(session, "pneumonia")
    return len(images)


if __name__ == "__main__":
    sys.exit(main())
