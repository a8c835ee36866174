"""One process or many: the same code under torchrun, SLURM, on several GPUs and alone."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import Tensor

from softcam_core.devices import choose_device
from softcam_core.errors import SettingsError
from softcam_core.training.config import HardwareConfig

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def make_fabric(config: HardwareConfig, environment: Mapping[str, str] = os.environ) -> Fabric:
    """Join the processes of this run.

    Parameters
    ----------
    config : HardwareConfig
    environment : mapping
        Environment variables: torchrun's and SLURM's tell how many processes there are, before `config.devices`.

    Returns
    -------
    Fabric
        Launched: with several devices and nobody else to start processes, it has started them.

    Raises
    ------
    SettingsError
        When the device is not there, or cannot have this precision.
    """
    device = choose_device(config.device)
    local, nodes = process_counts(config, environment)
    on_cuda = device.type == "cuda"
    # One device is named by its index, several are taken from the first on.
    devices: int | list[int] = [device.index or 0] if on_cuda and local == nodes == 1 else local
    if on_cuda and local > torch.cuda.device_count():
        reason = f"{local} processes want a GPU each, and there are {torch.cuda.device_count()}"
        raise SettingsError("hardware.devices", reason, "Start fewer processes.")
    # It speaks of itself; what matters is in the run's events.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    # But for why it kills this process: one of those it started has died, which may go unnoticed otherwise.
    logging.getLogger("lightning_fabric.strategies.launchers.subprocess_script").setLevel(logging.INFO)
    plugins = [LightningEnvironment()] if local == nodes == 1 else None  # never what a batch job around us suggests
    fabric = Fabric(
        accelerator=device.type,
        devices=devices,
        num_nodes=nodes,
        strategy="auto" if local * nodes == 1 else "ddp",
        precision=chosen_precision(config, device),
        plugins=plugins,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def process_counts(config: HardwareConfig, environment: Mapping[str, str]) -> tuple[int, int]:
    """Processes on each machine and number of machines, as torchrun, SLURM or else the settings say."""
    if "TORCHELASTIC_RUN_ID" in environment:
        local = int(environment["LOCAL_WORLD_SIZE"])
        return local, int(environment["WORLD_SIZE"]) // local
    tasks = int(environment.get("SLURM_NTASKS", "1"))
    # A shell within an allocation has these variables too, without being one of the tasks.
    if tasks > 1 and "SLURM_PROCID" in environment and "SLURM_STEP_ID" in environment:
        nodes = int(environment.get("SLURM_NNODES", "1"))
        return tasks // nodes, nodes
    return config.devices, 1


def chosen_precision(config: HardwareConfig, device: torch.device) -> Precision:
    """Fabric's name of the precision to run in."""
    if device.type != "cuda":
        if config.precision in ("bfloat16", "float16"):
            reason = f"{config.precision} is for CUDA devices, and this is {device.type}"
            raise SettingsError("hardware.precision", reason, "Use auto or float32.")
        return "32-true"
    if config.precision == "auto":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if config.precision == "float32":
        return "32-true"
    return "bf16-mixed" if config.precision == "bfloat16" else "16-mixed"


def gather_rows(fabric: Fabric, rows: Tensor, total: int, indexes: Tensor) -> Tensor:
    """Bring together what the processes found for their parts of a data set.

    Parameters
    ----------
    fabric : Fabric
    rows : Tensor, (n, ...)
        This process's results.
    total : int
        Size N of the whole set.
    indexes : Tensor, (n,) int64
        Which samples they belong to; the processes' indexes are apart and together are 0 to N - 1.

    Returns
    -------
    Tensor, (N, ...)
        On the CPU, in the order of the set, the same in each process.
    """
    whole = rows.new_zeros((total, *rows.shape[1:]))
    whole[indexes] = rows
    if fabric.world_size > 1:
        # Each row comes from one process and is 0 in the others, so that the sum is exact.
        whole = fabric.all_reduce(whole.to(fabric.device), reduce_op="sum")  # type: ignore[assignment]
    return whole.cpu()


def total(fabric: Fabric, values: Tensor) -> Tensor:
    """Sum over processes."""
    return fabric.all_reduce(values, reduce_op="sum") if fabric.world_size > 1 else values  # type: ignore[return-value]


def anyone(fabric: Fabric, flag: bool) -> bool:
    """True in every process where it is in one."""
    return bool(total(fabric, torch.tensor(float(flag), device=fabric.device)) > 0)


def has_lost_process(error: RuntimeError, fabric: Fabric) -> bool:
    """True where the error says that another process of the run is gone."""
    # Gloo raises plain RuntimeErrors.
    signs = ("gloo", "Gloo", "NCCL", "Connection closed by peer", "Connection reset by peer")
    is_told = isinstance(error, torch.distributed.DistError) or any(sign in str(error) for sign in signs)
    return fabric.world_size > 1 and is_told
