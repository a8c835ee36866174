"""The command line in this process, and what to feed it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from softcam_core.cli import main


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command line that must be refused; give its message."""

    def run(*argv: object) -> str:
        assert main([str(a) for a in argv]) == 2
        error = capsys.readouterr().err
        assert "Traceback" not in error
        messages = [line for line in error.splitlines() if "error:" in line]
        assert len(messages) == 1, error
        return error[error.index(messages[0]) :]

    return run


@pytest.fixture
def accepted() -> Callable[..., None]:
    """Run a command line that must work."""

    def run(*argv: object) -> None:
        assert main([str(a) for a in argv]) == 0

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80), dtype=np.uint8)).save(path)
    return path
