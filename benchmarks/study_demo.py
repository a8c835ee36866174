"""Measure the demo model on phantoms it has never seen: does it classify, and does it point at the lesion?

Writes build/studies/demo.json and prints a table. Run by ``make study-demo``.
"""

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from measuring import interval, machine, write_study
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

import softcam_core as sc
from softcam_core.data.phantom_files import write_phantoms
from softcam_core.evaluation.localization import pointing_game, relevance_mass
from softcam_core.resources import resource

# Training uses other seeds: see tools/demo_model.py.
SEED = 990_000
COUNT = 1000  # 200 lesions leave the pointing game uncertain by 0.05 to either side, 500 by 0.03
SIZE = 512
TARGETS = {"auc": 0.97, "pointing": 0.9}
PAPER_MARGIN = 15  # pixels around the annotation, as the paper of the pointing game allows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--count", type=int, default=COUNT)
    arguments = parser.parse_args()
    path = arguments.model or resource("demo/model.safetensors")
    model = sc.load_model(path)
    rng = np.random.default_rng(1)
    scores, labels, hits, near_hits, masses, areas, random_hits, seconds = [], [], [], [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        manifest = write_phantoms(Path(folder), arguments.count, seed=SEED, size=SIZE, vary_size=True)
        with manifest.open(newline="") as file:
            rows = list(csv.DictReader(file))
        for row in tqdm(rows, unit="case", disable=None):
            image = sc.read_image(Path(folder) / row["image"])
            start = time.perf_counter()
            explanation = sc.explain(model, image)
            seconds.append(time.perf_counter() - start)
            scores.append(float(explanation.logits[1] - explanation.logits[0]))
            labels.append(int(row["label"] == "opacity"))
            if labels[-1]:
                mask = cv2.imread(str(Path(folder) / row["mask"]), cv2.IMREAD_GRAYSCALE) > 0
                areas.append(mask.mean())
                on_image = torch.from_numpy(explanation.on_image("opacity", against="no finding"))[None]
                chance, region = torch.from_numpy(rng.random(mask.shape))[None], torch.from_numpy(mask)[None]
                hits.append(float(pointing_game(on_image, region)))
                near_hits.append(float(pointing_game(on_image, region, margin=PAPER_MARGIN)))
                masses.append(float(relevance_mass(on_image, region)))
                random_hits.append(float(pointing_game(chance, region)))
    pairs = np.column_stack((labels, scores))

    def auc(rows: np.ndarray) -> float:
        return roc_auc_score(rows[:, 0], rows[:, 1])

    figures = {
        "auc": (auc(pairs), interval(pairs, auc)),
        "pointing": (np.mean(hits), interval(np.array(hits, float))),
        "pointing, 15 px margin": (np.mean(near_hits), interval(np.array(near_hits, float))),
        "mass in lesion": (np.nanmean(masses), interval(np.array(masses), np.nanmean)),
        "pointing, random map": (np.mean(random_hits), interval(np.array(random_hits, float))),
        "lesion's share of image": (np.mean(areas), interval(np.array(areas))),
    }
    report = {
        "model": path.name,
        "model_bytes": path.stat().st_size,
        "cases": len(labels),
        "lesion_cases": int(sum(labels)),
        "machine": machine(),
        "median_seconds_per_case": round(float(np.median(seconds)), 4),
        "figures": {k: {"value": round(float(v), 4), "interval_95": ci} for k, (v, ci) in figures.items()},
        "targets": TARGETS,
    }
    write_study("demo", report)
    print(f"{len(labels)} unseen phantoms, {sum(labels)} with lesions ({report['machine']})")
    for name, figure in report["figures"].items():
        low, high = figure["interval_95"]
        target = f"   target {TARGETS[name]}" if name in TARGETS else ""
        print(f"  {name:26}{figure['value']:7.3f}   [{low:.3f}, {high:.3f}]{target}")
    return int(any(report["figures"][name]["value"] < target for name, target in TARGETS.items()))


if __name__ == "__main__":
    sys.exit(main())
