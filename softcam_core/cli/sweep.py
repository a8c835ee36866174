"""``softcam sweep``: which coefficients of the elastic net, judged on validation images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from softcam_core.cli.exits import EXIT_INTERRUPTED
from softcam_core.cli.signals import noted_signals
from softcam_core.cli.train import add_settings, settings_of
from softcam_core.errors import SettingsError

if TYPE_CHECKING:
    from softcam_core.cli.progress import TrainingProgress
    from softcam_core.sweep.folder import SweepFolder
    from softcam_core.sweep.records import TrialRecord
    from softcam_core.sweep.space import Space
    from softcam_core.training.config import TrainingConfig
    from softcam_core.training.events import Event

_DESCRIPTION = """
Train one model for each pair of coefficients of the elastic net (--l1, --l2), and compare them on the validation
images: how well they classify, how sparse their evidence is and, where the data has masks or boxes, whether it lies in
them. No trial sees a test image. DATA and the settings are those of `softcam train`. The same command again, or
`softcam sweep --out DIR` alone, goes on where a sweep was interrupted.
"""

_RULE = """
Suggested are the coefficients of the sparsest evidence (mean Gini index), and of the evidence with the greatest share
of its mass in the annotations, each among those whose selected figure (training.select) is within --tolerance of the
best one. With several --seeds all figures are means over them; coefficients with a failed trial take no part.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "sweep", help="search the elastic net's coefficients", description=_DESCRIPTION, epilog=_RULE
    )
    parser.set_defaults(run=run)
    parser.add_argument("data", nargs="?", type=Path, metavar="DATA", help="table or folder of labelled images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the sweep")
    what = parser.add_argument_group("what is tried")
    what.add_argument("--l1", metavar="LIST|RANGE", help="0,1e-6,1e-5 or 1e-6:1e-3 (that of the settings)")
    what.add_argument("--l2", metavar="LIST|RANGE", help="likewise")
    what.add_argument(
        "--search",
        choices=("grid", "random"),
        help="all combinations, or --trials of them at random, log-uniform in ranges (random where there are any)",
    )
    what.add_argument("--trials", type=int, metavar="N", help="pairs of coefficients that a random search draws")
    what.add_argument("--search-seed", type=int, metavar="N", help="of the draws (0)")
    what.add_argument("--seeds", metavar="N,N,...", help="train each pair with each of these (that of the settings)")
    what.add_argument("--retry-failed", action="store_true", help="start trials again that have failed")
    what.add_argument(
        "--tolerance", type=float, default=0.01, metavar="X", help="of the suggestion, see below (%(default)s)"
    )
    add_settings(parser, without=("--l1", "--l2", "--seed"))


def run(args: argparse.Namespace) -> int:
    """Run the sweep, and print what came of it."""
    if not args.tolerance >= 0:
        raise SettingsError("--tolerance", f"{args.tolerance} is not at least 0", "Give for instance 0.01.")
    config, space = _going_on(args) if args.data is None else _asked(args)
    return _sweep(config, space, args)


def _asked(args: argparse.Namespace) -> tuple[TrainingConfig, Space]:
    """What a whole command line asks for."""
    from softcam_core.sweep.space import Range, Values, make_space, parse_axis
    from softcam_core.training.config_files import make_config

    if args.l1 is None and args.l2 is None:
        raise SettingsError("--l1, --l2", "nothing says what to try", "Give for instance --l1 0,1e-6,1e-5.")
    config = make_config(settings_of(args))
    l1 = parse_axis(args.l1, "--l1") if args.l1 else Values(values=(config.loss.l1,))
    l2 = parse_axis(args.l2, "--l2") if args.l2 else Values(values=(config.loss.l2,))
    search = args.search or ("random" if Range in (type(l1), type(l2)) else "grid")
    return config, make_space(
        "softcam sweep",
        l1=l1,
        l2=l2,
        search=search,
        trials=args.trials,
        search_seed=args.search_seed or 0,
        seeds=(config.seed,) if args.seeds is None else _whole_numbers(args.seeds),
    )


def _going_on(args: argparse.Namespace) -> tuple[TrainingConfig, Space]:
    """What the folder says was asked, perhaps with more trials or other hardware."""
    from softcam_core.sweep.folder import SweepFolder
    from softcam_core.sweep.space import make_space
    from softcam_core.training.config_files import make_config, merged

    options = {"--l1": args.l1, "--l2": args.l2, "--search": args.search, "--search-seed": args.search_seed}
    given = [name for name, value in {**options, "--seeds": args.seeds}.items() if value is not None]
    folder = SweepFolder(args.out)
    settings, space = folder.read()
    if given:
        raise SettingsError(args.out, f"goes on as it began, without {', '.join(given)}", "Name DATA for a new sweep.")
    if args.trials is not None:
        space = make_space("softcam sweep", **{**dict(space), "trials": args.trials})
    return make_config(merged([settings, settings_of(args)]), folder.asked), space


def _whole_numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SettingsError(f"--seeds {text}", "is no list of whole numbers", "Give for instance 0,1,2.") from error


def _sweep(config: TrainingConfig, space: Space, args: argparse.Namespace) -> int:
    from softcam_core.sweep.folder import SweepFolder
    from softcam_core.sweep.pareto import candidates
    from softcam_core.sweep.plot import plot_pareto
    from softcam_core.sweep.runner import run_sweep
    from softcam_core.sweep.space import plan
    from softcam_core.sweep.summary import describe

    folder = SweepFolder(args.out)
    select = config.training.select
    with noted_signals() as asked:
        show = _Progress(folder, select, len(plan(space)), asked)
        try:
            records = run_sweep(
                config,
                space,
                folder.path,
                retry_failed=args.retry_failed,
                listeners=(show,),
                should_stop=lambda: bool(asked),
                on_read=show.read,
                on_trial=show.trial,
            )
        except KeyboardInterrupt:
            if not folder.asked.exists():
                raise
            print(f"softcam: stopped. Go on with: softcam sweep --out {folder.path}", file=sys.stderr)
            return EXIT_INTERRUPTED
        finally:
            show.close()
    found = candidates(records)
    if found:
        plot_pareto(found, select, folder.plot, len(space.seeds))
    print(describe(records, select, args.tolerance))
    if not found:
        raise SettingsError(folder.trials, "no pair of coefficients got to its end", "Its last column says why.")
    print(f"{folder.trials}\n{folder.plot}")
    return 0


class _Progress:
    """How the trials look in a terminal: each like a run, with a line before and after."""

    def __init__(self, folder: SweepFolder, select: str, total: int, asked: list[int]) -> None:
        self._folder, self._select, self._total, self._asked = folder, select, total, asked
        self._show: TrainingProgress | None = None

    def trial(self, record: TrialRecord) -> None:
        """Show that a trial starts, or what came of it."""
        from softcam_core.cli.progress import TrainingProgress

        trial = record.trial
        if record.status == "open":
            text = f"l1 {trial.l1:g}, l2 {trial.l2:g}, seed {trial.seed}"
            self._show = TrainingProgress(self._folder.run(trial).best, self._select)
        elif record.status == "failed":
            text = f"failed: {record.reason}"
        else:
            names = (f"val_{self._select}", "gini", "mass_in_annotation")
            known = [name for name in names if name in record.figures]
            text = ", ".join(f"{name.replace('_', ' ')} {record.figures[name]:.4f}" for name in known)
        self.close()
        print(f"trial {trial.number} of {self._total}: {text}", file=sys.stderr, flush=True)

    def read(self, done: int, total: int) -> None:
        """Show how many images were looked through."""
        if self._asked:
            raise KeyboardInterrupt
        if self._show is not None:
            self._show.read(done, total)

    def __call__(self, event: Event) -> None:
        """Show what happened, but for the end, of which the table at the end tells."""
        from softcam_core.training.events import EndEvent, WarningEvent

        if self._show is not None:
            if not isinstance(event, EndEvent):
                self._show(event)
        elif isinstance(event, WarningEvent):
            print(f"warning: {event.message}", file=sys.stderr)

    def close(self) -> None:
        """Take the bar away."""
        if self._show is not None:
            self._show.close()
