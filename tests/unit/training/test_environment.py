import getpass
import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from softcam_core import __version__
from softcam_core.training import environment as module
from softcam_core.training.environment import environment, without_folders


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_tells_what_a_run_ran_on() -> None:
    found = json.loads(json.dumps(environment(["softcam", "train"])))
    assert found["versions"]["softcam"] == __version__
    assert found["versions"]["torch"] == torch.__version__
    assert found["versions"]["python"] == platform.python_version()
    assert found["versions"].keys() >= {"torchvision", "lightning-fabric"}
    assert found["cpus"] >= 1
    assert (found["cuda"] is not None) == torch.cuda.is_available()
    assert found["command"] == ["softcam", "train"]


def test_tells_neither_people_nor_machines_nor_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [__file__, "--out", str(Path.home() / "Jane Doe" / "run"), f"--data={__file__}"])
    text = json.dumps(environment())
    assert json.loads(text)["command"] == [Path(__file__).name, "--out", "run", f"--data={Path(__file__).name}"]
    assert "Jane" not in text
    assert str(Path(__file__).parent) not in text
    if len(platform.node()) > 3:
        assert platform.node() not in text
    assert f"/{getpass.getuser()}" not in text


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("train", "train"),
        ("--lr=1e-3", "--lr=1e-3"),
        ("/home/a/data.csv", "data.csv"),
        ("../a b/c d.csv", "c d.csv"),
        ("/data/run/", "run"),
        ("C:\\Users\\a\\x.csv", "x.csv"),
        ("data.path=/home/a/x.csv", "data.path=x.csv"),
        ("/home/Doe, Jane/x.csv", "x.csv"),
        ("data.path=/home/b=c/x.csv", "data.path=x.csv"),
        ("data.files={train: /home/a/t.csv, val: '/h/v, w/v.csv'}", 'data.files={"train": "t.csv", "val": "v.csv"}'),
        ("[/a/x.csv, 3, y.csv]", '["x.csv", 3, "y.csv"]'),
        ("{/home/a: [", "a: ["),
        ("loss={l1: 1e-5, l2: 0}", "loss={l1: 1e-5, l2: 0}"),
        ("architecture=timm/convnext_atto", "architecture=timm/convnext_atto"),
        ("~/runs/a=b", "a=b"),
        ("", ""),
        ("/", ""),
    ],
)
def test_paths_are_reduced_to_their_last_part(argument: str, expected: str) -> None:
    assert without_folders([argument]) == [expected]


def test_a_checkout_is_named_by_its_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert module._git(tmp_path) == {"commit": commit, "changed": False}
    (tmp_path / "a").write_text("2")
    assert module._git(tmp_path) == {"commit": commit, "changed": True}


def test_a_folder_inside_another_checkout_is_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "site-packages").mkdir()
    assert module._git(tmp_path / "site-packages") is None


def test_no_git_and_a_broken_checkout_are_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    assert module._git(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module._git(Path(__file__).parents[3]) is None


def test_a_program_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SECONDS_TO_WAIT", 0.05)
    assert module._output(sys.executable, "-c", "import time; time.sleep(30)") is None
