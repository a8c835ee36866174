"""``softcam train``: a model from labelled images."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softcam_core.cli.control import Control
from softcam_core.cli.exits import EXIT_INTERRUPTED, EXIT_OK, process_rank
from softcam_core.cli.signals import noted_signals
from softcam_core.errors import SettingsError

if TYPE_CHECKING:
    from softcam_core.training.config import TrainingConfig
    from softcam_core.training.config_files import Settings

_DESCRIPTION = """
Train a SoftCAM and keep its best epoch. DATA is a CSV of labelled images, a COCO JSON, a folder with one folder a
class, or the folder of a data set's own release. Settings come from a preset, then a YAML file, then the options below,
then --set; `softcam train --show-config` explains them all. Ctrl-C stops between two steps; --resume goes on there.
"""

#: Option -> setting it stands for, and what argparse needs to know.
_SHORT: dict[str, tuple[str, dict[str, Any]]] = {
    "--format": ("data.format", {"metavar": "NAME", "help": "auto, csv, folders, coco, kaggle_dr or rsna (auto)"}),
    "--image-column": ("data.image_column", {"metavar": "NAME", "help": "of the table (image)"}),
    "--label-column": ("data.label_column", {"metavar": "NAME", "help": "of the table (label)"}),
    "--split-column": ("data.split_column", {"metavar": "NAME", "help": "of the table (split)"}),
    "--root": ("data.root", {"metavar": "DIR", "help": "folder of the images (that of the table)"}),
    "--classes": ("data.class_names", {"metavar": "A,B,...", "help": "class names for labels 0, 1, ... (the labels)"}),
    "--skip-bad": ("skip_bad", {"action": "store_true", "help": "leave out images that cannot be read"}),
    "--name": ("model.name", {"metavar": "NAME", "help": "what to call the model (the architecture)"}),
    "--arch": ("model.architecture", {"metavar": "NAME", "help": "compact, resnet50, ..."}),
    "--init": ("model.init", {"metavar": "FILE", "help": "weights that the features start from; or imagenet"}),
    "--start": (
        "model.start",
        {"type": Path, "metavar": "MODEL", "help": "SoftCAM to train on: its architecture, classes and input stay"},
    ),
    "--annotations": (
        "feedback.store",
        {"type": Path, "metavar": "STORE", "help": "learn from evidence that was flagged (softcam annotations)"},
    ),
    "--output-stride": (
        "model.options.output_stride",
        {"type": int, "choices": (8, 16, 32), "help": "finer evidence: input pixels from cell to cell at most"},
    ),
    "--shorter-side": (
        "preprocessing.shorter_side",
        {"type": int, "metavar": "PIXELS", "help": "resize to; 0 keeps the size (512)"},
    ),
    "--crop": (
        "preprocessing.crop",
        {"type": int, "nargs": 2, "metavar": ("HEIGHT", "WIDTH"), "help": "centre crop after resizing"},
    ),
    "--normalise": (
        "normalisation",
        {
            "choices": ("auto", "measure", "given"),
            "help": "mean and standard deviation: measured on the training images, the network's own, or (auto) "
            "its own with --init and measured without",
        },
    ),
    "--epochs": ("training.epochs", {"type": int, "metavar": "N", "help": "(10)"}),
    "--batch-size": (
        "training.batch_size",
        {"type": int, "metavar": "N", "help": "images in a process at a time (16)"},
    ),
    "--lr": ("training.lr", {"type": float, "metavar": "X", "help": "learning rate at its height (3e-4)"}),
    "--optimizer": ("training.optimizer", {"choices": ("adamw", "adam", "sgd"), "help": "(adamw)"}),
    "--weight-decay": ("training.weight_decay", {"type": float, "metavar": "X", "help": "(5e-4)"}),
    "--l1": ("loss.l1", {"type": float, "metavar": "X", "help": "weight of the evidence's sum of absolute values (0)"}),
    "--l2": ("loss.l2", {"type": float, "metavar": "X", "help": "weight of the evidence's Euclidean norm (0)"}),
    "--penalty-warmup": (
        "loss.penalty_warmup",
        {"type": int, "metavar": "EPOCHS", "help": "epochs in which l1 and l2 rise from 0 (0)"},
    ),
    "--flip-vertical": (
        "augmentation.flip_vertical",
        {"action": "store_const", "const": 0.5, "help": "also mirror top and bottom at random"},
    ),
    "--no-flip": (
        "augmentation.flip_horizontal",
        {"action": "store_const", "const": 0.0, "help": "do not mirror left and right"},
    ),
    "--seed": ("seed", {"type": int, "metavar": "N", "help": "(0)"}),
    "--device": ("hardware.device", {"metavar": "NAME", "help": "auto, cpu, cuda or cuda:N (auto)"}),
    "--workers": ("hardware.workers", {"type": int, "metavar": "N", "help": "processes that read images"}),
    "--auto-batch": ("hardware.auto_batch", {"action": "store_true", "help": "smaller batches if the memory is"}),
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("train", help="train a model from labelled images", description=_DESCRIPTION)
    parser.set_defaults(run=run)
    parser.add_argument("data", nargs="?", type=Path, metavar="DATA", help="table or folder of labelled images")
    add_settings(parser)
    parser.add_argument("--out", type=Path, metavar="RUN", help="run folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace a run that is in the folder")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with an interrupted run")
    parser.add_argument(
        "--control",
        choices=("stdin",),
        help="obey pause, unpause and stop, a line each, on standard input (pause: one process alone)",
    )
    parser.add_argument("--show-config", action="store_true", help="print all settings, explained, and stop")


def add_settings(parser: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Add all options that stand for settings, but for those a command has its own of."""
    presets = "fundus, fundus5, oct, oct4 or rsna"
    parser.add_argument("--preset", metavar="NAME", help=f"settings of the SoftCAM paper: {presets}")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as YAML")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any setting, for instance training.lr=1e-3"
    )
    short = parser.add_argument_group("short for the usual settings (defaults without a preset)")
    for option, (setting, how) in _SHORT.items():
        if option in without:
            continue
        short.add_argument(option, dest=setting, default=None, **how)


def settings_of(args: argparse.Namespace) -> Settings:
    """What the options ask for, without defaults: preset, file, short options and --set on top of each other."""
    from softcam_core.training.config_files import load_preset, load_settings, merged, nested, parse_setting

    layers = []
    if args.preset:
        layers.append(load_preset(args.preset))
    if args.config:
        layers.append(load_settings(args.config))
    if args.data is not None:
        layers.append({"data": {"path": args.data}})
    for setting, _ in _SHORT.values():
        value: Any = getattr(args, setting, None)
        if value is None or value is False:
            continue
        if setting == "data.class_names":
            value = [name.strip() for name in value.split(",")]
        if setting == "preprocessing.shorter_side" and value == 0:
            value = None
        if setting == "model.init" and value != "imagenet":
            value = Path(value)
        layers.append(nested(setting, value))
    return merged([*layers, *(parse_setting(text) for text in args.set)])


def run(args: argparse.Namespace) -> int:
    """Train and print where the model is."""
    from softcam_core.training.config_files import load_settings, make_config, merged, to_yaml
    from softcam_core.training.run_folder import RunFolder

    settings = settings_of(args)
    if args.show_config:
        placeholder = {"data": {"path": Path("DATA")}}
        print(to_yaml(make_config(merged([placeholder, settings])), explained=True), end="")
        return 0
    if args.resume is not None:
        if args.data or args.out or args.overwrite:
            raise SettingsError(args.resume, "is resumed as it is", "Give no DATA, --out or --overwrite with --resume.")
        folder = RunFolder(args.resume)
        if not folder.config.exists():
            raise SettingsError(args.resume, "holds no run to resume", "Check the path.")
        config = make_config(merged([load_settings(folder.config), settings]), folder.config)
        return _train(config, folder.path, resume=True, is_controlled=args.control is not None)
    if "path" not in settings.get("data", {}):
        raise SettingsError("DATA", "is missing", "Name a table or a folder of labelled images.")
    if args.out is None:
        raise SettingsError("--out", "is missing", "Name a folder for the run.")
    config = make_config(settings)
    return _train(config, args.out, overwrite=args.overwrite, is_controlled=args.control is not None)


def _train(
    config: TrainingConfig, out: Path, *, overwrite: bool = False, resume: bool = False, is_controlled: bool = False
) -> int:
    from softcam_core.cli.progress import TrainingProgress
    from softcam_core.training.event_writer import append_event
    from softcam_core.training.events import PauseEvent
    from softcam_core.training.loop import Stopped
    from softcam_core.training.processes import process_counts
    from softcam_core.training.run_folder import RunFolder
    from softcam_core.training.trainer import train

    control = Control(_tell_unknown) if is_controlled and process_rank() == 0 else None
    # The others would wait for the one that pauses, and after a while take it for dead.
    can_pause = process_counts(config.hardware, os.environ) == (1, 1)
    folder = RunFolder(out)
    show = TrainingProgress(folder.best, config.training.select)
    with noted_signals() as asked:

        def must_stop() -> bool:
            return bool(asked) or (control is not None and control.must_stop)

        def on_read(done: int, total: int) -> None:
            if must_stop():
                raise KeyboardInterrupt
            show.read(done, total)

        def tell_pause(is_paused: bool) -> None:
            event = PauseEvent(is_paused=is_paused)
            append_event(folder.events, event)
            show(event)

        def should_stop() -> bool:
            if control is not None and can_pause:
                control.wait_while_paused(tell_pause, must_stop)
            return must_stop()

        try:
            train(
                config,
                out,
                overwrite=overwrite,
                resume=resume,
                listeners=(show,),
                should_stop=should_stop,
                on_read=on_read,
            )
        except KeyboardInterrupt as stop:
            # What was there before this run began is not this run's.
            can_go_on = folder.resume.exists() and (resume or show.has_begun)
            if not isinstance(stop, Stopped) and not can_go_on:
                raise
            if process_rank() > 0:
                return EXIT_OK  # Lightning kills the first process, which may still write, when another has failed
            where = "" if isinstance(stop, Stopped) else " from the last checkpoint"
            command = f"softcam train --resume {shlex.quote(str(out))}"
            print(f"softcam: stopped. Go on{where} with: {command}", file=sys.stderr)
            return EXIT_INTERRUPTED
        finally:
            show.close()
    return 0


def _tell_unknown(command: str) -> None:
    print(f"softcam: there is no command {command!r}; there are pause, unpause and stop", file=sys.stderr, flush=True)
