"""Measure Score-CAM: its time beside torch-cam's, with all channels and with the few that vary most, and what is lost.

Writes build/studies/bench_score_cam.json and prints it. Run by ``make bench-score-cam``.

What is lost is told on networks that are trained: the demo model on phantoms that it has not seen, and, where the data
are there, a SqueezeNet trained on radiographs (by ``make study-explanations``, whose black box it is) on radiographs of
others. ResNet-50 at 512 x 512 has random weights and tells of time alone; torch-cam takes minutes there.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from explanation_models import FOLDER
from measuring import machine, write_study
from torch import Tensor

import softcam_core as sc
from softcam_core.data.phantoms import make_phantom
from softcam_core.evaluation.agreement import rank_correlation, top_overlap
from softcam_core.evaluation.rivals import rivals_of
from softcam_core.explainers.score_cam import ScoreCAM
from softcam_core.models.black_box import BlackBox
from softcam_core.models.card import ModelCard
from softcam_core.models.classifier import Classifier
from softcam_core.models.softcam import SoftCAM
from softcam_core.resources import resource

SEED = 885_000
IMAGES = 10
SIDE = 512  # of ResNet-50's input


@dataclass(frozen=True, slots=True)
class Setting:
    """A network, its images (1, 3, H, W), and the numbers of channels to do with."""

    name: str
    model: Classifier
    images: list[Tensor]
    tops: tuple[int, ...]
    is_trained: bool = True


def settings(data: Path) -> Iterator[Setting]:
    """What can be measured here."""
    demo = sc.load_model(resource("demo/model.safetensors"))
    scaling = demo.card.preprocessing
    mean, std = (torch.tensor(values)[:, None, None] for values in (scaling.mean, scaling.std))
    films = [make_phantom(SEED + i, 192, lesion=i % 2 == 0).pixels / np.float32(4095) for i in range(IMAGES)]
    phantoms = [((torch.from_numpy(film) - mean) / std)[None] for film in films]
    yield Setting("demo model, phantoms 192 x 192", BlackBox.twin_of(demo), phantoms, (24, 48))
    trained, radiographs = FOLDER / "nih_black_box" / "best.safetensors", sorted(data.glob("cxr_nih_boxes/images/*"))
    if trained.exists() and radiographs:
        model = sc.load_model(trained)
        arrays = [model.card.preprocessing.apply(sc.read_image(path)).array for path in radiographs[:IMAGES]]
        batch = [torch.from_numpy(array)[None] for array in arrays]
        yield Setting("SqueezeNet 1.1, radiographs 320 x 320", BlackBox.twin_of(model), batch, (32, 64))
    else:
        print("Without radiographs: they, or the network of `make study-explanations`, are not there.")
    torch.manual_seed(0)
    card = ModelCard(name="ResNet-50", architecture="resnet50", class_names=("a", "b"))
    resnet = BlackBox.twin_of(SoftCAM.from_card(card).eval())
    yield Setting(f"ResNet-50, {SIDE} x {SIDE}", resnet, [torch.randn(1, 3, SIDE, SIDE)], (64,), is_trained=False)


def measure(setting: Setting) -> dict[str, object]:
    """Seconds of all images and of each way, and how near few channels come to all."""
    model, tops = setting.model, {"all": 0, **{str(top): top for top in setting.tops}}
    seconds = dict.fromkeys(["torch-cam", *tops], 0.0)
    near: dict[str, list[tuple[float, float]]] = {str(top): [] for top in setting.tops}
    with torch.inference_mode():
        channels = model.features(setting.images[0]).shape[1]
    for number, image in enumerate(setting.images):
        with torch.inference_mode():
            of = int(model.logits(image).argmax())
        rival = rivals_of(ScoreCAM(), model, image, [of])["torch-cam"]
        assert rival is not None, "torch-cam is not installed: make setup-dev"
        maps: dict[str, Tensor] = {}
        for name in list(seconds)[:: 1 if number % 2 == 0 else -1]:
            start = time.perf_counter()
            if name == "torch-cam":
                rival()
            else:
                maps[name] = map_of(ScoreCAM(top=tops[name]), model, image, of)
            seconds[name] += time.perf_counter() - start
        for name, pairs in near.items():
            few, everything = maps[name], maps["all"]
            pairs.append((float(rank_correlation(few, everything)), float(top_overlap(few, everything))))
    found: dict[str, object] = {
        "images": len(setting.images),
        "channels": channels,
        "torch_cam_by_ours": {name: round(seconds["torch-cam"] / each, 2) for name, each in seconds.items()},
    }
    if setting.is_trained:
        found["rank_correlation_with_all"] = {name: spread([pair[0] for pair in near[name]]) for name in near}
        found["overlap_of_top_5_percent"] = {name: spread([pair[1] for pair in near[name]]) for name in near}
    return found


def map_of(explainer: ScoreCAM, model: Classifier, image: Tensor, of: int) -> Tensor:
    """On the input's pixels, (1, H, W)."""
    return explainer(model, image, [of]).on_input((image.shape[2], image.shape[3]))[:, 0]


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles; maps that are zero have no figure."""
    low, median, high = (round(float(v), 3) for v in np.nanpercentile(values, [25, 50, 75]))
    return {"median": median, "low": low, "high": high, "images": int(np.isfinite(values).sum())}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    report: dict[str, object] = {"machine": f"{machine()}, {torch.get_num_threads()} threads"}
    for setting in settings(data):
        report[setting.name] = found = measure(setting)
        print(setting.name)
        for key, value in found.items():
            print(f"  {key:28}{value}")
    write_study("bench_score_cam", report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
