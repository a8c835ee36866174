"""``softcam bench``: what evidence, methods and reading images cost on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from softcam_core.cli.train import add_settings, settings_of
from softcam_core.errors import SettingsError

_MODELS = """
Time the forward pass of SoftCAM networks against that of their black boxes, in one process and in turns, so that what
else the machine does falls on both alike. The ratio is what counts.
"""

_TRAINING = """
Time the training loop with a warm cache on disk, and with files that are decoded each time, against the same loop on
tensors that lie ready in memory; in one process and in turns, so that what else the machine does falls on all alike.
The ratio is what counts. DATA and the settings are those of `softcam train`, but for SqueezeNet 1.1 at 320 pixels where
they name no other network and size; only training images are read, and nothing is kept.
"""

_METHODS = """
Time methods that explain, each beside a forward pass of the black box with the same weights on the same image, for all
classes: the evidence of SoftCAM from the SoftCAM, all others from the black box where there is one. The ratio to the
forward pass is what counts. Memory is that of the tensors held at once (on the CPU those that torch allocates), beside
what the forward pass holds. The image is a phantom; fresh weights are good enough for times, and for nothing else.
"""

_TITLES = {"tensors": "tensors in memory", "cache": "warm cache on disk", "files": "files, no cache"}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("bench", help="time models and training on this machine")
    kinds = parser.add_subparsers(title="what is timed", metavar="WHAT", required=True)
    models = kinds.add_parser("models", help="models against their black boxes", description=_MODELS)
    models.set_defaults(run=run_models)
    models.add_argument("--arch", default="resnet50,densenet121", metavar="A,B,...", help="default: %(default)s")
    models.add_argument("--classes", default="5,14", metavar="K,K,...", help="numbers of classes (%(default)s)")
    models.add_argument("--size", type=int, default=512, metavar="PIXELS", help="side of the input (%(default)s)")
    models.add_argument("--repeats", type=int, default=20, metavar="N", help="pairs of passes (%(default)s)")
    models.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (%(default)s)")
    methods = kinds.add_parser("methods", help="methods that explain against a forward pass", description=_METHODS)
    methods.set_defaults(run=run_methods)
    methods.add_argument("--arch", default="resnet50", help="architecture, with fresh weights (%(default)s)")
    methods.add_argument("--model", type=Path, metavar="FILE", help="a model file instead; --classes then are its own")
    methods.add_argument("--classes", type=int, default=14, metavar="K", help="number of classes (%(default)s)")
    methods.add_argument("--size", type=int, default=512, metavar="PIXELS", help="side of the input (%(default)s)")
    methods.add_argument(
        "--method",
        action="append",
        metavar="METHOD",
        help="method with its options, as scorecam:top=64; may be repeated (default: those of one or two passes)",
    )
    methods.add_argument("--rivals", action="store_true", help="time other libraries that are installed too")
    methods.add_argument(
        "--fidelity", action="store_true", help="for methods with top=N, also make the map of all channels, and compare"
    )
    methods.add_argument("--repeats", type=int, default=5, metavar="N", help="pairs of runs (%(default)s)")
    methods.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (%(default)s)")
    training = kinds.add_parser("training", help="training against its network alone", description=_TRAINING)
    training.set_defaults(run=run_training)
    training.add_argument("data", type=Path, metavar="DATA", help="table or folder of labelled images")
    training.add_argument("--rounds", type=int, default=40, metavar="N", help="turns of each source (%(default)s)")
    training.add_argument("--steps", type=int, metavar="N", help="steps of a turn (2 on the CPU, 64 elsewhere)")
    add_settings(training)


def run_models(args: argparse.Namespace) -> int:
    """Print a row for each architecture and number of classes."""
    from softcam_core.devices import choose_device, describe_device
    from softcam_core.evaluation.model_cost import forward_cost
    from softcam_core.models.families import family_of

    names = [name.strip() for name in args.arch.split(",")]
    try:
        counts = [int(count) for count in args.classes.split(",")]
    except ValueError as error:
        raise SettingsError("classes", f"{args.classes} is no list of numbers", "Give for instance 5,14.") from error
    for option, value, least in (("classes", min(counts), 1), ("size", args.size, 64), ("repeats", args.repeats, 3)):
        _check_at_least(option, value, least)
    for name in names:
        try:
            family_of(name)
        except KeyError as error:
            raise SettingsError(name, str(error.args[0]), "See `softcam bench models --help`.") from error
    device = choose_device(args.device)
    print(f"{describe_device(device)}, {args.size} x {args.size} pixels, batch of 1, medians of {args.repeats} pairs")
    print(f"{'architecture':24}{'classes':>8}{'black box':>12}{'SoftCAM':>12}{'ratio':>8}   ratio's quartiles")
    for name in names:
        for count in counts:
            cost = forward_cost(name, count, args.size, args.repeats, device)
            low, high = cost.ratio_quartiles
            print(
                f"{name:24}{count:>8}{cost.black_box_seconds * 1e3:>9.1f} ms{cost.softcam_seconds * 1e3:>9.1f} ms"
                f"{cost.ratio:>8.3f}   {low:.3f} to {high:.3f}"
            )
    return 0


def run_methods(args: argparse.Namespace) -> int:
    """Print a row for each method, and below it one for each other library."""
    import torch

    from softcam_core.devices import choose_device, describe_device
    from softcam_core.evaluation.method_cost import method_costs
    from softcam_core.evaluation.method_inputs import bench_networks, phantom_input, top_fidelity
    from softcam_core.evaluation.rivals import rivals_of
    from softcam_core.explainers.methods import METHODS, parse_method

    for option, value, least in (("classes", args.classes, 1), ("size", args.size, 64), ("repeats", args.repeats, 1)):
        _check_at_least(option, value, least)
    cheap = [name for name, method in METHODS.items() if method.about.cost in ("forward", "backward")]
    explainers = [parse_method(text) for text in args.method or cheap]
    device = choose_device(args.device)
    softcam, black_box = bench_networks(args.model or args.arch, args.classes, device)
    image = phantom_input(softcam, args.size)
    classes = range(len(softcam.card.class_names))

    def forward() -> None:
        with torch.inference_mode():
            black_box.logits(image)

    where = f"{describe_device(device)}, {softcam.card.architecture}, {args.size} x {args.size} pixels"
    print(f"{where}, {len(classes)} classes, medians of {args.repeats} pairs")
    print(f"{'method':28}{'by':>10}{'time':>13}{'ratio':>9}   {'ratio quartiles':20}{'memory':>12}{'ratio':>8}")
    for explainer in explainers:
        model = softcam if explainer.about.needs_softcam else black_box
        if reason := explainer.refusal(model):
            print(f"{explainer!s:28}{'softcam':>10}{'-':>13}   {reason}")
            continue
        rivals = rivals_of(explainer, model, image, classes) if args.rivals else {}
        jobs = {"softcam": lambda e=explainer, m=model: e(m, image)} | {n: r for n, r in rivals.items() if r}
        costs = method_costs(jobs, forward, device, repeats=args.repeats)
        for by in ("softcam", *rivals):
            title = str(explainer) if by == "softcam" else ""
            if by not in costs:
                print(f"{title:28}{by:>10}{'-':>13}   not installed")
                continue
            cost = costs[by]
            quartiles = "{:.3f} to {:.3f}".format(*cost.ratio_quartiles)
            print(
                f"{title:28}{by:>10}{cost.seconds * 1e3:>10.1f} ms{cost.ratio:>9.3f}   {quartiles:20}"
                f"{cost.memory / 2**20:>8.1f} MiB{cost.memory_ratio:>8.2f}"
            )
        if args.fidelity and (found := top_fidelity(explainer, model, image)) is not None:
            print(f"{'':28}rank correlation with the map of all channels: {found:.3f} (mean over classes)")
    return 0


def run_training(args: argparse.Namespace) -> int:
    """Print a row for each source of images."""
    _check_at_least("rounds", args.rounds, 3)
    if args.steps is not None:
        _check_at_least("steps", args.steps, 1)
    import torch
    from tqdm import tqdm

    from softcam_core.devices import describe_device
    from softcam_core.training.config_files import make_config, merged
    from softcam_core.training.throughput import training_throughput

    usual = {"model": {"architecture": "squeezenet1_1"}, "preprocessing": {"shorter_side": 320}}
    config = make_config(merged([usual, settings_of(args)]))
    with tqdm(total=args.rounds, unit="round", leave=False, disable=None) as bar:
        found = training_throughput(config, args.rounds, args.steps, bar.update)
    height, width = found.input_size
    threads = torch.get_num_threads()
    where = describe_device(found.device)
    if found.device.type == "cpu":
        where += f", {threads} thread{'s' * (threads > 1)}"
    print(f"{where}, {config.model.architecture}, {height} x {width} pixels, batches of {config.training.batch_size}")
    print(f"medians of {args.rounds} rounds of {found.steps} step{'s' * (found.steps > 1)}")
    print(f"{'images from':24}{'images/s':>12}{'ratio':>8}   ratio's quartiles")
    for source, speed in found.throughput.items():
        low, high = speed.ratio_quartiles
        print(f"{_TITLES[source]:24}{speed.images_per_second:>12.1f}{speed.ratio:>8.3f}   {low:.3f} to {high:.3f}")
    return 0


def _check_at_least(option: str, value: int, least: int) -> None:
    if value < least:
        raise SettingsError(option, f"{value} is too small", f"It is at least {least}.")
