"""A planted shortcut, flagged and trained away.

Phantoms whose lesions always come with a lead tag in the corner; a network that learns the tag; the tag flagged as
wrong evidence on a few training cases, by pointing at it in the viewer's own model; fine-tuning on that, and for
comparison as long without. All are judged on phantoms that nothing was trained on, where the tag says nothing. Writes
build/studies/shortcut.json, and the runs of each seed beside it. Run by ``make study-shortcut``.
"""

import argparse
import csv
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from flagging import flag, reviewing, see
from measuring import interval, machine, write_study
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

import softcam_core as sc
from softcam_core.cli import main as softcam
from softcam_core.data.prepared import read_mask
from softcam_core.evaluation.localization import relevance_mass

CLASS, AGAINST = "opacity", "no finding"
SIZE, TRAINING, TEST = 128, 1000, 400
FLAGGED, STRENGTH = 30, 3
BIASED = ["--arch", "compact", "--epochs", "4", "--lr", "2e-3", "--name", "Phantoms with a shortcut"]
FINE_TUNING = ["--epochs", "10", "--lr", "2e-3", "--l1", "1e-4", "--penalty-warmup", "5", "--set", "training.keep=last"]
TARGETS = {"auc": 0.95, "tag": 0.1, "lesion": 2.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    root = Path("build/studies/shortcut")
    report: dict[str, object] = {
        "machine": machine(),
        "targets": TARGETS,
        "flagged": FLAGGED,
        "strength": STRENGTH,
        "seeds": {},
    }
    has_failed = False
    for seed in range(seeds):
        found = one_seed(root / str(seed), seed)
        report["seeds"][str(seed)] = found  # type: ignore[index]
        print(f"seed {seed}: {found['flags']} flags")
        for name, figures in found["models"].items():
            told = []
            for key, found_figure in figures.items():
                low, high = found_figure["interval_95"]
                told.append(f"{key} {found_figure['value']:.3f} [{low:.3f}, {high:.3f}]")
            print(f"  {name:22}{'   '.join(told)}")
        before, after = (found["models"][name] for name in ("biased", "with feedback"))
        has_failed |= after["auc"]["value"] < TARGETS["auc"]
        has_failed |= after["tag"]["value"] > TARGETS["tag"] * before["tag"]["value"]
        has_failed |= after["lesion"]["value"] < TARGETS["lesion"] * before["lesion"]["value"]
    write_study("shortcut", report)
    return int(has_failed)


def one_seed(folder: Path, seed: int) -> dict:
    shutil.rmtree(folder, ignore_errors=True)
    size = ["--size", str(SIZE)]
    planted, fair = folder / "planted", folder / "fair"
    run("phantoms", "--out", planted, "--count", TRAINING, *size, "--seed", 100 + seed, "--tags", 1, 0)
    run("phantoms", "--out", fair, "--count", TEST, *size, "--seed", 900 + seed, "--tags", 0.5, 0.5)
    data = [planted / "manifest.csv", "--shorter-side", SIZE, "--flip-vertical", "--seed", seed]
    run("train", *data, "--classes", f"{AGAINST},{CLASS}", "--out", folder / "biased", *BIASED)
    biased = folder / "biased/best.safetensors"
    flags = flag_tags(planted, biased, folder / "flags.sqlite")
    start = ["--start", biased, *FINE_TUNING]
    flagged = ["--annotations", folder / "flags.sqlite", "--set", f"feedback.strength={STRENGTH}"]
    run("train", *data, "--out", folder / "with", *start, *flagged)
    run("train", *data, "--out", folder / "without", *start)
    models = {"biased": biased}
    models |= {f"{name} feedback": folder / name / "best.safetensors" for name in ("with", "without")}
    return {"flags": flags, "models": {name: judge(path, fair) for name, path in models.items()}}


def run(*words: object) -> None:
    if softcam([str(word) for word in words]):
        raise SystemExit(f"softcam {words[0]} failed")


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def flag_tags(folder: Path, model: Path, store: Path) -> int:
    """Point at the tag on the first training cases; where no evidence is seen there, nobody would flag any."""
    rows = [row for row in rows_of(folder) if row["tag"] and row["split"] == "train"][:FLAGGED]
    flags = 0
    with reviewing([folder / row["image"] for row in rows], model, store) as session:
        for number, row in enumerate(rows):
            see(session, number)
            x, y, width, height = map(int, row["tag"].split())
            flags += flag(session, y + height / 2, x + width / 2, CLASS, AGAINST)
    return flags


def judge(path: Path, folder: Path) -> dict[str, dict[str, object]]:
    """AUC, and the share of the positive evidence in the tag and in the lesion, on images that have them."""
    model = sc.load_model(path)
    scored, tag, lesion = [], [], []
    for row in tqdm(rows_of(folder), unit="image", disable=None):
        image = sc.read_image(folder / row["image"])
        explanation = sc.explain(model, image)
        index = explanation.class_names.index(CLASS)
        is_ill = row["label"] == CLASS
        scored.append((float(explanation.logits[index] - explanation.logits[1 - index]), is_ill))
        surface = torch.from_numpy(explanation.on_image(CLASS, against=AGAINST))[None]
        if row["tag"]:
            x, y, width, height = map(int, row["tag"].split())
            place = np.zeros(image.size, dtype=bool)
            place[y : y + height, x : x + width] = True
            tag.append(float(relevance_mass(surface, torch.from_numpy(place)[None])))
        if is_ill:
            place = read_mask(folder / row["mask"], image.size)
            lesion.append(float(relevance_mass(surface, torch.from_numpy(place)[None])))
    pairs = np.array(scored)
    return {
        "auc": figure(pairs, lambda drawn: roc_auc_score(drawn[:, 1], drawn[:, 0])),
        "tag": figure(np.array(tag), np.nanmean),
        "lesion": figure(np.array(lesion), np.nanmean),
    }


def figure(values: np.ndarray, statistic) -> dict[str, object]:  # noqa: ANN001
    return {"value": round(float(statistic(values)), 4), "interval_95": interval(values, statistic)}


if __name__ == "__main__":
    sys.exit(main())
