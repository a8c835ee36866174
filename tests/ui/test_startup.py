"""The program as a process: what it prints, how it ends, what it imports."""

import os
import subprocess
import sys
from pathlib import Path

from PySide6.QtGui import QImage

from softcam_viewer.model.session_file import ModelEntry, PaneEntry, SessionFile, write_session

ROOT = Path(__file__).parents[2]


def run_viewer(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-W", "error", "-m", "softcam_viewer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120, check=False)


def test_the_window_is_on_screen_before_torch_is_imported():
    code = (
        "import sys\n"
        "from PySide6.QtWidgets import QApplication\n"
        "from softcam_viewer.app import Viewer\n"
        "app = QApplication([])\n"
        "viewer = Viewer(app)\n"
        "viewer.window.painted.connect(app.quit)\n"
        "viewer.window.show()\n"
        "app.exec()\n"
        "print(sorted({'torch', 'torchvision', 'pydicom', 'sklearn'} & set(sys.modules)))\n"
        "viewer.close()\n"
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120, check=True
    )
    assert result.stdout.strip() == "[]"


def test_a_screenshot_shows_the_case_and_the_program_ends(folder, signed_model_file, tmp_path):
    picture = tmp_path / "deep" / "out.png"
    result = run_viewer(folder / "case_0.png", "--model", signed_model_file, "--screenshot", picture)
    assert (result.returncode, result.stderr) == (0, "")
    image = QImage(str(picture))
    assert image.width() > 1000
    colors = {image.pixelColor(x, y).name() for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}
    assert len(colors) > 50


def test_a_bad_file_on_the_command_line_gives_exit_code_2_and_no_traceback(tmp_path):
    for name, content in (("empty.png", b""), ("junk.dcm", b"no image at all"), ("none.png", None)):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        result = run_viewer(path, "--screenshot", tmp_path / "out.png")
        assert result.returncode == 2
        assert name in result.stderr
        assert "Traceback" not in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1


def test_a_session_on_the_command_line_is_opened(folder, signed_model_file, tmp_path):
    session = tmp_path / "s.softcam"
    model = ModelEntry(path=signed_model_file)
    cases = (folder / "case_0.png", folder / "gone.png")
    write_session(session, SessionFile(cases=cases, models=(model,), layout="1x2", panes=(PaneEntry(),) * 2))
    result = run_viewer(session, "--screenshot", tmp_path / "out.png")
    assert result.returncode == 2
    assert "1 of 2 images are missing: gone.png" in result.stderr
    assert QImage(str(tmp_path / "out.png")).width() > 800


def test_an_unknown_option_gives_exit_code_2():
    assert run_viewer("--no-such-option").returncode == 2
