"""Train a dense and a sparse SoftCAM on real radiographs: how well do they classify, and where does their evidence lie?

Needs the folder of test data that is not part of this repository. Writes build/studies/nih.json, and the models to
build/studies/nih_dense and nih_sparse. Run by ``make study-nih``; minutes on a CPU.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
import torch
from measuring import interval, machine, write_study
from tqdm import tqdm

import softcam_core as sc
from softcam_core.cli import main as softcam
from softcam_core.evaluation.localization import pointing_game, relevance_mass

TARGET_AUC = 0.93
OUTER = 8  # the outer eighth of the image on each side: nothing to diagnose pneumonia by
# Chosen on the validation split, by `softcam sweep`: the largest that loses less than 0.01 of AUC.
KINDS = {"dense": 0.0, "sparse": 1e-4}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    if not (data / "cxr_nih_train320").is_dir():
        print(f"skipped: {data / 'cxr_nih_train320'} is not there")
        return 0
    report = {"machine": machine(), "targets": {"test_auc": TARGET_AUC}, "figures": {}}
    for kind, l1 in KINDS.items():
        run = Path(f"build/studies/nih_{kind}")
        if code := softcam([*train_arguments(data), "--l1", str(l1), "--out", str(run), "--overwrite"]):
            return code
        report["figures"][kind] = figures = judge(run / "best.safetensors", data)
        report["boxed_images"] = len(boxed_images(data))
        print(f"{kind} (l1 {l1:g}), {report['boxed_images']} radiographs with a box around pneumonia")
        for name, figure in figures.items():
            low, high = figure.get("interval_95", (np.nan, np.nan))
            print(f"  {name:26}{figure['value']:7.3f}" + (f"   [{low:.3f}, {high:.3f}]" if low == low else ""))
    write_study("nih", report)
    return int(min(figures["test auc"]["value"] for figures in report["figures"].values()) < TARGET_AUC)


def train_arguments(data: Path) -> list[str]:
    """How both are trained."""
    return [
        *("train", str(data / "cxr_nih_train320/labels.csv"), "--root", str(data / "cxr_nih_train320/images")),
        *("--label-column", "pneumonia", "--classes", "no finding,pneumonia", "--name", "NIH pneumonia"),
        *("--set", "data.patient_column=patient_id"),
        *("--arch", "squeezenet1_1", "--init", str(data / "weights_squeezenet1_1/squeezenet1_1_imagenet.pth")),
        *("--shorter-side", "320", "--epochs", "6", "--penalty-warmup", "1", "--set", "training.lr_warmup=0.5"),
    ]


def boxed_images(data: Path) -> dict[str, list[tuple[float, ...]]]:
    """Boxes (x, y, width, height) around pneumonia for each image that has some."""
    boxes: dict[str, list[tuple[float, ...]]] = {}
    with (data / "cxr_nih_boxes/boxes.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["finding"] == "Pneumonia":
                boxes.setdefault(row["image"], []).append(tuple(float(row[key]) for key in "xywh"))
    return boxes


def judge(path: Path, data: Path) -> dict[str, dict[str, object]]:
    """Figures of a model, those of localisation with 95 % intervals over images."""
    model = sc.load_model(path)
    found: dict[str, list[float]] = {name: [] for name in ("pointing game", "mass in box", "mass in outer eighth")}
    areas = []
    for name, boxes in tqdm(sorted(boxed_images(data).items()), unit="image", disable=None):
        image = sc.read_image(data / "cxr_nih_boxes/images" / name)
        mask = np.zeros(image.size, dtype=bool)
        for x, y, width, height in boxes:
            mask[int(y) : round(y + height), int(x) : round(x + width)] = True
        rim = np.ones(image.size, dtype=bool)
        rim[tuple(slice(side // OUTER, side - side // OUTER) for side in image.size)] = False
        on_image = torch.from_numpy(sc.explain(model, image).on_image("pneumonia", against="no finding"))[None]
        box, outer = torch.from_numpy(mask)[None], torch.from_numpy(rim)[None]
        found["pointing game"].append(float(pointing_game(on_image, box)))
        found["mass in box"].append(float(relevance_mass(on_image, box)))
        found["mass in outer eighth"].append(float(relevance_mass(on_image, outer)))
        areas.append(mask.mean())
    figures: dict[str, dict[str, object]] = {
        name.replace("_", " "): {"value": round(model.card.metrics[name], 4)} for name in ("val_auc", "test_auc")
    }
    for name, values in found.items():
        measured = np.array(values, dtype=float)
        figures[name] = {"value": round(float(np.nanmean(measured)), 4), "interval_95": interval(measured, np.nanmean)}
    figures["box's share of image"] = {"value": round(float(np.mean(areas)), 4)}
    return figures


if __name__ == "__main__":
    sys.exit(main())
