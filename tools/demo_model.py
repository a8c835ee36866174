"""Train the demo model from phantoms. Run by ``make demo-model``; takes about ten minutes on two cores."""

import shutil
import sys
import tempfile
from pathlib import Path

from softcam_core.cli import main as softcam

MODEL = Path(__file__).parents[1] / "resources" / "demo" / "model.safetensors"
# The demo cases and the study use other seeds.
PHANTOMS = ["--count", "2400", "--size", "512", "--seed", "5000"]
TRAINING = [
    *("--arch", "compact", "--name", "Demo: phantom opacities", "--classes", "no finding,opacity"),
    *("--shorter-side", "192", "--epochs", "12", "--lr", "2e-3", "--l1", "4e-5", "--penalty-warmup", "4"),
    *("--flip-vertical", "--seed", "1"),
]


def main() -> int:
    """Replace resources/demo/model.safetensors."""
    with tempfile.TemporaryDirectory() as folder:
        phantoms, run = Path(folder) / "phantoms", Path(folder) / "run"
        code = softcam(["phantoms", "--out", str(phantoms), *PHANTOMS]) or softcam(
            ["train", str(phantoms / "manifest.csv"), "--out", str(run), *TRAINING]
        )
        if code == 0:
            MODEL.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run / "best.safetensors", MODEL)
        return code


if __name__ == "__main__":
    sys.exit(main())
