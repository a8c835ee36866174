import dataclasses
from pathlib import Path

import pytest
import torch

from softcam_core.errors import CheckpointError, SettingsError
from softcam_core.training import run_folder
from softcam_core.training.optimisation import Plateau
from softcam_core.training.state import EpochRecord, Progress, RunState, load_state, save_state, split_step


def some_state() -> RunState:
    record = EpochRecord(1, 8, 1e-3, {"loss": 0.5, "l1": 0.1}, {"loss": 0.4, "auc": 0.9}, 2.5)
    progress = Progress(1, 12, 11, 4, 90, 12, {"loss": 3.0}, 0.7, Plateau(0.1, 2), 1, 1, [record])
    optimizer = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
    return RunState(progress, '{"name": "m"}', {"model": {"w": torch.arange(3.0)}, "optimizer": optimizer})


def test_a_state_survives_its_file(tmp_path: Path) -> None:
    save_state(some_state(), tmp_path / "resume.pt")
    again = load_state(tmp_path / "resume.pt")
    assert again.progress == some_state().progress
    assert again.progress.best_record == again.progress.history[0]
    assert again.card == some_state().card
    assert torch.equal(again.tensors["model"]["w"], torch.arange(3.0))
    assert again.tensors["optimizer"]["param_groups"] == [{"lr": 0.1}]
    assert [path.name for path in tmp_path.iterdir()] == ["resume.pt"]


def test_every_part_of_the_progress_is_kept() -> None:
    fields = dataclasses.asdict(some_state().progress)
    assert Progress.from_dict(fields) == some_state().progress
    assert all(value for value in fields.values()), "a field at its default would not show that it was lost"


def test_states_that_cannot_be_resumed(tmp_path: Path, bomb) -> None:
    path, marker = tmp_path / "resume.pt", tmp_path / "marker"
    with pytest.raises(CheckpointError, match="nothing to resume"):
        load_state(path)
    for content in (b"PK\x03\x04 broken", b"half", b"", b"\x80\x02]q."):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="damaged"):
            load_state(path)
    torch.save({"version": 1, "progress": bomb(marker)}, path)
    with pytest.raises(CheckpointError, match="more than numbers"):
        load_state(path)
    assert not marker.exists()
    torch.save({"version": 99}, path)
    with pytest.raises(CheckpointError, match="another version"):
        load_state(path)
    torch.save({"version": 1, "card": ""}, path)
    with pytest.raises(CheckpointError, match="lacks"):
        load_state(path)


def test_a_full_disk_keeps_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "resume.pt"
    save_state(some_state(), path)
    before = path.read_bytes()

    def full(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_folder.Path, "write_bytes", full)
    with pytest.raises(SettingsError, match=r"No space left on device.*free space"):
        save_state(some_state(), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["resume.pt"]


@pytest.mark.parametrize(
    ("step_size", "processes", "batch_size", "expected"),
    [
        (16, 1, 16, (16, 1)),
        (16, 2, 16, (8, 1)),
        (16, 1, 8, (8, 2)),
        (12, 1, 8, (6, 2)),
        (14, 2, 4, (1, 7)),
        (15, 2, 8, None),
    ],
)
def test_a_step_keeps_its_images_with_any_number_of_processes(step_size, processes, batch_size, expected) -> None:
    assert split_step(step_size, processes, batch_size) == expected
    if expected is not None:
        assert expected[0] * expected[1] * processes == step_size
        assert expected[0] <= batch_size
