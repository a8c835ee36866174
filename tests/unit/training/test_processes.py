from types import SimpleNamespace

import pytest
import torch

from softcam_core.errors import SettingsError
from softcam_core.training import loading, processes
from softcam_core.training.config import HardwareConfig
from softcam_core.training.memory import is_out_of_memory
from softcam_core.training.processes import chosen_precision, has_lost_process, make_fabric, process_counts


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (3, 1)),
        ({"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "6"}, (2, 3)),
        ({"SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_PROCID": "3", "SLURM_STEP_ID": "0"}, (4, 2)),
        ({"SLURM_NTASKS": "8", "SLURM_NNODES": "2"}, (3, 1)),
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0"}, (3, 1)),
    ],
)
def test_launchers_say_how_many_processes_there_are(environment: dict[str, str], expected: tuple[int, int]) -> None:
    assert process_counts(HardwareConfig(devices=3), environment) == expected


def test_one_process_on_the_cpu() -> None:
    fabric = make_fabric(HardwareConfig(device="cpu"), {})
    assert (fabric.world_size, fabric.device) == (1, torch.device("cpu"))


@pytest.mark.parametrize(
    ("wanted", "has_bfloat16", "expected"),
    [
        ("auto", True, "bf16-mixed"),
        ("auto", False, "32-true"),
        ("float32", True, "32-true"),
        ("bfloat16", True, "bf16-mixed"),
        ("float16", True, "16-mixed"),
    ],
)
def test_precision_on_cuda(monkeypatch: pytest.MonkeyPatch, wanted: str, has_bfloat16: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bfloat16)
    assert chosen_precision(HardwareConfig(precision=wanted), torch.device("cuda:0")) == expected


def test_precision_on_the_cpu() -> None:
    assert chosen_precision(HardwareConfig(), torch.device("cpu")) == "32-true"
    with pytest.raises(SettingsError, match=r"hardware\.precision.*float16 is for CUDA"):
        chosen_precision(HardwareConfig(precision="float16"), torch.device("cpu"))


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "choose_device", lambda name: torch.device("cuda:0"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(SettingsError, match="2 processes want a GPU each, and there are 1"):
        make_fabric(HardwareConfig(devices=2), {})


def test_images_are_read_elsewhere_where_a_gpu_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "os", SimpleNamespace(cpu_count=lambda: 12))
    assert loading.default_workers(torch.device("cpu"), 1) == 0
    assert loading.default_workers(torch.device("cuda"), 1) == 8
    assert loading.default_workers(torch.device("cuda"), 4) == 3


def test_out_of_memory_shows_in_two_ways() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


@pytest.mark.parametrize(
    ("error", "is_loss"),
    [
        # Texts of torch 2.15 with gloo, and of its stores.
        (RuntimeError("[third_party/gloo/gloo/transport/tcp/pair.cc:538] Connection closed by peer [127.0.0.1]"), True),
        (RuntimeError("Connection reset by peer"), True),
        (torch.distributed.DistNetworkError("failed to recv, got 0 bytes"), True),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), False),
        (torch.OutOfMemoryError("CUDA out of memory"), False),
    ],
)
def test_the_loss_of_a_process_is_told_from_other_errors(error: RuntimeError, is_loss: bool) -> None:
    assert has_lost_process(error, SimpleNamespace(world_size=2)) == is_loss
    assert not has_lost_process(error, SimpleNamespace(world_size=1))
