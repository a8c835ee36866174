from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from PIL import Image

from softcam_core.sweep.pareto import candidates
from softcam_core.sweep.plot import labels, plot_pareto
from softcam_core.sweep.records import TrialRecord
from softcam_core.sweep.space import Range, Values, make_space, plan


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list:
    """Figures that are saved during the test."""
    figures = []
    real = Figure.savefig

    def savefig(self, *args, **options) -> None:
        real(self, *args, **options)
        figures.append(self)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures


NOTHING = Values(values=(0,))


def tried(mass: bool = True, seeds: tuple = (0,), l2=NOTHING, count: int = 20) -> tuple:
    space = make_space("x", l1=Range(low=1e-6, high=1e-2), l2=l2, search="random", trials=count, seeds=seeds)
    rng = np.random.default_rng(0)
    records = []
    for trial in plan(space):
        x = (np.log10(trial.l1) + 6) / 4
        figures = {"val_auc": 1 - 0.2 * max(0, x - 0.5) + 0.01 * rng.normal(), "val_loss": x, "gini": 0.3 + 0.6 * x}
        figures |= {"mass_in_annotation": 0.5 - (x - 0.6) ** 2} if mass else {}
        records.append(TrialRecord(trial, "finished", 1, figures))
    return candidates(records)


def test_each_trial_is_labelled_once_in_each_panel_and_no_label_covers_another(drawn: list, tmp_path: Path) -> None:
    found = tried(l2=Range(low=1e-7, high=1e-4))
    plot_pareto(found, "auc", tmp_path / "pareto.png")
    with Image.open(tmp_path / "pareto.png") as picture:
        assert picture.size[0] == 1620
    gini, mass = drawn[0].axes
    for axes in (gini, mass):
        notes = [text for text in axes.texts if isinstance(text, Annotation)]
        assert sorted(note.get_text() for note in notes) == sorted(labels(found).values())
        # An annotation's own extent has its line too.
        texts = [Text.get_window_extent(note) for note in notes]
        assert len(texts) == 20
        assert not any(a.overlaps(b) for i, a in enumerate(texts) for b in texts[:i])
        assert all(axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 for box in texts)
    assert "labels are l1 / l2" in gini.get_title(loc="left")


def test_the_front_joins_the_optimal_trials(drawn: list, tmp_path: Path) -> None:
    found = tried(mass=False, count=8)
    plot_pareto(found, "loss", tmp_path / "pareto.png")
    (axes,) = drawn[0].axes
    # Here sparser is always worse, so that all are optimal.
    line = next(line for line in axes.lines if line.get_linestyle() == "-")
    assert line.get_xydata() == pytest.approx(
        np.array(sorted((c.figures["gini"], c.figures["val_loss"]) for c in found))
    )
    assert axes.yaxis_inverted()
    assert "lower is better" in axes.get_ylabel()
    assert axes.get_legend() is None


def test_single_trials_stand_around_their_mean(drawn: list, tmp_path: Path) -> None:
    plot_pareto(tried(mass=False, seeds=(0, 1, 2), count=2), "auc", tmp_path / "pareto.png", seeds=3)
    (axes,) = drawn[0].axes
    assert "means over 3 seeds" in axes.get_title(loc="left")
    assert sum(line.get_marker() == "." for line in axes.lines) == 6


def test_labels_name_what_was_varied_in_few_letters() -> None:
    assert next(iter(labels(tried(count=1)).values())).endswith("/ 0")
    space = make_space("x", l1=Values(values=(0, 0.000165, 1e-5, 0.5)), l2=Values(values=(1,)), search="grid")
    found = candidates([TrialRecord(trial, "finished", 1, {}) for trial in plan(space)])
    assert list(labels(found).values()) == ["0", "1.65e-4", "1e-5", "0.5"]


def test_one_trial_alone_is_drawn(tmp_path: Path) -> None:
    plot_pareto(tried(count=1), "auc", tmp_path / "pareto.png")
    assert (tmp_path / "pareto.png").stat().st_size > 10_000


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no finished trials"):
        plot_pareto([], "auc", tmp_path / "pareto.png")
