"""``softcam info``: versions and devices, or what a model is."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softcam_core.models.card import ModelCard

_PACKAGES = ("torch", "torchvision", "numpy", "pydicom", "pillow", "PySide6-Essentials")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "info",
        help="show versions and devices, or a model's card",
        description="Show versions and devices; with --model, what the model is and where it comes from.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("--model", type=Path, metavar="FILE", help="model file (.safetensors)")


def run(args: argparse.Namespace) -> int:
    """Print versions and devices, or a model card."""
    if args.model is not None:
        from softcam_core.models.checkpoint import read_card

        _print_card(args.model, read_card(args.model))
    else:
        _print_system()
    return 0


def _print_system() -> None:
    import platform

    import torch

    from softcam_core import __version__
    from softcam_core.devices import choose_device, describe_device

    lines = {"softcam": __version__, "python": platform.python_version(), "system": platform.platform()}
    for package in _PACKAGES:
        try:
            lines[package] = version(package)
        except PackageNotFoundError:
            lines[package] = "not installed"
    cuda = [describe_device(torch.device("cuda", i)) for i in range(torch.cuda.device_count())]
    lines["devices"] = ", ".join(["cpu", *cuda])
    lines["device used"] = describe_device(choose_device("auto"))
    lines["cpu threads"] = str(torch.get_num_threads())
    _print_table(lines)


def _print_card(path: Path, card: ModelCard) -> None:
    how = card.preprocessing
    resized = "as it is" if how.shorter_side is None else f"shorter side {how.shorter_side} px"
    crop = "whole image" if how.crop is None else f"centre crop {how.crop[0]} x {how.crop[1]} px"
    lines: dict[str, Any] = {
        "model": card.name,
        "file": str(path),
        "architecture": card.architecture,
        "classes": ", ".join(card.class_names),
        "task": card.task.replace("_", " "),
        "input": f"{resized}, {crop}",
        "mean": " ".join(f"{v:.5g}" for v in how.mean),
        "std": " ".join(f"{v:.5g}" for v in how.std),
    }
    if card.licence:
        lines["licence"] = card.licence
    lines.update({name.replace("_", " "): f"{value:.4f}" for name, value in card.metrics.items()})
    _print_table(lines)
    if card.provenance:
        print("provenance")
        _print_nested(card.provenance, "  ")


def _print_table(lines: dict[str, Any]) -> None:
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")


def _print_nested(values: dict[str, Any], indent: str) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            _print_nested(value, indent + "  ")
        else:
            print(f"{indent}{name}: {value}")
