"""``softcam bench``: what evidence costs on this machine."""

from __future__ import annotations

import argparse

from softcam_core.errors import SettingsError

_DESCRIPTION = """
Time the forward pass of SoftCAM networks against that of their black boxes, in one process and in turns, so that what
else the machine does falls on both alike. The ratio is what counts.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("bench", help="time models against their black boxes", description=_DESCRIPTION)
    parser.set_defaults(run=run)
    parser.add_argument("what", choices=("models",), help="forward passes of models")
    parser.add_argument("--arch", default="resnet50,densenet121", metavar="A,B,...", help="default: %(default)s")
    parser.add_argument("--classes", default="5,14", metavar="K,K,...", help="numbers of classes (%(default)s)")
    parser.add_argument("--size", type=int, default=512, metavar="PIXELS", help="side of the input (%(default)s)")
    parser.add_argument("--repeats", type=int, default=20, metavar="N", help="pairs of passes (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Print a row for each architecture and number of classes."""
    from softcam_core.devices import choose_device, describe_device
    from softcam_core.evaluation.model_cost import forward_cost
    from softcam_core.models.families import family_of

    names = [name.strip() for name in args.arch.split(",")]
    try:
        counts = [int(count) for count in args.classes.split(",")]
    except ValueError as error:
        raise SettingsError("classes", f"{args.classes} is no list of numbers", "Give for instance 5,14.") from error
    for option, value, least in (
        ("classes", min(counts), 1),
        ("size", args.size, 64),
        ("repeats", args.repeats, 3),
    ):
        if value < least:
            raise SettingsError(option, f"{value} is too small", f"It is at least {least}.")
    for name in names:
        try:
            family_of(name)
        except KeyError as error:
            raise SettingsError(name, str(error.args[0]), "See `softcam bench --help`.") from error
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
