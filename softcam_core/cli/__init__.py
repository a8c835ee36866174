"""The command line ``softcam``, one module a subcommand."""

import argparse
import sys
from collections.abc import Sequence

from softcam_core import __version__
from softcam_core.cli import annotations, bench, convert, evaluate, explain, export, info, phantoms, sweep, train
from softcam_core.cli.exits import EXIT_INTERRUPTED, EXIT_OK, EXIT_UNUSABLE, process_rank
from softcam_core.errors import BorderError
from softcam_core.notice import NOTICE


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line; imports no torch, so that ``--help`` is quick."""
    parser = argparse.ArgumentParser(
        prog="softcam",
        description="Train SoftCAM image classifiers and see the evidence behind their predictions.",
        epilog=NOTICE,
    )
    parser.add_argument("--version", action="version", version=f"softcam {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (train, sweep, convert, explain, evaluate, export, annotations, bench, info, phantoms):
        module.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        0 for success, 2 where the input or the options cannot be used, 130 where the user interrupted.
    """
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as stop:  # argparse leaves this way after --help and after a usage error
        return stop.code if isinstance(stop.code, int) else EXIT_OK
    try:
        return int(args.run(args) or EXIT_OK)
    except BorderError as error:
        # One of several processes may be the only one that fails.
        rank = process_rank()
        who = f" (process {rank})" if rank else ""
        print(f"softcam{who}: error: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        if process_rank() == 0:
            print("softcam: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
