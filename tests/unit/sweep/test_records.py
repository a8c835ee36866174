from pathlib import Path

import pytest

from softcam_core.errors import SettingsError
from softcam_core.sweep.records import TrialRecord, read_records, write_records
from softcam_core.sweep.space import Trial

TRIALS = [Trial(i, l1, 0.0, 0, f"trial_{i:03d}") for i, l1 in enumerate((0.0, 1 / 3, 1e-7), start=1)]


def test_a_table_keeps_every_digit(tmp_path: Path) -> None:
    records = [
        TrialRecord(TRIALS[0], "finished", 3, {"val_auc": 1 / 3, "val_loss": 0.1, "gini": 2 / 7, "pointing": 0.0}),
        TrialRecord(TRIALS[1], "failed", reason='the loss, "not" finite\nin two lines'),
        TrialRecord(TRIALS[2]),
    ]
    write_records(records, tmp_path / "trials.csv")
    assert read_records(TRIALS, tmp_path / "trials.csv") == records
    header = (tmp_path / "trials.csv").read_text().splitlines()[0]
    assert header == "trial,folder,l1,l2,seed,status,best_epoch,val_loss,val_auc,gini,pointing,reason"


def test_trials_without_a_row_are_open(tmp_path: Path) -> None:
    assert read_records(TRIALS, tmp_path / "none.csv") == [TrialRecord(trial) for trial in TRIALS]
    write_records([TrialRecord(TRIALS[0], "failed", reason="x")], tmp_path / "trials.csv")
    assert [r.status for r in read_records(TRIALS, tmp_path / "trials.csv")] == ["failed", "open", "open"]


@pytest.mark.parametrize(
    ("old", "new"), [("0.5", "half"), ("finished", "odd"), ("best_epoch", "best"), ("folder", "place")]
)
def test_a_damaged_table_is_refused(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    write_records([TrialRecord(TRIALS[0], "finished", 1, {"val_auc": 0.5})], path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(SettingsError, match="not the table of trials"):
        read_records(TRIALS, path)
