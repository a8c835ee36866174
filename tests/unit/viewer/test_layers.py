"""What import-linter cannot see: parts of PySide6."""

import ast
from pathlib import Path

import pytest

import softcam_viewer

PACKAGE = Path(softcam_viewer.__file__).parent
FILES = sorted([*(PACKAGE / "model").glob("*.py"), *(PACKAGE / "jobs").glob("*.py")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_model_and_the_jobs_know_no_widgets(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    assert not {name for name in imported if "QtWidgets" in name or "QtGui" in name or "pyqtgraph" in name}


def test_there_is_something_to_look_at():
    assert len(FILES) > 5
