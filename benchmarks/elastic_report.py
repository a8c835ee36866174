"""Figures and text of the elastic-net study from what was measured of its trials."""

import inspect
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from elastic_trials import BLACK_BOX_SEEDS, CHOSEN, DATA, SEEDS, VARIANTS, Trial, measured
from measuring import RESAMPLES

from softcam_core.data.phantom_files import Kind

AUC_MARGIN = 0.01
# Maps that are measured beside a network's evidence: prefix of their figures, and what they are called.
BLACK_BOX_MAPS = {"cam_": "black box, Grad-CAM", "published_cam_": "black box, Grad-CAM as published"}
FLOORS = {"random_": "random map", "annotation_": "the annotation itself on the grid"}


class Cases:
    """Resampled test images, the same for all networks, so that differences between them are paired."""

    def __init__(self, labels: np.ndarray) -> None:
        self.rng = np.random.default_rng(0)
        self.marked = labels == 1
        weights = self.rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=RESAMPLES)
        # The first row has each image once: the figure itself.
        self.weights = np.concatenate([np.ones((1, len(labels))), weights])

    def seeds(self, count: int) -> np.ndarray:
        """Resampled seeds of a variant, (1 + resamples, seeds), rows add up to 1; drawn anew for each variant."""
        drawn = self.rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
        return np.concatenate([np.ones((1, count)), drawn]) / count

    def mean(self, values: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Mean over seeds and images, (1 + resamples,), of values (seeds, images) or (seeds, images with lesions)."""
        weights = self.weights if values.shape[1] == len(self.marked) else self.weights[:, self.marked]
        return np.einsum("rs,rs->r", seeds, weights @ values.T / weights.sum(1, keepdims=True))

    def auc(self, scores: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Mean over seeds of the area under the ROC curve, (1 + resamples,), of scores (seeds, images)."""
        ill, well = self.weights[:, self.marked], self.weights[:, ~self.marked]
        areas = []
        for row in scores:
            difference = row[self.marked][:, None] - row[~self.marked]
            wins = (difference > 0) + 0.5 * (difference == 0)
            areas.append(((ill @ wins) * well).sum(1) / (ill.sum(1) * well.sum(1)))
        return np.einsum("rs,rs->r", seeds, np.stack(areas, axis=1))


def figure(samples: np.ndarray) -> dict[str, Any]:
    """The figure, which is the first sample, and its 95 % interval."""
    low, high = np.percentile(samples[1:], [2.5, 97.5])
    return {"value": round(float(samples[0]), 4), "interval_95": [round(float(low), 4), round(float(high), 4)]}


def figures_of(kind: Kind, root: Path) -> dict[str, Any]:
    """All figures of a data set."""

    def load(l1: float, l2: float, seeds: tuple[int, ...]) -> dict[str, np.ndarray]:
        found = [measured(Trial(kind, l1, l2, seed), "test", root) for seed in seeds]
        return {name: np.stack([f[name] for f in found]) for name in found[0]}

    black_box = load(0.0, 0.0, BLACK_BOX_SEEDS)
    cases = Cases(black_box["labels"][0])
    drawn = cases.seeds(len(BLACK_BOX_SEEDS))
    auc = cases.auc(black_box["scores"], drawn)
    cams = {prefix: cases.mean(black_box[f"{prefix}mass"], drawn) for prefix in BLACK_BOX_MAPS}
    stronger = max(cams, key=lambda prefix: cams[prefix][0])
    hits = cases.mean(black_box[f"{stronger}hit"], drawn)
    samples = {BLACK_BOX_MAPS[stronger]: {"AUC": auc, "mass in lesion": cams[stronger], "pointing game": hits}}
    rows: list[dict[str, Any]] = [
        {
            "variant": name,
            "auc": figure(auc),
            "mass": figure(cams[prefix]),
            "hit": figure(cases.mean(black_box[f"{prefix}hit"], drawn)),
        }
        for prefix, name in BLACK_BOX_MAPS.items()
    ]
    for name, l1, l2 in VARIANTS[kind]:
        found = load(l1, l2, SEEDS)
        drawn = cases.seeds(len(SEEDS))
        own_auc, mass, hit = cases.auc(found["scores"], drawn), *(cases.mean(found[k], drawn) for k in ("mass", "hit"))
        if name == "dense" or (l1, l2) == (CHOSEN[kind], 0.0):
            samples[name] = {"AUC": own_auc, "mass in lesion": mass, "pointing game": hit}
        rows.append(
            {
                "variant": name,
                "l1": l1,
                "l2": l2,
                "auc": figure(own_auc),
                "auc_difference": figure(own_auc - auc),
                "gini": figure(cases.mean(found["gini"], drawn)),
                "near_zero": figure(cases.mean(found["near_zero"], drawn)),
                "mass": figure(mass),
                "hit": figure(hit),
                "mass_difference": figure(mass - cams[stronger]),
            }
        )
    chosen = samples.pop("lasso")
    once = np.ones((RESAMPLES + 1, 1))
    for prefix, name in FLOORS.items():
        floors = {key: figure(cases.mean(black_box[f"{prefix}{key}"][:1], once)) for key in ("mass", "hit")}
        rows.append({"variant": name, **floors})
    return {
        "network": DATA[kind].network,
        "test_images": len(cases.marked),
        "test_images_with_lesions": int(cases.marked.sum()),
        "lesions_share_of_image": figure(cases.mean(black_box["area"][:1], once)),
        "stronger_grad_cam": BLACK_BOX_MAPS[stronger],
        "rows": rows,
        "chosen_l1": CHOSEN[kind],
        "chosen_minus": {
            name: {title: figure(chosen[title] - values) for title, values in other.items()}
            for name, other in samples.items()
        },
        "targets": targets_of(kind, rows),
    }


def targets_of(kind: Kind, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the study was to show, and whether it does."""
    networks = [row for row in rows if "l1" in row]
    worst = min(networks, key=lambda row: row["auc_difference"]["value"])
    rising = sorted((row for row in networks if not row["l2"]), key=lambda row: row["l1"])
    ginis = [row["gini"]["value"] for row in rising]
    chosen = next(row for row in rising if row["l1"] == CHOSEN[kind])
    return {
        "AUC at most 0.01 below the black box's": {
            "met": worst["auc_difference"]["value"] >= -AUC_MARGIN,
            "found": f"lowest {worst['auc_difference']['value']:+.3f} ({label(worst)})",
        },
        "sparsity rises with l1": {
            "met": ginis == sorted(set(ginis)),
            "found": "Gini index " + ", ".join(f"{gini:.3f}" for gini in ginis),
        },
        "sparse mass in lesion above Grad-CAM's": {
            "met": chosen["mass_difference"]["interval_95"][0] > 0,
            "found": f"{label(chosen)}: {shown(chosen['mass_difference'], signed=True)}",
        },
    }


def label(row: dict[str, Any]) -> str:
    """Variant with its coefficients."""
    weights = [f"{name} {row[name]:g}" for name in ("l1", "l2") if row.get(name)]
    return ", ".join([row["variant"], *weights])


def shown(value: dict[str, Any] | None, *, signed: bool = False) -> str:
    """``0.123 [0.100, 0.150]``, or a dash for what is not there."""
    if value is None:
        return "–"
    low, high = value["interval_95"]
    sign = "+" if signed else ""
    return f"{value['value']:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write the study as a page."""
    parts = [inspect.cleandoc(_HEAD).format(**report, seeds_each=len(report["seeds"]))]
    for kind, data in report["data"].items():
        parts.append(f"## {DATA[kind].title}\n\n{_table(data)}\n\n{_summary(data)}")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _table(data: dict[str, Any]) -> str:
    lines = [
        "| | AUC | Gini index | near-zero share | mass in lesion | pointing game | mass, minus Grad-CAM's |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in data["rows"]:
        cells = [shown(row.get(name)) for name in ("auc", "gini", "near_zero", "mass", "hit")]
        lines.append(f"| {' | '.join([label(row), *cells, shown(row.get('mass_difference'), signed=True)])} |")
    return "\n".join(lines)


def _summary(data: dict[str, Any]) -> str:
    """What came out, for and against, from the figures alone."""
    networks = [row for row in data["rows"] if "l1" in row]
    found: dict[str, list[str]] = {"better": [], "worse": [], "undecided": []}
    for other, differences in data["chosen_minus"].items():
        for title, difference in differences.items():
            low, high = difference["interval_95"]
            verdict = "better" if low > 0 else "worse" if high < 0 else "undecided"
            found[verdict].append(f"{title} against {other} ({shown(difference, signed=True)})")
    verdicts = "; ".join(f"{verdict}: {', '.join(which) or 'nothing'}" for verdict, which in found.items())
    best = max(networks, key=lambda row: row["mass"]["value"])
    area = data["lesions_share_of_image"]["value"]
    sentences = (
        f"{data['network']}; {data['test_images']} test images, {data['test_images_with_lesions']} with lesions, which "
        f"cover {100 * area:.2g} % of them. The last column compares with {data['stronger_grad_cam']}, the stronger of "
        f"the two. The lasso chosen on validation images (l1 {data['chosen_l1']:g}) is {verdicts}. "
        f"Most mass in lesions has: {label(best)}."
    )
    targets = [
        f"- {name}: {'met' if target['met'] else '**not met**'} ({target['found']})"
        for name, target in data["targets"].items()
    ]
    return textwrap.fill(sentences, 120) + "\n\n" + "\n".join(targets)


_HEAD = """
# Study: the elastic net on evidence

<!-- Written by benchmarks/study_elastic.py; do not edit. -->

`make study-elastic`, {seeds_each} seeds each, {minutes_of_training_and_judging} minutes of training and measuring in
all, {jobs} runs at a time on one thread each; {machine}.

Phantoms, because their lesions are known to the pixel. Means over test images and seeds; in brackets 95 % bootstrap
intervals over both, with so few seeds rather too narrow. Coefficients and epochs were chosen on validation images with
the first seed (`--search`). The black box is trained apart, with other seeds and without a penalty: the network is that
of the dense SoftCAM, since global pooling and a linear layer compute the same function, but the weights are others.
SqueezeNet's evidence is never negative, because its last convolution is followed by a ReLU; the compact network's has
both signs.

- *Gini index* and *near-zero share* (cells below 1 % of the strongest): sparsity of an image's evidence, over all
  classes and cells, as the penalty has it.
- *Mass in lesion*: share of the map's positive part that lies in the lesions' masks; a map without positive part has 0.
  *Pointing game*: whether the map's highest pixel lies in a mask or at most half a cell away. Both on test images with
  lesions, for the map of the lesion class minus that of the healthy one, evidence and Grad-CAM alike. Grad-CAM "as
  published" is the lesion class's own map after its ReLU.
- A map is no finer than its grid, and small lesions are smaller than a cell: what the annotation itself gets on the
  same grid is in the last row of each table.
"""
