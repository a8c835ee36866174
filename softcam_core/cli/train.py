"""``softcam train``: a model from a CSV of labelled images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from softcam_core.errors import SettingsError

if TYPE_CHECKING:
    from softcam_core.data.manifest import Manifest
    from softcam_core.training.config import TrainingConfig

_DESCRIPTION = """
Train a SoftCAM on the images of a CSV table and keep the epoch of the best validation AUC. The run folder gets
config.json, metrics.csv and best.safetensors. Ctrl-C stops and keeps the best model so far.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("train", help="train a model from a CSV of labelled images", description=_DESCRIPTION)
    parser.set_defaults(run=run)
    parser.add_argument("manifest", type=Path, metavar="MANIFEST", help="CSV with a header, one row an image")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="run folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace a run that is in the folder")
    parser.add_argument("--name", default="", help="what to call the model (default: the architecture)")

    table = parser.add_argument_group("table")
    table.add_argument("--image-column", default="image", metavar="NAME", help="default: %(default)s")
    table.add_argument("--label-column", default="label", metavar="NAME", help="default: %(default)s")
    table.add_argument("--split-column", default="split", metavar="NAME", help="default: %(default)s")
    table.add_argument("--root", type=Path, metavar="DIR", help="folder of the images (default: that of the CSV)")
    table.add_argument("--classes", metavar="A,B,...", help="class names for labels 0, 1, ... (default: the labels)")

    model = parser.add_argument_group("model and input")
    model.add_argument("--arch", required=True, metavar="NAME", help="architecture: compact, resnet50, ...")
    model.add_argument(
        "--init",
        metavar="FILE",
        help="weights that the features start from; imagenet for the published ones",
    )
    model.add_argument(
        "--output-stride", type=int, choices=(8, 16, 32), help="finer evidence: input pixels from cell to cell at most"
    )
    model.add_argument(
        "--shorter-side", type=int, default=512, metavar="PIXELS", help="resize to; 0 keeps the size (%(default)s)"
    )
    model.add_argument("--crop", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="centre crop after resizing")
    model.add_argument(
        "--normalise",
        choices=("auto", "measure", "imagenet"),
        default="auto",
        help="mean and standard deviation: measured on the training images, ImageNet's, or (auto) ImageNet's with "
        "--init and measured without",
    )

    how = parser.add_argument_group("training")
    how.add_argument("--epochs", type=int, default=10, help="default: %(default)s")
    how.add_argument("--batch-size", type=int, default=16, help="default: %(default)s")
    how.add_argument("--lr", type=float, default=3e-4, help="learning rate at the start (%(default)s)")
    how.add_argument("--optimizer", choices=("adamw", "sgd"), default="adamw", help="default: %(default)s")
    how.add_argument("--weight-decay", type=float, default=5e-4, help="default: %(default)s")
    how.add_argument("--l1", type=float, default=0.0, help="weight of the evidence's sum of absolute values")
    how.add_argument("--l2", type=float, default=0.0, help="weight of the evidence's Euclidean norm")
    how.add_argument("--l2-form", choices=("norm", "squared"), default="norm", help="the norm, or its square")
    how.add_argument(
        "--penalty-warmup", type=int, default=0, metavar="EPOCHS", help="epochs in which l1 and l2 rise from 0 (none)"
    )
    flips = how.add_mutually_exclusive_group()
    flips.add_argument("--flip-vertical", action="store_true", help="also mirror top and bottom at random")
    flips.add_argument("--no-flip", action="store_true", help="never mirror, not even left and right")
    how.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    how.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (%(default)s)")
    how.add_argument("--workers", type=int, default=0, help="reading processes for sets too large for the memory")


def run(args: argparse.Namespace) -> int:
    """Train and print where the model is."""
    from softcam_core.data.manifest import read_manifest
    from softcam_core.training.run_folder import RunFolder
    from softcam_core.training.trainer import train

    folder = RunFolder(args.out)
    folder.check(args.overwrite)
    manifest = read_manifest(
        args.manifest,
        image_column=args.image_column,
        label_column=args.label_column,
        split_column=args.split_column,
        root=args.root,
        class_names=[name.strip() for name in args.classes.split(",")] if args.classes else None,
    )
    config = _config(args, manifest)
    before = folder.best.stat().st_mtime_ns if folder.best.exists() else None
    try:
        result = train(config, manifest, args.out, overwrite=args.overwrite, progress=True)
    except KeyboardInterrupt:
        if folder.best.exists() and folder.best.stat().st_mtime_ns != before:
            print(f"\nsoftcam: the best model so far is in {folder.best}", file=sys.stderr)
        raise
    print(f"best epoch {result.best_epoch} of {config.epochs}: {result.checkpoint}")
    for name, value in result.metrics.items():
        print(f"  {name.replace('_', ' ')}: {value:.4f}")
    return 0


def _config(args: argparse.Namespace, manifest: Manifest) -> TrainingConfig:
    from pydantic import ValidationError

    from softcam_core.models.families import default_preprocessing
    from softcam_core.training.config import TrainingConfig

    try:
        return TrainingConfig(
            architecture=args.arch,
            options={"output_stride": args.output_stride},
            class_names=manifest.class_names,
            name=args.name,
            preprocessing=default_preprocessing(
                args.arch, shorter_side=args.shorter_side or None, crop=tuple(args.crop) if args.crop else None
            ),
            normalisation="given" if args.normalise == "imagenet" else args.normalise,
            epochs=args.epochs,
            batch_size=args.batch_size,
            optimizer=args.optimizer,
            learning_rate=args.lr,
            weight_decay=args.weight_decay,
            l1=args.l1,
            l2=args.l2,
            l2_form=args.l2_form,
            penalty_warmup=args.penalty_warmup,
            flip_horizontal=not args.no_flip,
            flip_vertical=args.flip_vertical,
            seed=args.seed,
            device=args.device,
            workers=args.workers,
            init=args.init if args.init in (None, "imagenet") else Path(args.init),
        )
    except KeyError as error:
        raise SettingsError("architecture", str(error.args[0]), "See `softcam train --help`.") from error
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(str(part) for part in first["loc"]) or "options"
        reason = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsError(option.replace("_", " "), reason, "See `softcam train --help`.") from error
