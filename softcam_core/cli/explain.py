"""``softcam explain``: overlays, evidence and scores of images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from softcam_core.errors import BorderError, SettingsError
from softcam_core.export.case_files import DEFAULT_FORMATS, FORMATS, CaseFiles, output_names
from softcam_core.export.colormaps import COLORMAPS

if TYPE_CHECKING:
    from softcam_core.explainers.base import Explainer
    from softcam_core.explainers.explanation import Explanation
    from softcam_core.models.card import ModelCard
    from softcam_core.models.classifier import Classifier
    from softcam_core.models.softcam import SoftCAM

_DESCRIPTION = """
Write for each image NAME_overlay.png (the evidence over the image, with a colour bar) and NAME_evidence.npz (the
evidence as numbers), and for all of them scores.csv. Other methods write NAME_METHOD_overlay.png and NAME_METHOD.npz
beside them; they explain the model's black-box twin, or a black box of its own. --before writes what has changed since
an earlier model. --format chooses other files. An image that cannot be read is reported and left out; the exit code is
then 2.
"""
_COSTS = {
    "forward": "one forward pass",
    "backward": "one pass forward and back",
    "tens": "tens of passes",
    "hundreds": "hundreds of passes",
    "thousands": "thousands of passes",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("explain", help="show the evidence in images", description=_DESCRIPTION)
    parser.set_defaults(run=run)
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="image files, and folders of them")
    parser.add_argument("--model", type=Path, required=True, metavar="FILE", help="model file (.safetensors)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--class", dest="target", metavar="NAME", help="class to show (default: the predicted one; of two, the second)"
    )
    parser.add_argument(
        "--against", metavar="NAME", help="class to subtract (default with two classes: the other one; else none)"
    )
    parser.add_argument(
        "--method",
        action="append",
        metavar="NAME",
        help="another method to show, perhaps with options (occlusion:patch=32); can be given several times",
    )
    parser.add_argument("--methods", action=_ListMethods, nargs=0, help="list the methods and their options, and exit")
    parser.add_argument(
        "--black-box", type=Path, metavar="FILE", help="what other methods explain (default: the model's twin)"
    )
    parser.add_argument(
        "--before",
        type=Path,
        metavar="FILE",
        help="model that this one was trained on from: write what has changed in the evidence too, NAME_change_...",
    )
    parser.add_argument(
        "--format",
        action="append",
        dest="formats",
        choices=FORMATS,
        metavar="NAME",
        help="what to write, can be given several times (default: overlay and npz): "
        + "; ".join(f"{name}: {what}" for name, what in FORMATS.items()),
    )
    parser.add_argument(
        "--keep-identity",
        action="store_true",
        help="write DICOM files into the image's study, with its patient (default: without identity, beside a copy of "
        "the image, NAME_image.dcm)",
    )
    parser.add_argument("--threshold", type=float, help="hide values nearer to zero (default: 20 %% of the largest)")
    parser.add_argument("--opacity", type=float, default=0.6, help="of the overlay, 0 to 1 (%(default)s)")
    parser.add_argument("--colormap", metavar="NAME", help=", ".join(COLORMAPS))
    parser.add_argument("--frame", type=int, default=0, metavar="N", help="frame of multi-frame files, from 0")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Explain all images; 2 where one could not be."""
    from softcam_core.devices import choose_device
    from softcam_core.explainers.methods import parse_method
    from softcam_core.export.overlay import check_options
    from softcam_core.export.tables import write_scores
    from softcam_core.models.checkpoint import load_model

    # What is wrong for every image is said once, before any work.
    check_options(args.threshold, args.opacity, args.colormap)
    explainers = [parse_method(method) for method in args.method or ()]
    model = load_model(args.model, choose_device(args.device))
    explained = _explained(model, explainers, args.black_box)
    before = None if args.before is None else load_model(args.before, model.device)
    _check_classes(model.card, args.target, args.against)
    paths, failures = _find(args.images)
    _make_folder(args.out)
    names = output_names(paths)
    formats = tuple(args.formats or DEFAULT_FORMATS)
    output = CaseFiles(args.out, formats, args.keep_identity, args.threshold, args.opacity, args.colormap)
    rows = []
    for path, name in zip(paths, names, strict=True):
        try:
            explanation = _explain(model, before, explained, path, name, output, args)
        except BorderError as error:
            print(f"softcam: error: {error}", file=sys.stderr)
            failures += 1
            continue
        rows.append((path.name, name, explanation))
        probability = explanation.probabilities[explanation.predicted]
        print(f"{path.name}: {explanation.class_names[explanation.predicted]} ({probability:.3f})")
    if rows:
        write_scores(args.out / "scores.csv", rows, model.card.class_names)
        print(f"{len(rows)} explained, in {args.out}")
    return 2 if failures else 0


def _find(inputs: Sequence[Path]) -> tuple[list[Path], int]:
    """All images, each once, and the number of inputs that gave none."""
    from softcam_core.imaging.readers import find_images

    found: dict[Path, Path] = {}
    failures = 0
    for path in inputs:
        try:
            for image in find_images(path):
                found.setdefault(image.resolve(), image)
        except BorderError as error:
            print(f"softcam: error: {error}", file=sys.stderr)
            failures += 1
    return list(found.values()), failures


def _explained(
    model: SoftCAM, explainers: Sequence[Explainer], black_box: Path | None
) -> list[tuple[Classifier, Explainer]]:
    """Each method with the network it explains; refused where it cannot."""
    from softcam_core.models.black_box import load_black_box, twin_or_itself

    posthoc = [each for each in explainers if not each.about.needs_softcam]
    network: Classifier = model
    if posthoc:
        network = load_black_box(black_box, model.card, model.device) if black_box else twin_or_itself(model)
    for each in posthoc:
        if reason := each.refusal(network):
            raise SettingsError(network.card.architecture, f"{each.about.title} cannot explain it: {reason}",
                                "Choose another method.")  # fmt: skip
    return [(network, each) for each in posthoc]


def _explain(
    model: SoftCAM,
    before: SoftCAM | None,
    explained: Sequence[tuple[Classifier, Explainer]],
    path: Path,
    name: str,
    output: CaseFiles,
    args: argparse.Namespace,
) -> Explanation:
    """Explain an image with the model's evidence, which is given back, its change, and all other methods."""
    from softcam_core.explainers.change import change_between
    from softcam_core.explainers.methods import explain
    from softcam_core.imaging.readers import read_image

    image = read_image(path, frame=args.frame)
    evidence = explain(model, image)
    view = _view(evidence, args.target, args.against)
    source = output.source(image, name)
    if lack := output.write(image, evidence, view, source, name):
        print(f"softcam: warning: {lack}", file=sys.stderr)
    if before is not None:
        change = change_between(explain(before, image), evidence)
        output.write(image, change, view, source, f"{name}_change")
    for network, explainer in explained:
        explanation = explain(network, image, explainer, [evidence.target(*view)])
        # A threshold is in logits; maps without units keep their own.
        own = output if explanation.unit else replace(output, threshold=None)
        own.write(image, explanation, view, source, f"{name}_{explainer.about.name}")
        if warning := explanation.warning(*view):
            print(f"softcam: warning: {path.name}: {explainer.about.title}: {warning}", file=sys.stderr)
    return evidence


class _ListMethods(argparse.Action):
    """Tells what methods there are and ends, as --help does."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from dataclasses import fields

        from softcam_core.explainers.methods import METHODS

        for name, method in METHODS.items():
            about = method.about
            print(f"{name:14}{about.title} ({about.reference}); {_COSTS[about.cost]}")
            for option in fields(method):
                print(f"{'':16}{option.name}={option.default!s}  {option.metadata['help']}")
        parser.exit()


def _view(explanation: Explanation, target: str | None, against: str | None) -> tuple[int, int | None]:
    """Target and opponent of an image, with what was not asked for filled in."""
    if target is None and against is None:
        return explanation.default_view()
    opponent = None if against is None else explanation.index(against)
    if target is not None:
        return explanation.index(target), opponent
    # The likeliest class that is not the opponent itself.
    ranked = sorted(range(len(explanation.logits)), key=lambda k: -float(explanation.logits[k]))
    return next(k for k in ranked if k != opponent), opponent


def _check_classes(card: ModelCard, target: str | None, against: str | None) -> None:
    for name in (target, against):
        if name is not None and name not in card.class_names:
            raise SettingsError(name, "is not a class of the model", f"Its classes are {', '.join(card.class_names)}.")
    if against is not None and (target == against or len(card.class_names) < 2):
        raise SettingsError(against, "cannot be set against itself", "Name two different classes.")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise SettingsError(path, "is a file, not a folder", "Choose another folder for --out.") from error
    except OSError as error:
        raise SettingsError(path, f"cannot be made: {error.strerror}", "Choose another folder for --out.") from error
