"""``softcam export``: a model for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from softcam_core.errors import SettingsError

_DESCRIPTION = """
Write a model as ONNX, with the outputs "logits" and "evidence" and any batch, height and width, and check it against
PyTorch in ONNX Runtime.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("export", help="write a model for other programs", description=_DESCRIPTION)
    parser.set_defaults(run=run)
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file (.safetensors)")
    parser.add_argument("--to", choices=("onnx",), default="onnx", help="format (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: beside the model)")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it exists")


def run(args: argparse.Namespace) -> int:
    """Export, and print how equal the two are."""
    out = args.out or args.model.with_suffix(".onnx")
    if out.exists() and not args.overwrite:
        raise SettingsError(out, "exists already", "Choose another name with --out, or replace it with --overwrite.")
    from softcam_core.export.onnx import export_onnx
    from softcam_core.models.checkpoint import load_model

    report = export_onnx(load_model(args.model), out)
    sizes = ", ".join(f"{height} x {width}" for height, width in report.sizes)
    print(f"{out}: largest difference from PyTorch {report.max_difference:.2g} on noise of {sizes} pixels")
    return 0
