"""Measure deletion: how much of its time is the network's, how much is shared, and how it compares with Quantus.

Writes build/studies/bench_deletion.json and prints it. Run by ``make bench-deletion``.

The setting is one that Quantus' PixelFlipping has too: blocks that divide the image, all of them in turn. It flips
single features of an array, here those of a block together, because they have the block's evidence and a step is as
long as a block has features. Both are given the same images, maps and classes, and run in turns. Quantus does not run
the whole image, and knows nothing of what methods have in common.
"""

import argparse
import sys
import time
import warnings

import numpy as np
import torch
from measuring import machine, write_study
from quantus.metrics.faithfulness.pixel_flipping import PixelFlipping
from torch import Tensor, nn

import softcam_core as sc
from softcam_core.data.phantoms import make_phantom
from softcam_core.evaluation.perturbation import BLOCK, block_means, perturbation_curves
from softcam_core.explainers.methods import parse_method
from softcam_core.models.black_box import BlackBox
from softcam_core.models.classifier import Classifier
from softcam_core.resources import resource

SEED = 880_000
SIZE = 198  # about the demo model's 192 pixels, and a multiple of the block
STEPS = (SIZE // BLOCK) ** 2
BATCH = 10
METHODS = ("evidence", "gradcam", "layercam", "gradxinput", "random")
LIMIT = 0.1  # share of the time outside of the network


class Logits(nn.Module):
    """What Quantus can call."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.model.logits(x)


def phantoms(model: Classifier, count: int) -> Tensor:
    films = [make_phantom(SEED + i, SIZE, lesion=i % 2 == 0).pixels for i in range(count)]
    scaling = model.card.preprocessing
    mean, std = (torch.tensor(values)[:, None, None] for values in (scaling.mean, scaling.std))
    return torch.stack([(torch.from_numpy(film / np.float32(4095)) - mean) / std for film in films])


def maps_of(softcam: Classifier, black_box: Classifier, images: Tensor, classes: Tensor) -> dict[str, Tensor]:
    targets = [[int(k)] for k in classes]
    maps = {}
    for name in METHODS:
        explainer = parse_method(name)
        model = softcam if explainer.about.needs_softcam else black_box
        maps[name] = explainer(model, images, targets).on_input((SIZE, SIZE))[:, 0]
    return maps


def blanked(arr: np.ndarray, indices: np.ndarray, **_: object) -> np.ndarray:
    np.put_along_axis(arr, indices, 0.0, axis=1)  # what it gives is a copy
    return arr


def quantus_curves(network: Logits, images: Tensor, maps: dict[str, Tensor], classes: Tensor) -> dict[str, np.ndarray]:
    curves = {}
    for name, values in maps.items():
        levels = block_means(values, BLOCK)
        levels = levels.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)[:, None]
        metric = PixelFlipping(
            features_in_step=3 * BLOCK**2, normalise=False, perturb_func=blanked, disable_warnings=True
        )
        curves[name] = np.array(
            metric(
                network,
                images.numpy(),
                classes.numpy(),
                levels.expand(-1, 3, -1, -1).numpy(),
                device="cpu",
                channel_first=True,
                batch_size=BATCH,
            )
        )
    return curves


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    count = parser.parse_args().count
    softcam = sc.load_model(resource("demo/model.safetensors"))
    black_box = BlackBox.twin_of(softcam)
    images = phantoms(softcam, count)
    with torch.inference_mode():
        classes = torch.cat([softcam.logits(part).argmax(1) for part in images.split(BATCH)])
    parts = list(zip(images.split(BATCH), classes.split(BATCH), strict=True))
    maps = [maps_of(softcam, black_box, *part) for part in parts]
    network = Logits(softcam).eval()
    seconds: dict[str, list[float]] = {"ours": [], "quantus": []}
    spent, largest, compared = [], 0.0, 0
    for number, ((some, of), own) in enumerate(zip(parts, maps, strict=True)):
        for which in list(seconds)[:: 1 if number % 2 == 0 else -1]:
            start = time.perf_counter()
            if which == "ours":
                curves = perturbation_curves(softcam, some, own, of, block=BLOCK, steps=STEPS)
            else:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    theirs = quantus_curves(network, some, own, of)
            seconds[which].append(time.perf_counter() - start)
        spent.append(curves.spent)
        for name, values in own.items():
            # Ties it breaks in its own way.
            distinct = (block_means(values, BLOCK).flatten(1).sort(1).values.diff(dim=1) > 1e-6).all(1).numpy()
            difference = np.abs(theirs[name] - curves.values[name][:, 1:].numpy())[distinct]
            largest, compared = max(largest, difference.max(initial=0.0)), compared + int(distinct.sum())
    times = {name: np.array(values) for name, values in seconds.items()}
    whole, inside = sum(each.seconds for each in spent), sum(each.network_seconds for each in spent)
    report = {
        "machine": f"{machine()}, {torch.get_num_threads()} threads",
        "phantoms": count,
        "methods": METHODS,
        "model": f"{softcam.card.architecture}, {SIZE} x {SIZE} pixels",
        "block": BLOCK,
        "steps": STEPS,
        "inputs_asked": sum(each.asked for each in spent),
        "inputs_run": sum(each.passes for each in spent),
        "share_outside_network": round(1 - inside / whole, 4),
        "limit_outside_network": LIMIT,
        "seconds": {name: round(float(values.sum()), 2) for name, values in times.items()},
        "quantus_by_ours": ratio(times["quantus"] / times["ours"]),
        "curves_without_ties": compared,
        "their_largest_difference": float(largest),
    }
    write_study("bench_deletion", report)
    for key, value in report.items():
        print(f"{key:28}{value}")
    return int(report["quantus_by_ours"]["median"] <= 1 or report["share_outside_network"] > LIMIT)


def ratio(values: np.ndarray) -> dict[str, float]:
    low, median, high = (round(float(v), 3) for v in np.percentile(values, [25, 50, 75]))
    return {"median": median, "quartiles": [low, high]}


if __name__ == "__main__":
    sys.exit(main())
