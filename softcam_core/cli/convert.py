"""``softcam convert``: a trained black box as a SoftCAM."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softcam_core.errors import SettingsError

if TYPE_CHECKING:
    from softcam_core.imaging.image import MedicalImage

_DESCRIPTION = """
Make the SoftCAM of a trained classifier from its state dict (.pth, .pt, .ckpt or .safetensors; torchvision's or timm's
layout, or a checkpoint of the SoftCAM paper's code), and measure how far its logits are from the classifier's. Nothing
in the file is executed.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("convert", help="turn a trained black box into a SoftCAM", description=_DESCRIPTION)
    parser.set_defaults(run=run)
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="file of weights")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="model file to write (.safetensors)")
    parser.add_argument("--classes", required=True, metavar="A,B,...", help="class names, in the order of the outputs")
    parser.add_argument(
        "--arch", metavar="NAME", help="architecture: resnet50, densenet121, timm/NAME ... (default: the one that fits)"
    )
    parser.add_argument("--multi-label", action="store_true", help="sigmoid for each class instead of softmax")
    parser.add_argument("--name", default="", help="what to call the model")
    parser.add_argument("--licence", default="", help="of the weights")
    parser.add_argument("--overwrite", action="store_true", help="replace the model file if it exists")

    fed = parser.add_argument_group("input", "how the black box was fed")
    fed.add_argument(
        "--shorter-side", type=int, default=512, metavar="PIXELS", help="resize to; 0 keeps the size (512)"
    )
    fed.add_argument("--crop", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="centre crop after resizing")
    fed.add_argument("--mean", type=float, nargs=3, metavar=("R", "G", "B"), help="on a scale of 0 to 1 (ImageNet's)")
    fed.add_argument("--std", type=float, nargs=3, metavar=("R", "G", "B"), help="on a scale of 0 to 1 (ImageNet's)")

    how = parser.add_argument_group("conversion")
    how.add_argument(
        "--check", type=Path, nargs="+", default=[], metavar="IMAGE", help="images to compare on (default: noise)"
    )
    how.add_argument(
        "--output-stride", type=int, choices=(8, 16, 32), help="finer evidence; not the same function any more"
    )
    how.add_argument(
        "--retrain-head", action="store_true", help="give the head fresh weights, where it cannot be converted"
    )
    how.add_argument(
        "--ignore", nargs="+", default=[], metavar="PREFIX", help="beginnings of names that are no part of the network"
    )


def run(args: argparse.Namespace) -> int:
    """Convert, and print how equal the two are."""
    if args.out.suffix != ".safetensors":
        raise SettingsError(args.out, "is not named like a model file", "End it in .safetensors.")
    if args.out.exists() and not args.overwrite:
        raise SettingsError(args.out, "exists already", "Choose another name, or replace it with --overwrite.")
    from softcam_core.models.checkpoint import save_model
    from softcam_core.models.conversion import convert

    model = convert(
        args.checkpoint,
        [name.strip() for name in args.classes.split(",")],
        args.arch,
        task="multi_label" if args.multi_label else "single_label",
        preprocessing=_fed(args),
        output_stride=args.output_stride,
        name=args.name,
        images=_read(args.check),
        retrain_head=args.retrain_head,
        ignore=args.ignore,
        licence=args.licence,
    )
    save_model(model, args.out)
    print(f"{args.out}: {model.card.architecture} with {len(model.card.class_names)} classes")
    if model.card.conversion is not None:
        print(model.card.conversion.summary())
    else:
        print("It was a SoftCAM before, and there is no black box to compare it with.")
    return 0


def _fed(args: argparse.Namespace) -> dict[str, Any]:
    """What the options say on how the black box was fed."""
    given = {name: value for name in ("mean", "std", "crop") if (value := getattr(args, name)) is not None}
    return {"shorter_side": args.shorter_side or None, **given}


def _read(paths: list[Path]) -> list[MedicalImage]:
    from softcam_core.imaging.readers import find_images, read_image

    return [read_image(image) for path in paths for image in find_images(path)]
