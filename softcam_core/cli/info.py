"""``softcam info``: versions and devices, or what a model is."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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
        _print_card(args.model)
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


def _print_card(path: Path) -> None:
    from softcam_core.models.checkpoint import read_card
    from softcam_core.models.describe import describe_card

    sections = {"File": [("path", str(path))], **describe_card(read_card(path))}
    width = max(len(name) for lines in sections.values() for name, _ in lines)
    for title, lines in sections.items():
        print(title)
        for name, value in lines:
            print(f"  {name:<{width}}  {value}")


def _print_table(lines: dict[str, str]) -> None:
    width = max(map(len, lines))
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")
