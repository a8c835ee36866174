"""Figures and text of the elastic-net study from what was measured of its trials."""

import inspect
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from elastic_trials import BLACK_BOX_SEEDS, CHOICE_MARGIN, DATA, DENSE, SEEDS, Variant, candidates, measured, variants
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
    return {"value": round(float(samples[0]), 5), "interval_95": [round(float(low), 5), round(float(high), 5)]}


def figures_of(kind: Kind, root: Path) -> dict[str, Any]:
    """All figures of a data set."""

    def load(variant: Variant, seeds: tuple[int, ...]) -> dict[str, np.ndarray]:
        found = [measured(variant.trial(kind, seed), "test", root) for seed in seeds]
        return {name: np.stack([f[name] for f in found]) for name in found[0]}

    black_box = load(DENSE, BLACK_BOX_SEEDS)
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
    for variant in variants(kind, root):
        found = load(variant, SEEDS)
        drawn = cases.seeds(len(SEEDS))
        own_auc, mass, hit = cases.auc(found["scores"], drawn), *(cases.mean(found[k], drawn) for k in ("mass", "hit"))
        if variant.name in ("dense", "lasso") and variant.is_chosen:
            samples[variant.name] = {"AUC": own_auc, "mass in lesion": mass, "pointing game": hit}
        rows.append(
            {
                "variant": variant.name,
                "l1": variant.l1,
                "l2": variant.l2,
                "is_chosen": variant.is_chosen,
                "auc": figure(own_auc),
                "auc_difference": figure(own_auc - auc),
                "gini": figure(cases.mean(found["gini"], drawn)),
                "gini_of_seeds": [round(float(gini), 4) for gini in found["gini"].mean(1)],
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
        "chosen_minus": {
            name: {title: figure(chosen[title] - values) for title, values in other.items()}
            for name, other in samples.items()
        },
        "targets": targets_of(rows),
        "candidates": candidates_of(kind, root),
    }


def targets_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the study was to show, and whether it does."""
    networks = [row for row in rows if "l1" in row]
    worst = min(networks, key=lambda row: row["auc_difference"]["value"])
    rising = sorted((row for row in networks if not row["l2"]), key=lambda row: row["l1"])
    ginis = [row["gini"]["value"] for row in rising]
    by_seed = zip(*(row["gini_of_seeds"] for row in rising), strict=True)
    seeds_rising = sum(list(seed) == sorted(set(seed)) for seed in by_seed)
    chosen = chosen_lasso(rows)
    return {
        "AUC at most 0.01 below the black box's": {
            "met": worst["auc_difference"]["value"] >= -AUC_MARGIN,
            "found": f"lowest {worst['auc_difference']['value']:+.3f} ({label(worst)})",
        },
        "sparsity rises with l1": {
            "met": ginis == sorted(set(ginis)),
            "found": "Gini index "
            + ", ".join(f"{gini:.3f}" for gini in ginis)
            + f"; at each step in {seeds_rising} of {len(SEEDS)} seeds",
        },
        "sparse mass in lesion above Grad-CAM's": {
            "met": chosen["mass_difference"]["interval_95"][0] > 0,
            "found": f"{label(chosen)}: {shown(chosen['mass_difference'], signed=True, percent=True)}",
        },
    }


def candidates_of(kind: Kind, root: Path) -> list[dict[str, Any]]:
    """Figures of the candidates on validation images."""
    rows = []
    for variant in candidates(kind):
        found = measured(variant.trial(kind, SEEDS[0]), "val", root)
        figures = {name: round(float(found[name].mean()), 5) for name in ("auc", "gini", "mass")}
        rows.append({"variant": variant.name, "l1": variant.l1, "l2": variant.l2, **figures})
    return rows


def chosen_lasso(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of the lasso that was chosen on validation images."""
    return next(row for row in rows if row["variant"] == "lasso" and row["is_chosen"])


def label(row: dict[str, Any]) -> str:
    """Variant with its coefficients."""
    weights = [f"{name} {row[name]:g}" for name in ("l1", "l2") if row.get(name)]
    return ", ".join([row["variant"], *weights])


def shown(value: dict[str, Any] | None, *, signed: bool = False, percent: bool = False) -> str:
    """``0.123 [0.100, 0.150]`` or ``12.3 [10.0, 15.0] %``, or a dash for what is not there."""
    if value is None:
        return "–"
    factor, digits, unit = (100, 2, " %") if percent else (1, 3, "")
    low, high = value["interval_95"]
    number, low, high = (f"{factor * v:{'+' if signed else ''}.{digits}f}" for v in (value["value"], low, high))
    return f"{number} [{low}, {high}]{unit}"


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write the study as a page."""
    parts = [inspect.cleandoc(_HEAD).format(**report, seeds_each=len(report["seeds"]), margin=CHOICE_MARGIN)]
    for kind, data in report["data"].items():
        parts.append(f"## {DATA[kind].title}\n\n{_table(data)}\n\n{_summary(data)}\n\n{_choice(data)}")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _table(data: dict[str, Any]) -> str:
    lines = [
        "| | AUC | Gini index | near-zero share | mass in lesion | pointing game | mass, minus Grad-CAM's |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in data["rows"]:
        cells = [shown(row.get(name), percent=name == "mass") for name in ("auc", "gini", "near_zero", "mass", "hit")]
        cells.append(shown(row.get("mass_difference"), signed=True, percent=True))
        lines.append(f"| {' | '.join([label(row), *cells])} |")
    return "\n".join(lines)


def _summary(data: dict[str, Any]) -> str:
    """What came out, for and against, from the figures alone."""
    networks = [row for row in data["rows"] if "l1" in row]
    found: dict[str, list[str]] = {"better": [], "worse": [], "undecided": []}
    for other, differences in data["chosen_minus"].items():
        for title, difference in differences.items():
            low, high = difference["interval_95"]
            verdict = "better" if low > 0 else "worse" if high < 0 else "undecided"
            gain = shown(difference, signed=True, percent=title == "mass in lesion")
            found[verdict].append(f"{title} against {other} ({gain})")
    chosen = label(chosen_lasso(data["rows"]))
    verdicts = "; ".join(f"{verdict}: {', '.join(which) or 'nothing'}" for verdict, which in found.items())
    best = max(networks, key=lambda row: row["mass"]["value"])
    area = data["lesions_share_of_image"]["value"]
    sentences = (
        f"{data['network']}; {data['test_images']} test images, {data['test_images_with_lesions']} with lesions, which "
        f"cover {100 * area:.2g} % of them. The last column compares with {data['stronger_grad_cam']}, the stronger of "
        f"the two. What was chosen on validation images ({chosen}) is {verdicts}. "
        f"Most mass in lesions has: {label(best)}."
    )
    targets = [
        f"- {name}: {'met' if target['met'] else '**not met**'} ({target['found']})"
        for name, target in data["targets"].items()
    ]
    return textwrap.fill(sentences, 120) + "\n\n" + "\n".join(targets)


def _choice(data: dict[str, Any]) -> str:
    """What the coefficients were chosen from."""
    lines = [
        "Candidates on validation images, first seed:",
        "",
        "| | AUC | Gini index | mass in lesion |",
        "|---|---|---|---|",
    ]
    for row in data["candidates"]:
        lines.append(f"| {label(row)} | {row['auc']:.3f} | {row['gini']:.3f} | {100 * row['mass']:.2f} % |")
    return "\n".join(lines)


_HEAD = """
# Study: the elastic net on evidence

<!-- Written by benchmarks/study_elastic.py; do not edit. -->

`make study-elastic`, {seeds_each} seeds each, {minutes_of_training_and_judging} minutes of training and measuring added
up, {jobs} runs at a time on one thread each; {machine}.

Phantoms, because their lesions are known to the pixel. Means over test images and seeds; in brackets 95 % bootstrap
intervals over both, with so few seeds rather too narrow. Network, input and epochs were tuned on validation images by
hand. Of each kind of penalty the coefficients were chosen that put most mass into the lesions of validation images,
with the first seed, among those that cost at most {margin:g} of the dense SoftCAM's AUC there; the next weaker lasso
comes along, to show what l1 does.

The black box is trained apart, with other seeds and without a penalty: it has the layers of the dense SoftCAM, since
global pooling and a linear layer compute the same function, but not its weights. Grad-CAM is taken at its last
features. SqueezeNet's evidence is never negative, because its last convolution is followed by a ReLU; the compact
network's has both signs.

- *Gini index* and *near-zero share* (cells below 1 % of the strongest): sparsity of an image's evidence, over all
  classes and cells, as the penalty has it.
- *Mass in lesion*: share of the map's positive part that lies in the lesions' masks; a map without positive part has 0.
  *Pointing game*: whether the map's highest pixel lies in a mask or at most half a cell away. Both on test images with
  lesions, for the map of the lesion class minus that of the healthy one, evidence and Grad-CAM alike. Grad-CAM "as
  published" is the lesion class's own map after its ReLU.
- A map is no finer than its grid, and small lesions are smaller than a cell: what the annotation itself gets on the
  same grid is in the last row of each table.
"""
