import csv
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from softcam_core.cli import main
from softcam_core.sweep import runner
from softcam_core.training.loop import Stopped
from softcam_core.training.trainer import TrainingResult

QUICK = ("--arch", "compact", "--shorter-side", "32", "--epochs", "1", "--lr", "1e-3", "--device", "cpu")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_sweep_then_more_trials(spot_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], accepted) -> None:
    out = tmp_path / "sweep"
    accepted("sweep", spot_table, "--out", out, *QUICK, "--l1", "1e-6:1e-4", "--trials", "1", "--l2", "1e-3")
    (row,) = rows_of(out / "trials.csv")
    captured = capsys.readouterr()
    assert f"--set loss.l1={float(row['l1']):g} --set loss.l2=0.001" in captured.out
    assert "Sparsest within 0.01 of the best AUROC" in captured.out
    assert "Best-localising" not in captured.out  # nothing is annotated
    assert "trial 1 of 1: l1 " in captured.err
    assert "test auc" not in captured.out + captured.err
    assert (out / "pareto.png").stat().st_size > 10_000
    accepted("sweep", "--out", out, "--trials", "2")
    rows = rows_of(out / "trials.csv")
    assert rows[0] == row
    assert [r["status"] for r in rows] == ["finished", "finished"]
    assert "trial 1 of 2" not in capsys.readouterr().err


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody presses Ctrl-C in the second trial."""

    def train(config, folder: Path, *, should_stop: Callable[[], bool], **_: object) -> TrainingResult:
        folder.mkdir()
        (folder / "config.yaml").touch()
        if config.loss.l1:
            signal.raise_signal(signal.SIGINT)
        if should_stop():
            raise Stopped
        return TrainingResult(folder, 1, (), {"val_auc": 0.5})

    monkeypatch.setattr(runner, "train", train)
    monkeypatch.setattr(runner, "load_model", lambda path, device: path)
    monkeypatch.setattr(runner, "judge_evidence", lambda *_: {"gini": 0.5})


@pytest.mark.usefixtures("stopped")
def test_ctrl_c_says_how_to_go_on(spot_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sweep"
    assert main(["sweep", str(spot_table), "--out", str(out), *QUICK, "--l1", "0,1e-5,1e-4"]) == 130
    error = capsys.readouterr().err
    assert f"softcam: stopped. Go on with: softcam sweep --out {out}\n" in error
    assert "Traceback" not in error
    assert [row["status"] for row in rows_of(out / "trials.csv")] == ["finished", "open", "open"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "nothing says what to try"),
        (("--l1", "a,b"), "--l1 a,b: is neither a list nor a range"),
        (("--l2", "1e-3:1e-6"), "--l2 1e-3:1e-6: a range starts at its smaller end"),
        (("--l1", "1e-6:1e-3"), "needs the number of trials (--trials)"),
        (("--l1", "1e-6:1e-3", "--search", "grid"), "a grid needs lists"),
        (("--l1", "0,1", "--trials", "2"), "a grid tries all combinations"),
        (("--l1", "0,1", "--seeds", "one"), "--seeds one: is no list of whole numbers"),
        (("--l1", "0,1", "--seeds", "-1"), "seeds: input should be greater than or equal to 0"),
        (("--l1", "0,1", "--tolerance", "-1"), "is not at least 0"),
        (("--l1", "0,1", "--tolerance", "nan"), "is not at least 0"),
        (("--l1", "0,1", "--arch", "resnet19"), "squeezenet1_1"),
        (("--l1", "0,1", "--set", "hardware.devices=2"), "in one process"),
    ],
)
def test_sweep_refuses_settings(options, reason: str, spot_table: Path, tmp_path: Path, refused) -> None:
    assert reason in refused("sweep", spot_table, "--out", tmp_path / "sweep", *QUICK, *options)
    assert not (tmp_path / "sweep").exists()


def test_going_on_needs_a_sweep_and_changes_nothing(tmp_path: Path, refused) -> None:
    assert "holds no sweep" in refused("sweep", "--out", tmp_path)
    (tmp_path / "sweep.yaml").write_text("space: {}\nsettings: {}\n")
    assert "does not say what was asked" in refused("sweep", "--out", tmp_path)
    axes = "{l1: {values: [0.0]}, l2: {values: [0.0]}, search: grid}"
    (tmp_path / "sweep.yaml").write_text(f"space: {axes}\nsettings: {{data: {{path: x.csv}}}}\n")
    message = refused("sweep", "--out", tmp_path, "--l1", "0,1", "--seeds", "1")
    assert "goes on as it began, without --l1, --seeds" in message
    assert "x.csv: there is no such file" in refused("sweep", "--out", tmp_path)


def test_a_sweep_without_a_trial_that_finished_is_an_error(
    spot_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sweep", str(spot_table), "--out", str(tmp_path / "s"), *QUICK, "--l1", "1e38"]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert "trial 1 failed: the loss is not a finite number" in captured.out
    assert "no pair of coefficients got to its end" in captured.err
    assert not (tmp_path / "s" / "pareto.png").exists()
