"""What the study of explanations needs: for each kind of data images, two SoftCAMs and a black box of its own."""

import sys
from dataclasses import dataclass
from pathlib import Path

from study_nih import KINDS, train_arguments

from softcam_core.cli import main as softcam

FOLDER = Path("build/studies/explanations")
# The demo model, its cases and its study use other seeds.
TRAINED_ON = ("--count", "2000", "--size", "256", "--seed", "300000")
JUDGED_ON = ("--count", "500", "--size", "256", "--seed", "995000")
PHANTOM_TRAINING = (
    *("--arch", "compact", "--classes", "no finding,opacity", "--shorter-side", "128", "--epochs", "10"),
    *("--lr", "2e-3", "--penalty-warmup", "4", "--flip-vertical"),
)
PHANTOM_KINDS = {"dense": 0.0, "sparse": 4e-5}
BLACK_BOX_SEED = "101"


@dataclass(frozen=True, slots=True)
class Trained:
    """Model files of one kind of data."""

    dense: Path
    sparse: Path
    black_box: Path


def nih_models(data: Path, fresh: bool) -> Trained:
    """Trained on real radiographs, with the settings of ``make study-nih``."""
    common = train_arguments(data)
    return _train("nih", "NIH pneumonia", common, KINDS, fresh)


def phantom_models(fresh: bool) -> Trained:
    """Trained on phantoms."""
    manifest = _phantoms("phantoms_train", TRAINED_ON)
    common = ["train", str(manifest), *PHANTOM_TRAINING]
    return _train("phantoms", "Phantom opacities", common, PHANTOM_KINDS, fresh)


def judged_phantoms() -> Path:
    """Manifest of phantoms that no model has seen."""
    return _phantoms("phantoms_judged", JUDGED_ON)


def _phantoms(name: str, arguments: tuple[str, ...]) -> Path:
    folder = FOLDER / name
    if not (folder / "manifest.csv").exists():
        _run(["phantoms", "--out", str(folder), *arguments])
    return folder / "manifest.csv"


def _train(name: str, title: str, common: list[str], kinds: dict[str, float], fresh: bool) -> Trained:
    # The black box is a network of its own: other initial weights of the head, another order of the images.
    runs = {kind: [*common, "--l1", str(l1)] for kind, l1 in kinds.items()}
    runs["black_box"] = [*common, "--l1", "0", "--seed", BLACK_BOX_SEED]
    files = {}
    for kind, arguments in runs.items():
        folder = FOLDER / f"{name}_{kind}"
        files[kind] = folder / "best.safetensors"
        # A run that has ended has a report; one that was cut short is made again.
        if fresh or not (folder / "report.html").exists():
            _run([*arguments, "--name", f"{title}, {kind.replace('_', ' ')}", "--out", str(folder), "--overwrite"])
    return Trained(**files)


def _run(arguments: list[str]) -> None:
    if code := softcam(arguments):
        sys.exit(code)
