"""``softcam evaluate``: how good explanations are, on images that people have annotated."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from softcam_core.cli.exits import EXIT_INTERRUPTED, EXIT_OK
from softcam_core.cli.signals import noted_signals
from softcam_core.errors import SettingsError

if TYPE_CHECKING:
    import torch

    from softcam_core.data.samples import Manifest
    from softcam_core.data.source import DataSource
    from softcam_core.evaluation.folder import EvaluationFolder
    from softcam_core.evaluation.metrics import Metric
    from softcam_core.evaluation.plan import Contender, Network, Plan
    from softcam_core.evaluation.summary import Summary
    from softcam_core.explainers.base import Explainer
    from softcam_core.models.black_box import BlackBox
    from softcam_core.models.card import ModelCard
    from softcam_core.models.softcam import SoftCAM

_DESCRIPTION = """
Compare explanations on labelled images: SoftCAM's evidence of each --model with other methods on a black box, by
whether they point at what was annotated (boxes or masks of the manifest), whether the prediction depends on it, and
what they cost. Writes one figure an image to per_image.parquet and curves.parquet, means with bootstrap intervals and
paired tests to summary.csv and paired.csv, and a report. The same command again goes on where it was interrupted.
"""

_DEFAULT_METHODS = ("evidence", "gradcam", "layercam", "guided", "ig", "lrp")
_SECONDS_BETWEEN_LINES = 10.0


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("evaluate", help="judge explanations by annotated images", description=_DESCRIPTION)
    parser.set_defaults(run=run)
    parser.add_argument("data", type=Path, metavar="MANIFEST", help="table or folder of labelled images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    what = parser.add_argument_group("what is compared")
    several: dict[str, Any] = {"action": "extend", "nargs": "+"}
    what.add_argument(
        "--model", **several, required=True, metavar="[NAME=]FILE", help="SoftCAM models; the first is the reference"
    )
    what.add_argument(
        "--black-box",
        metavar="[NAME=]FILE",
        help="network that other methods explain (default: the first model as a black box)",
    )
    what.add_argument(
        "--method",
        **several,
        metavar="NAME[:OPTION=VALUE,...]",
        help=f"methods, or all ({' '.join(_DEFAULT_METHODS)})",
    )
    what.add_argument(
        "--metric",
        **several,
        metavar="NAME[:OPTION=VALUE,...]",
        help="figures, all, or sets of them: localisation, faithfulness, map, robustness, agreement, local_to_global, "
        "cost (default: the cheap ones, deletion and insertion)",
    )
    what.add_argument("--no-floor", action="store_true", help="without the random map and the edge detector")
    what.add_argument("--class", dest="finding", metavar="NAME", help="what annotations are of (each image's label)")
    what.add_argument(
        "--target",
        choices=("auto", "class"),
        default="auto",
        help="explain of two exclusive classes one against the other (auto), or each by itself (%(default)s)",
    )
    on = parser.add_argument_group("on which images")
    on.add_argument("--split", choices=("train", "val", "test", "all"), default="test", help="(%(default)s)")
    on.add_argument("--limit", type=int, metavar="N", help="only so many, drawn at random")
    _add_data(on)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything drawn (%(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace an evaluation that is in the folder")


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print what came out."""
    from softcam_core.devices import choose_device
    from softcam_core.evaluation.evaluator import evaluate
    from softcam_core.evaluation.folder import EvaluationFolder
    from softcam_core.evaluation.metrics import parse_metrics
    from softcam_core.explainers.watch import CancelledError, Watch
    from softcam_core.export.evaluation_pages import write_pages

    for option, value, least in (("--limit", args.limit, 1), ("--seed", args.seed, 0)):
        if value is not None and value < least:
            raise SettingsError(option, f"{value} is too small", f"It is at least {least}.")
    # What is wrong with the command is said before any file is read.
    metrics, explainers = parse_metrics(args.metric or ()), _explainers(args)
    device = choose_device(args.device)
    show = _Progress()
    with noted_signals() as asked:

        def on_read(done: int, total: int) -> None:
            if asked:
                raise KeyboardInterrupt
            show.read(done, total)

        folder = EvaluationFolder(args.out)
        try:
            plan = _plan(args, metrics, explainers, device, on_read)
            folder.prepare(plan.identity(), overwrite=args.overwrite)
            show.start(plan)
            notes = evaluate(plan, folder, watch=Watch(show.done, lambda: bool(asked)))
        except (CancelledError, KeyboardInterrupt):
            if not folder.asked.exists():
                raise KeyboardInterrupt from None
            print(f"softcam: stopped. The same command goes on in {folder.path}.", file=sys.stderr)
            return EXIT_INTERRUPTED
        finally:
            show.close()
        summary = write_pages(plan, folder, notes)
    _sum_up(plan, folder, summary)
    return EXIT_OK


def _add_data(group: argparse._ArgumentGroup) -> None:
    """Options that say how the images are found, as `softcam train` has them."""
    for option, setting, meaning in (
        ("--format", "data.format", "auto, csv, folders, coco, kaggle_dr or rsna (auto)"),
        ("--root", "data.root", "folder of the images (that of the table)"),
        ("--image-column", "data.image_column", "of the table (image)"),
        ("--label-column", "data.label_column", "of the table (label)"),
        ("--split-column", "data.split_column", "of the table (split)"),
        ("--classes", "data.class_names", "class names for labels 0, 1, ... (those of the model)"),
    ):
        group.add_argument(option, dest=setting, metavar="NAME", help=meaning)
    group.add_argument("--skip-bad", action="store_true", help="leave out images that cannot be read")
    group.add_argument("--config", type=Path, metavar="FILE", help="settings of the data as YAML, as of a training run")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="data.NAME=VALUE",
        help="any setting of the data",
    )
    group.set_defaults(preset=None)


def _sum_up(plan: Plan, folder: EvaluationFolder, summary: Summary) -> None:
    """What came out by the most telling figure, and where the rest is."""
    from softcam_core.evaluation.extremes import headline
    from softcam_core.evaluation.metrics import METRICS

    if chosen := headline(summary):
        print(f"{METRICS[chosen].title} ({METRICS[chosen].better} is better), means with 95 % intervals")
        for contender in plan.contenders:
            if figure := summary.figure(chosen, contender.key):
                interval = f"[{figure.low:.3f}, {figure.high:.3f}]"
                print(f"  {plan.titles[contender.key]:44}{figure.mean:8.3f}   {interval}   {figure.images} images")
    print(f"{folder.report}\n{folder.summary}")


def _explainers(args: argparse.Namespace) -> list[Explainer]:
    """Methods in the order of the tables, the floors last."""
    from dataclasses import fields, replace

    from softcam_core.evaluation.plan import FLOORS
    from softcam_core.explainers.methods import METHODS, parse_method

    texts: list[str] = []
    for text in args.method or [name for name in _DEFAULT_METHODS if name in METHODS]:
        texts += [name for name in METHODS if name not in FLOORS] if text == "all" else [text]
    if not args.no_floor:
        texts += FLOORS
    explainers = [parse_method(text) for text in texts]
    return [
        replace(each, seed=args.seed)  # type: ignore[call-arg]
        if "seed" in {f.name for f in fields(each)} and "seed" not in each.options()
        else each
        for each in explainers
    ]


def _plan(
    args: argparse.Namespace,
    metrics: tuple[Metric, ...],
    explainers: Sequence[Explainer],
    device: torch.device,
    on_read: Callable[[int, int], object],
) -> Plan:
    """Load the networks and look at the images."""
    from softcam_core.data.source import read_source
    from softcam_core.evaluation.cases import choose_samples, read_cases
    from softcam_core.evaluation.plan import Plan, make_contenders, make_networks

    models = _models(args.model, device)
    card = next(iter(models.values())).card
    softcams, explained, notes = make_networks(models, _black_box(args.black_box, models, device))
    told: list[str] = []
    contenders = make_contenders(
        softcams, explained, explainers, leave_out=not args.method or "all" in args.method, report=told.append
    )
    finding = _class(args.finding, card)
    source = _source(args, card)
    manifest = read_source(source)
    _check_classes(manifest, card)
    split = None if args.split == "all" else args.split
    samples = choose_samples(manifest, split, args.limit, args.seed)
    cases = read_cases(
        manifest,
        samples,
        [contender.network.preprocessing for contender in contenders],
        finding=finding,
        skip_bad=args.skip_bad,
        on_read=on_read,
    )
    plan = Plan(
        contenders,
        metrics,
        cases,
        args.split,
        finding,
        args.target,
        args.seed,
        (*_data_notes(args, manifest), *(notes if _is_used(explained, contenders) else ()), *told),
    )
    return _with_missing(plan)


def _is_used(network: Network, contenders: Sequence[Contender]) -> bool:
    return any(contender.network is network and not contender.explainer.about.needs_softcam for contender in contenders)


def _data_notes(args: argparse.Namespace, manifest: Manifest) -> list[str]:
    # How a split came about that nobody looks at is of no interest.
    notes = [note for note in manifest.notes if args.split != "test" or "validation split" not in note]
    if args.split in ("train", "all"):
        notes.append("There may be images among these that the networks were trained on.")
    if args.limit is not None:
        notes.append(f"At most {args.limit} images were drawn at random from the split.")
    return notes


def _with_missing(plan: Plan) -> Plan:
    """Say which figures nobody will see because nothing is annotated."""
    from dataclasses import replace

    needing = [metric.title.lower() for metric in plan.metrics if metric.needs_annotation]
    if not needing or any(plan.cases.annotated(network.preprocessing) for network in plan.networks):
        return plan
    of = "" if plan.finding is None else f" with {plan.class_names[plan.finding]}"
    note = f"No image{of} has a box or a mask that the networks see, so there is no {', '.join(needing)}."
    print(f"softcam: {note}", file=sys.stderr)
    return replace(plan, notes=(*plan.notes, note))


# --- networks


def _named_file(text: str) -> tuple[str, Path]:
    """``NAME=FILE`` or ``FILE``; the name is empty where none is given."""
    name, equals, file = text.partition("=")
    return (name.strip(), Path(file)) if equals and not Path(text).exists() else ("", Path(text))


def _models(texts: Sequence[str], device: torch.device) -> dict[str, SoftCAM]:
    from softcam_core.evaluation.plan import distinct_names
    from softcam_core.models.checkpoint import load_model

    files = [_named_file(text) for text in texts]
    models = [load_model(path, device) for _, path in files]
    usual = distinct_names([model.card for model in models])
    names = [name or card_name for (name, _), card_name in zip(files, usual, strict=True)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise SettingsError("--model", f"two are called {twice[0]}", "Give different models, or names: NAME=FILE.")
    return dict(zip(names, models, strict=True))


def _black_box(text: str | None, models: dict[str, SoftCAM], device: torch.device) -> tuple[str, BlackBox] | None:
    from softcam_core.models.black_box import load_black_box

    if text is None:
        return None
    name, path = _named_file(text)
    black_box = load_black_box(path, next(iter(models.values())).card, device)
    usual = black_box.card.name if black_box.card.name not in models else f"{black_box.card.name}, black box"
    if name in models:
        raise SettingsError("--black-box", f"a model is called {name} too", "Give another name: NAME=FILE.")
    return name or usual, black_box


def _class(name: str | None, card: ModelCard) -> int | None:
    if name is None:
        return None
    if name not in card.class_names:
        raise SettingsError(name, "is not a class of the model", f"Its classes are {', '.join(card.class_names)}.")
    return card.class_index(name)


# --- images


def _source(args: argparse.Namespace, card: ModelCard) -> DataSource:
    """How the images are found; labels are the model's classes where nobody says otherwise."""
    from softcam_core.cli.train import settings_of
    from softcam_core.training.config_files import make_config, merged

    if others := [text for text in args.set if not text.strip().startswith("data.")]:
        raise SettingsError(
            f"--set {others[0]}", "is no setting of the data", "Give for instance data.boxes_size=1024."
        )
    # A run's configuration tells of its own table, and where its images are.
    data = dict(settings_of(args).get("data") or {})
    if not data.get("class_names") and not data.get("label_columns"):
        data["class_names"] = card.class_names
    if args.split == "all":
        data |= {"val_share": 0.0, "test_share": 0.0}
    return make_config(merged([{"data": data}])).data


def _check_classes(manifest: Manifest, card: ModelCard) -> None:
    if manifest.class_names != card.class_names:
        theirs, ours = (", ".join(names) for names in (manifest.class_names, card.class_names))
        advice = "Name the model's classes in its order with --classes, or data.label_columns in this order."
        raise SettingsError(manifest.path, f"has the classes {theirs}, and the model {ours}", advice)


class _Progress:
    """A bar with the time left in a terminal, and plain lines elsewhere."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar: Any = None
        self._last_line = time.monotonic()
        self._begun: tuple[float, float] | None = None
        self._images = 0

    def read(self, done: int, total: int) -> None:
        """Show how many images were looked at."""
        self._show("reading images", done / total, f"read {done} of {total} images")

    def start(self, plan: Plan) -> None:
        """Show what begins."""
        self.close()
        self._images, self._begun = len(plan.cases.chosen), None
        count, images = len(plan.contenders), f"{self._images} image{'s' * (self._images != 1)}"
        print(f"{count} explanations of {images}", file=self._stream, flush=True)

    def done(self, share: float) -> None:
        """Show how much of the work is done."""
        now = time.monotonic()
        if self._begun is None:
            self._begun = now, share
        start, first = self._begun
        left = "?"
        if share > first:
            seconds = round((now - start) * (1 - share) / (share - first))
            left = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        self._show("judging", share, f"{share:.0%} of {self._images} images, {left} left")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self, title: str, share: float, line: str) -> None:
        if not self._stream.isatty():
            if time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
                print(line, file=self._stream, flush=True)
                self._last_line = time.monotonic()
            return
        if self._bar is None:
            from tqdm import tqdm

            form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
            self._bar = tqdm(total=1.0, initial=share, desc=title, file=self._stream, bar_format=form, leave=False)
        self._bar.update(share - self._bar.n)
