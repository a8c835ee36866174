"""The trials of the elastic-net study: data, coefficients, training, and what is measured of a trained network."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from softcam_core.data.phantom_files import Kind

SEEDS = (0, 1, 2)
BLACK_BOX_SEEDS = tuple(seed + 100 for seed in SEEDS)  # trained apart from the dense SoftCAM, which has no penalty too
POSITIVE, NEGATIVE = 1, 0


@dataclass(frozen=True)
class Phantoms:
    """A data set and the network for it; training phantoms of the demo have other seeds."""

    kind: Kind
    title: str
    network: str
    seed: int
    count: int
    size: int
    splits: tuple[float, float, float]
    settings: dict[str, Any]


DATA = {
    data.kind: data
    for data in (
        Phantoms(
            kind="fundus",
            title="Small lesions: eyes",
            network="SqueezeNet 1.1 from ImageNet weights, input 192 px",
            seed=4100,
            count=1200,
            size=192,
            splits=(0.5, 1 / 6, 1 / 3),
            settings={
                "model": {"architecture": "squeezenet1_1"},
                "preprocessing": {"shorter_side": 192},
                "training": {"epochs": 4, "lr": 3e-4, "lr_warmup": 0.5},
                "loss": {"penalty_warmup": 2},
            },
        ),
        Phantoms(
            kind="chest",
            title="Large lesions: chests",
            network="The compact network from scratch, input 128 px",
            seed=4200,
            count=1200,
            size=192,
            splits=(0.5, 1 / 6, 1 / 3),
            settings={
                "model": {"architecture": "compact"},
                "preprocessing": {"shorter_side": 128},
                "training": {"epochs": 9, "lr": 2e-3},
                "loss": {"penalty_warmup": 3},
            },
        ),
    )
}
# (l1, l2) of each kind of elastic net, from which validation images choose; lassos in rising order.
CANDIDATES: dict[str, dict[str, tuple[tuple[float, float], ...]]] = {
    "fundus": {
        "lasso": ((3e-4, 0.0), (6e-4, 0.0), (1e-3, 0.0)),
        "ridge": ((0.0, 1e-3), (0.0, 3e-3)),
        "elastic": ((3e-4, 1e-3), (6e-4, 1e-3)),
    },
    "chest": {
        "lasso": ((5e-5, 0.0), (1e-4, 0.0), (2e-4, 0.0)),
        "ridge": ((0.0, 1e-3), (0.0, 3e-3)),
        "elastic": ((5e-5, 1e-3), (1e-4, 1e-3)),
    },
}
CHOICE_MARGIN = 0.005  # of the dense SoftCAM's AUC that a penalty may cost on validation images


@dataclass(frozen=True)
class Trial:
    """One network trained once; what it is called depends on what makes it, so that a changed one is trained anew."""

    kind: Kind
    l1: float
    l2: float
    seed: int

    def settings(self, root: Path, init: Path) -> dict[str, Any]:
        """For `softcam_core.training.config_files.make_config`."""
        data = DATA[self.kind]
        loss = {**data.settings["loss"], "l1": self.l1, "l2": self.l2}
        if not (self.l1 or self.l2):
            del loss["penalty_warmup"]
        starts = {"init": init} if data.settings["model"]["architecture"] == "squeezenet1_1" else {}
        return {
            **data.settings,
            "seed": self.seed,
            "data": {"path": root / self.kind / "manifest.csv"},
            "model": {**data.settings["model"], **starts},
            "loss": loss,
            "hardware": {"device": "cpu", "cache": root / "cache", "checkpoint_minutes": 60},
        }

    def folder(self, root: Path) -> Path:
        """Where its run is."""
        data = DATA[self.kind]
        made_from = repr((data.seed, data.count, data.size, data.splits, data.settings)).encode()
        name = f"{self.kind}_l1_{self.l1:g}_l2_{self.l2:g}_seed_{self.seed}_{hashlib.sha256(made_from).hexdigest()[:8]}"
        return root / "runs" / name

    def table(self, split: str, root: Path) -> Path:
        """Where what was measured on a split is."""
        return self.folder(root) / f"measured_{split}.npz"


@dataclass(frozen=True)
class Variant:
    """A network of the final table.

    Attributes
    ----------
    name : str
    l1, l2 : float
    is_chosen : bool
        Whether it is the one of its kind that validation images chose; the next weaker lasso comes along, to show
        what l1 does.
    """

    name: str
    l1: float
    l2: float
    is_chosen: bool = True

    def trial(self, kind: Kind, seed: int) -> Trial:
        """This variant trained with a seed."""
        return Trial(kind, self.l1, self.l2, seed)


DENSE = Variant("dense", 0.0, 0.0)


def candidates(kind: Kind) -> list[Variant]:
    """What is tried with the first seed."""
    return [DENSE] + [Variant(name, *weights) for name, pairs in CANDIDATES[kind].items() for weights in pairs]


def variants(kind: Kind, root: Path) -> list[Variant]:
    """What is trained with all seeds: of each kind of elastic net what puts most mass into the lesions.

    Judged on validation images with the first seed, among those that cost no more AUC than the margin allows; where
    all cost more, the first one.
    """
    scores = {v: measured(v.trial(kind, SEEDS[0]), "val", root) for v in candidates(kind)}
    least = float(scores[DENSE]["auc"]) - CHOICE_MARGIN
    chosen = [DENSE]
    for name in CANDIDATES[kind]:
        own = [v for v in scores if v.name == name]
        good = [v for v in own if float(scores[v]["auc"]) >= least] or own[:1]
        best = max(good, key=lambda v: float(scores[v]["mass"].mean()))
        if name == "lasso" and own.index(best):
            weaker = own[own.index(best) - 1]
            chosen.append(Variant(name, weaker.l1, weaker.l2, is_chosen=False))
        chosen.append(best)
    return chosen


def measured(trial: Trial, split: str, root: Path) -> dict[str, np.ndarray]:
    """What `run_trial` wrote: `labels`, `scores`, `gini` and `near_zero` of N images, the others of M with lesions."""
    with np.load(trial.table(split, root)) as file:
        return dict(file)


def run_trial(trial: Trial, split: str, root: Path, init: Path) -> str:
    """Train, if that has not been done before, and measure; says what was found."""
    import torch

    from softcam_core.training.config_files import make_config
    from softcam_core.training.trainer import train

    torch.set_num_threads(1)
    folder = trial.folder(root)
    start = time.monotonic()
    trained = folder / "seconds"
    if not trained.exists():
        train(make_config(trial.settings(root, init)), folder, overwrite=True)
        trained.write_text(f"{time.monotonic() - start:.1f}")
    start = time.monotonic()
    found = judge(folder / "best.safetensors", root / trial.kind / "manifest.csv", split)
    found["seconds"] = np.array(time.monotonic() - start + float(trained.read_text()))
    out = trial.table(split, root)
    part = out.with_suffix(".part.npz")  # a half table is never taken for a whole
    np.savez(part, **found)
    part.replace(out)
    return f"{folder.name}: AUC {float(found['auc']):.4f}, {float(found['seconds']):.0f} s"


def judge(model_file: Path, manifest: Path, split: str) -> dict[str, np.ndarray]:
    """Measure a network on a split.

    Maps are the class against the other one, evidence and Grad-CAM alike, and what is positive in them counts; a map
    without any has no mass in the lesion. A hit may be half a cell away, because peaks lie in the cells' middle.
    """
    import cv2
    import torch

    import softcam_core as sc
    from softcam_core.data.manifest import read_manifest
    from softcam_core.evaluation.localization import pointing_game, relevance_mass
    from softcam_core.evaluation.sparsity import gini_index, near_zero_share
    from softcam_core.explainers.cam import GradCAM

    model = sc.load_model(model_file)
    rng = np.random.default_rng(0)
    images: dict[str, list[float]] = {name: [] for name in ("labels", "scores", "gini", "near_zero")}
    lesions: dict[str, list[float]] = {"area": []}
    for sample in read_manifest(manifest).split(split):
        image = sc.read_image(sample.path)
        explanation = sc.explain(model, image)
        images["labels"].append(sample.label)
        images["scores"].append(float(explanation.logits[POSITIVE] - explanation.logits[NEGATIVE]))
        # All classes and cells of an image are one vector, as the penalty has it.
        evidence = torch.from_numpy(explanation.grid.reshape(-1, explanation.grid.shape[-1]))
        images["gini"].append(float(gini_index(evidence)))
        images["near_zero"].append(float(near_zero_share(evidence)))
        if sample.label != POSITIVE:
            continue
        mask = cv2.imread(str(sample.mask), cv2.IMREAD_GRAYSCALE) > 0
        region = torch.from_numpy(mask)[None]
        pixels = torch.from_numpy(model.card.preprocessing.apply(image).array)[None]
        cams = GradCAM(relu=False)(model, pixels).values[0].numpy()
        geometry, size = explanation.geometry, explanation.grid.shape[1:]
        top, _, bottom, _ = geometry.cell_box((1, 1), size)
        annotated = np.zeros(size)
        for row, column in np.argwhere(mask):
            cell = geometry.cell_at(row + 0.5, column + 0.5, size)
            if cell is not None:
                annotated[cell] += 1
        maps = {
            "": explanation.map_of(POSITIVE, NEGATIVE),
            "cam_": cams[POSITIVE] - cams[NEGATIVE],
            "published_cam_": np.maximum(cams[POSITIVE], 0),
            "random_": rng.random(size),
            "annotation_": annotated,
        }
        for name, grid in maps.items():
            on_image = torch.from_numpy(geometry.on_image(grid))[None]
            mass, hit = relevance_mass(on_image, region), pointing_game(on_image, region, margin=(bottom - top) / 2)
            lesions.setdefault(f"{name}mass", []).append(float(mass.nan_to_num(nan=0.0)))
            lesions.setdefault(f"{name}hit", []).append(float(hit))
        lesions["area"].append(float(mask.mean()))
    found = {name: np.array(values) for name, values in {**images, **lesions}.items()}
    return found | {"auc": np.array(roc_auc_score(found["labels"], found["scores"]))}
