from softcam_core.sweep.records import TrialRecord
from softcam_core.sweep.space import Trial
from softcam_core.sweep.summary import describe
from softcam_core.training.config_files import make_config, merged, parse_setting

ODD = 0.1 + 0.2


def record(number: int, l1: float, status: str = "finished", reason: str = "", **figures: float) -> TrialRecord:
    return TrialRecord(Trial(number, l1, ODD, 0, f"trial_{number}"), status, 1, figures, reason)


def test_the_table_marks_optimal_trials_and_suggests_by_the_rule() -> None:
    figures = (("val_auc", "gini", "mass_in_annotation"), (0.985, 0.2, 0.3), (0.98, 0.6, 0.2), (0.8, 0.5, 0.9))
    names, *rows = figures
    records = [record(i, 10.0**i, **dict(zip(names, row, strict=True))) for i, row in enumerate(rows, start=1)]
    records += [record(4, 1.0, "failed", "too large"), record(5, 2.0, "open")]
    text = describe(records, "auc", 0.01)
    lines = text.splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["**", "1"], ["*", "2"], ["*", "3"]]
    assert lines[2].startswith("* ")
    assert lines[3].startswith(" *")
    assert "trial 4 failed: too large" in lines
    assert "1 of 5 trials are open" in lines
    assert "Sparsest within 0.01 of the best AUROC on validation images: trial 2" in lines
    assert "Best-localising within 0.01 of the best AUROC on validation images: trial 1" in lines


def test_suggestions_can_be_used_as_they_are() -> None:
    text = describe([record(1, 1e-5, val_auc=0.9, gini=0.5)], "auc", 0.01)
    options = text.splitlines()[-1].replace("--set", "").split()
    config = make_config(merged([{"data": {"path": "x.csv"}}, *map(parse_setting, options)]))
    assert (config.loss.l1, config.loss.l2) == (1e-5, ODD)


def test_without_a_finished_trial_nothing_is_suggested() -> None:
    assert describe([record(1, 0.0, "failed", "why")], "auc", 0.01) == "trial 1 failed: why"
