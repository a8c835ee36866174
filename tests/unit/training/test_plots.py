import math
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from softcam_core.errors import SettingsError
from softcam_core.notice import NOTICE
from softcam_core.reporting.plot_style import figure, line_look, shortened, wrapped
from softcam_core.training import plots
from softcam_core.training.plots import plot_calibration, plot_confusion, plot_curves, plot_pr, plot_roc
from softcam_core.training.predictions import Predictions

AWKWARD = ("_hidden", "$x", r"$\frac{1}{$", "日本", "a very long name of a finding that nobody would want to read")
JUDGING = [plot_roc, plot_pr, plot_confusion, plot_calibration]


def predictions(names: tuple[str, ...], count: int = 60, task: str = "single_label") -> Predictions:
    generator = torch.Generator().manual_seed(0)
    classes = len(names)
    labels = torch.arange(count) % classes
    one_hot = torch.nn.functional.one_hot(labels, classes)
    logits = torch.randn(count, classes, generator=generator) + one_hot
    return Predictions(("a.png",) * count, labels if task == "single_label" else one_hot, logits, names, task)


def history(epochs: int, **changes) -> list[dict[str, str]]:
    rows = []
    for epoch in range(1, epochs + 1):
        row = {"epoch": epoch, "step": epoch * 9, "learning_rate": 1e-3 / epoch, "train_loss": 1 / epoch}
        row |= {"train_classification": 0.9 / epoch, "train_l1": 0.08, "train_l2": 0.02, "val_loss": 1.1 / epoch}
        row |= {"val_auc": 1 - 0.4 / epoch, "seconds": 3, "best": int(epoch == max(1, epochs // 2))}
        rows.append({name: str(value) for name, value in (row | changes).items()})
    return rows


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list:
    """Figures that are saved during the test."""
    figures = []
    real = Figure.savefig

    def savefig(self, *args, **options) -> None:
        figures.append(self)
        real(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures


def texts(drawing) -> list[str]:
    return [text.get_text() for text in drawing.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("plot", JUDGING)
@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_figures_of_awkward_names_are_drawn_and_carry_the_notice(tmp_path: Path, drawn, plot, task: str) -> None:
    plot(predictions(AWKWARD, task=task), tmp_path / "plot.png")
    assert [file.name for file in tmp_path.iterdir()] == ["plot.png"]
    with Image.open(tmp_path / "plot.png") as picture:
        assert 800 <= picture.width <= 1620
    assert NOTICE in texts(drawn[0])
    if plot is not plot_calibration:
        shown = " ".join(texts(drawn[0]))
        assert all(name in shown for name in AWKWARD[:4])
        assert AWKWARD[4] not in shown


@pytest.mark.parametrize("epochs", [1, 2, 50])
def test_curves_mark_the_best_epoch(tmp_path: Path, drawn, epochs: int) -> None:
    plot_curves(history(epochs), tmp_path / "curves.png")
    best = max(1, epochs // 2)
    assert f"AUROC, validation: {1 - 0.4 / best:.4g} in epoch {best}" in texts(drawn[0])
    titles = {axes.get_title(loc="left").split(",")[0] for axes in drawn[0].axes}
    assert titles == {"Loss", "AUROC", "Penalty on the evidence", "Learning rate"}
    for axes in drawn[0].axes:
        assert any(list(line.get_xdata()) == [best, best] for line in axes.lines)
        low, high = axes.get_ylim()
        for line in axes.lines:
            if len(line.get_xdata()) == epochs and list(line.get_ydata()) != [0, 1]:
                assert low <= np.nanmin(line.get_ydata())
                assert np.nanmax(line.get_ydata()) <= high


def test_a_run_without_penalty_has_no_panel_of_it(tmp_path: Path, drawn) -> None:
    plot_curves(history(5, train_l1=0, train_l2=0.0), tmp_path / "curves.png")
    assert len(drawn[0].axes) == 3
    assert "training, with penalty" not in texts(drawn[0])


@pytest.mark.parametrize("value", ["", "nan", "inf", "None"])
def test_figures_that_are_missing_are_gaps(tmp_path: Path, drawn, value: str) -> None:
    rows = history(4)
    rows[2]["val_auc"] = rows[2]["val_loss"] = value
    rows[1].pop("train_l2")
    plot_curves(rows, tmp_path / "curves.png")
    (line,) = (line for line in drawn[0].axes[1].lines if len(line.get_xdata()) == 4)
    assert np.isnan(line.get_ydata()).tolist() == [False, False, True, False]


def test_a_run_that_measured_nothing(tmp_path: Path) -> None:
    plot_curves([{"epoch": "1", "best": ""}], tmp_path / "curves.png", metric="kappa")
    with pytest.raises(ValueError, match="no epochs"):
        plot_curves([], tmp_path / "curves.png")


def test_a_roc_curve_holds_the_area_of_its_legend(tmp_path: Path, drawn) -> None:
    plot_roc(predictions(("no", "yes")), tmp_path / "roc.png")
    curve = drawn[0].axes[0].lines[-1]
    area = np.trapezoid(curve.get_ydata(), curve.get_xdata())
    assert f"{area:.3f}  yes" in texts(drawn[0])
    assert not any(text.endswith("  no") for text in texts(drawn[0]))


def test_of_many_classes_those_with_the_lowest_area_are_drawn(tmp_path: Path, drawn) -> None:
    names = tuple(f"class {k:02d}" for k in range(20))
    table = predictions(names, 200)
    table.logits[:, 3] += 9 * (table.labels == 3)
    plot_roc(table, tmp_path / "roc.png")
    shown = [text for text in texts(drawn[0]) if "class" in text]
    assert len(shown) == 14
    assert not any("class 03" in text for text in shown)
    assert "AUROC, the lowest 14 of 20" in texts(drawn[0])
    assert len({line_look(place) for place in range(14)}) == 14


def test_the_confusion_matrix_tells_counts_and_shares(tmp_path: Path, drawn) -> None:
    logits = torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 2)
    labels = torch.tensor([0, 0, 0, 0, 0])
    plot_confusion(Predictions(("a",) * 5, labels, logits, ("no", "yes"), "single_label"), tmp_path / "c.png")
    cells = [text.get_text() for text in drawn[0].axes[0].texts]
    assert cells == ["3", "60 %", "2", "40 %", "0", "–", "0", "–"]


def test_decisions_of_several_labels(tmp_path: Path, drawn) -> None:
    logits = torch.tensor([[1.0], [-1.0], [1.0], [-1.0], [-1.0]])
    labels = torch.tensor([[1], [1], [0], [0], [0]])
    plot_confusion(Predictions(("a",) * 5, labels, logits, ("x",), "multi_label"), tmp_path / "c.png")
    cells = [text.get_text() for text in drawn[0].axes[0].texts]
    assert cells == ["1", "50 %", "1", "50 %", "2", "67 %", "1", "33 %"]


def test_calibration_points_are_means_of_their_bins(tmp_path: Path, drawn) -> None:
    p = torch.tensor([0.91, 0.92, 0.925, 0.7], dtype=torch.float64)
    logits = torch.stack([torch.zeros(4, dtype=torch.float64), (p / (1 - p)).log()], dim=1)
    table = Predictions(("a",) * 4, torch.tensor([1, 1, 0, 0]), logits, ("no", "yes"), "single_label")
    plot_calibration(table, tmp_path / "c.png")
    curve = drawn[0].axes[0].lines[-1]
    assert curve.get_xdata() == pytest.approx([0.7, (0.91 + 0.92 + 0.925) / 3])
    assert curve.get_ydata() == pytest.approx([0, 2 / 3])
    error = 0.25 * 0.7 + 0.75 * abs((0.91 + 0.92 + 0.925) / 3 - 2 / 3)
    assert f"calibration error {error:.3f}" in texts(drawn[0])


def test_what_cannot_be_drawn_is_said(tmp_path: Path) -> None:
    table = predictions(("no", "yes"))
    alone = Predictions(table.images, torch.zeros_like(table.labels), table.logits, table.class_names, table.task)
    for plot in (plot_roc, plot_pr):
        with pytest.raises(ValueError, match="no class has"):
            plot(alone, tmp_path / "plot.png")
    broken = Predictions(table.images, table.labels, table.logits * math.nan, table.class_names, table.task)
    with pytest.raises(ValueError, match="not finite"):
        plot_calibration(broken, tmp_path / "plot.png")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with (
        pytest.raises(SettingsError, match=r"plot\.png: cannot be written"),
        figure(tmp_path / "no" / "plot.png", 2, 2),
    ):
        pass


def test_a_persons_settings_of_matplotlib_change_nothing_and_stay(tmp_path: Path) -> None:
    with figure(tmp_path / "plain.png", 2, 2) as drawing:
        drawing.add_subplot().plot([0, 1])
    with mpl.rc_context({"lines.linewidth": 9, "axes.facecolor": "red", "figure.dpi": 30}):
        with figure(tmp_path / "own.png", 2, 2) as drawing:
            drawing.add_subplot().plot([0, 1])
        assert mpl.rcParams["lines.linewidth"] == 9
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "own.png").read_bytes()


def test_drawing_needs_neither_pyplot_nor_a_screen() -> None:
    assert plots.__name__ in sys.modules
    code = (
        "import sys, tempfile, pathlib; from softcam_core.training.plots import plot_curves; "
        "early = 'matplotlib' in sys.modules; folder = tempfile.mkdtemp(); "
        "plot_curves([{'epoch': '1'}], pathlib.Path(folder) / 'a.png'); "
        "sys.exit(early or 'matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "length", "expected"),
    [("short", 10, "short"), ("two\nlines ", 10, "two lines"), ("abcdefghijklmnop", 10, "abcdef…nop")],
)
def test_long_names_keep_both_ends(name: str, length: int, expected: str) -> None:
    assert shortened(name, length) == expected
    assert all(len(line) <= length for line in wrapped(name * 5, length).split("\n"))
    assert wrapped(name * 5, length).count("\n") <= 1
