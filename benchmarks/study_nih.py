"""Train a SoftCAM on real radiographs and see how well it classifies and where it points.

Needs the folder of test data that is not part of this repository. Writes build/studies/nih.json and the model to
build/studies/nih/best.safetensors. Run by ``make study-nih``; minutes on a CPU.
"""

import argparse
import csv
import json
import os
import platform
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

import softcam_core as sc
from softcam_core.cli import main as softcam
from softcam_core.evaluation.localization import pointing_hit, relevance_mass

TARGET_AUC = 0.93
OUTER = 8  # the outer eighth of the image on each side: nothing to diagnose pneumonia by


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    if not (data / "cxr_nih_train320").is_dir():
        print(f"skipped: {data / 'cxr_nih_train320'} is not there")
        return 0
    run = Path("build/studies/nih")
    arguments = [
        *("train", str(data / "cxr_nih_train320/labels.csv"), "--root", str(data / "cxr_nih_train320/images")),
        *("--label-column", "pneumonia", "--classes", "no finding,pneumonia", "--name", "NIH pneumonia"),
        *("--arch", "squeezenet1_1", "--init", str(data / "weights_squeezenet1_1/squeezenet1_1_imagenet.pth")),
        *("--shorter-side", "320", "--epochs", "5", "--out", str(run), "--overwrite"),
    ]
    if code := softcam(arguments):
        return code
    model = sc.load_model(run / "best.safetensors")
    with (data / "cxr_nih_boxes/boxes.csv").open(newline="") as file:
        boxes = [row for row in csv.DictReader(file) if row["finding"] == "Pneumonia"]
    hits, masses, areas, outer = [], [], [], []
    for name in tqdm(sorted({row["image"] for row in boxes}), unit="image", disable=None):
        image = sc.read_image(data / "cxr_nih_boxes/images" / name)
        mask = np.zeros(image.size, dtype=bool)
        for row in boxes:
            if row["image"] == name:
                x, y, w, h = (float(row[key]) for key in "xywh")
                mask[int(y) : round(y + h), int(x) : round(x + w)] = True
        on_image = sc.explain(model, image).on_image("pneumonia", against="no finding")
        rim = np.ones(image.size, dtype=bool)
        rim[tuple(slice(side // OUTER, side - side // OUTER) for side in image.size)] = False
        hits.append(pointing_hit(on_image, mask))
        masses.append(relevance_mass(on_image, mask))
        outer.append(relevance_mass(on_image, rim))
        areas.append(mask.mean())
    figures = {
        **model.card.metrics,
        "pointing game": np.mean(hits),
        "mass in box": np.mean(masses),
        "box's share of image": np.mean(areas),
        "mass in outer eighth": np.mean(outer),
    }
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "boxed_images": len(hits),
        "figures": {name: round(float(value), 4) for name, value in figures.items()},
        "targets": {"test_auc": TARGET_AUC},
    }
    Path("build/studies/nih.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"{len(hits)} radiographs with a box around pneumonia ({report['machine']})")
    for name, value in report["figures"].items():
        print(f"  {name:26}{value:7.3f}")
    return int(report["figures"]["test_auc"] < TARGET_AUC)


if __name__ == "__main__":
    sys.exit(main())
