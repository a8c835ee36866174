"""The wheel carries everything it needs and works outside the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content, as pip would unpack it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("softcam-*.whl")
    site = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(installed: Path, cwd: Path, *command: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed), "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_it_names_both_commands_and_carries_the_licence(installed):
    (info,) = installed.glob("softcam-*.dist-info")
    entry_points = (info / "entry_points.txt").read_text()
    assert "softcam = softcam_core.cli:main" in entry_points
    assert "softcam-viewer = softcam_viewer.app:main" in entry_points
    assert "Apache License" in (info / "licenses" / "LICENSE").read_text()


def test_the_command_line_explains_a_demo_case_with_the_demo_model(installed, tmp_path):
    code = "import softcam_core.resources as r; print(r.__file__); print(r.resource('demo'))"
    home, demo = run(installed, tmp_path, "-c", code).stdout.splitlines()
    assert Path(home).is_relative_to(installed)
    assert Path(demo).is_relative_to(installed)
    case = min((Path(demo) / "cases").glob("*.dcm"))
    model = Path(demo) / "model.safetensors"
    result = run(installed, tmp_path, "-m", "softcam_core", "explain", case, "--model", model, "--out", "out")
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "out" / "scores.csv").exists()


def test_the_viewer_shows_its_demo(installed, tmp_path):
    result = run(installed, tmp_path, "-m", "softcam_viewer", "--demo", "--screenshot", "demo.png")
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "demo.png").stat().st_size > 50_000
