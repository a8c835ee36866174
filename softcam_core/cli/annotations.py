"""``softcam annotations``: annotations into files, out of files, together, and counted."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from softcam_core.annotations.annotation import STATUSES, VERDICTS
from softcam_core.annotations.reading import counted
from softcam_core.errors import SettingsError
from softcam_core.notice import NOTICE

if TYPE_CHECKING:
    from softcam_core.annotations.agreement import Agreement
    from softcam_core.annotations.collection import Collection
    from softcam_core.annotations.image_files import ImageFiles
    from softcam_core.annotations.query import Query
    from softcam_core.annotations.statistics import Statistics

FORMATS = {
    "coco": "COCO JSON, from which everything comes back",
    "csv": "a row each",
    "png": "masks and a table of them, a folder",
    "seg": "DICOM Segmentations, a folder",
    "sr": "DICOM Structured Reports (TID 1500), a folder",
}
"""Names, and what is written."""
_DICOM = ("seg", "sr")
_NOBODY = {"": "(no name)"}
_EXPORT = """
Write annotations of a store. Names of patients, identifiers and paths are left out unless asked for; reviewers' names
and comments are written. DICOM needs the images themselves.
"""
_IMPORT = """
Read a COCO JSON, a CSV or a folder of PNG masks into a store, all of it or nothing. Files of this program come back as
they were; of other COCO files, --images says which images are meant, and --verdict what an annotation means.
"""
_MERGE = "Take what another store has into a store; of two forms of one annotation the one written later stays."
_STATS = "Count annotations, and say how far reviewers agree."


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("annotations", help="export, import, merge or count annotations")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_export(actions)
    _add_import(actions)
    merge = actions.add_parser("merge", help="take in another store", description=_MERGE)
    merge.set_defaults(run=_merge)
    _add_store(merge)
    merge.add_argument("other", type=Path, metavar="OTHER", help="store to take from; it is not changed")
    stats = actions.add_parser("stats", help="counts and agreement", description=_STATS)
    stats.set_defaults(run=_stats)
    _add_store(stats)
    stats.add_argument("--json", action="store_true", help="for programs")


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("store", type=Path, metavar="STORE", help="file of annotations (.sqlite)")


def _add_export(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("export", help="write annotations to files", description=_EXPORT)
    parser.set_defaults(run=_export)
    _add_store(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help="file or folder to write")
    formats = "; ".join(f"{name}: {what}" for name, what in FORMATS.items())
    parser.add_argument("--format", choices=FORMATS, default="coco", metavar="NAME", help=f"{formats} (%(default)s)")
    for option, name, what in (
        ("--class", "class_names", "only of this class; can be given several times"),
        ("--reviewer", "reviewers", "only by this reviewer; can be given several times"),
    ):
        parser.add_argument(option, action="append", dest=name, metavar="NAME", help=what)
    parser.add_argument(
        "--verdict", action="append", dest="verdicts", choices=VERDICTS, metavar="NAME",
        help=f"only {', '.join(VERDICTS)}; can be given several times",
    )  # fmt: skip
    parser.add_argument("--text", default="", help="only with these words in comment, class, reviewer or model")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="where the images lie (seg and sr)")
    parser.add_argument(
        "--identifiers",
        action="store_true",
        help="with SOP Instance UIDs and names of files (coco, csv); in the image's study, with its patient (seg, sr)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")


def _add_import(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("import", help="read annotations from files", description=_IMPORT)
    parser.set_defaults(run=_import)
    parser.add_argument("store", type=Path, metavar="STORE", help="file of annotations (.sqlite); made where it is not")
    parser.add_argument("file", type=Path, metavar="FILE", help=".json, .csv, or a folder of masks")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="where the images lie that the file names")
    parser.add_argument(
        "--verdict", choices=VERDICTS, default="missed", metavar="NAME",
        help=f"of annotations that have none: {', '.join(VERDICTS)} (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--reviewer", default="", metavar="NAME", help="of annotations that have none")
    parser.add_argument("--classes", metavar="A,B,...", help="classes that there are; others are refused")
    parser.add_argument("--skip-bad", action="store_true", help="leave out what cannot be used, and say so")


def _export(args: argparse.Namespace) -> int:
    from softcam_core.annotations.collection import collect
    from softcam_core.annotations.image_files import ImageFiles
    from softcam_core.annotations.store import AnnotationStore

    if args.format in _DICOM and args.images is None:
        reason = "DICOM refers to the images, and it is not said where they lie"
        raise SettingsError(args.out, reason, "Name their folder with --images.")
    is_empty_folder = args.format in (*_DICOM, "png") and args.out.is_dir() and not any(args.out.iterdir())
    if args.out.exists() and not is_empty_folder and not args.overwrite:
        raise SettingsError(
            args.out, "exists already", "Choose another name with --out, or replace it with --overwrite."
        )
    images = ImageFiles(args.images) if args.format in _DICOM else None
    with AnnotationStore(args.store, read_only=True) as store:
        collection = collect(store, _query(args))
    if args.format != "coco" and not collection.annotations:
        raise SettingsError(args.store, "has no such annotations", "Ask for other verdicts, classes or reviewers.")
    if images is not None:
        return _export_dicom(args, collection, images)
    remarks: Iterable[str] = ()
    if args.format == "png":
        from softcam_core.annotations.mask_files import write_masks

        remarks = write_masks(args.out, collection)
    elif args.format == "csv":
        from softcam_core.annotations.table import write_table

        write_table(args.out, collection, identifiers=args.identifiers)
    else:
        from softcam_core.annotations.coco import write_coco

        write_coco(args.out, collection, identifiers=args.identifiers)
    _warn(remarks)
    found = counted(len(collection.annotations), "annotation")
    print(f"{found} of {counted(len(collection.cases), 'image')}, in {args.out}")
    return 0


def _export_dicom(args: argparse.Namespace, collection: Collection, images: ImageFiles) -> int:
    from softcam_core.export.annotation_dicom import write_dicom

    written = write_dicom(args.out, collection, images, args.format, keep_identity=args.identifiers)
    _warn(written.remarks)
    count = len(collection.annotations) - written.left_out
    print(f"{counted(count, 'annotation')} in {counted(len(written.files), 'file')}, in {args.out}")
    return 2 if written.left_out else 0


def _query(args: argparse.Namespace) -> Query | None:
    """What to export; None for everything."""
    from softcam_core.annotations.query import Query

    query = Query(
        text=args.text,
        verdicts=tuple(args.verdicts or ()),
        class_names=tuple(args.class_names or ()),
        reviewers=tuple(args.reviewers or ()),
    )
    return None if query == Query() else query


def _import(args: argparse.Namespace) -> int:
    from softcam_core.annotations.collection import bring_in
    from softcam_core.annotations.store import AnnotationStore

    collection = _read(args)
    _warn(collection.remarks)
    with AnnotationStore(args.store) as store:
        _warn([store.remark] if store.remark else [])
        brought = bring_in(store, collection)
    print(
        f"{brought.added} added, {brought.changed} changed, {brought.known} known already, "
        f"{brought.kept} kept in their later form; {counted(brought.cases, 'new image')}"
    )
    return 0


def _read(args: argparse.Namespace) -> Collection:
    """The file, of whichever format."""
    if args.file.is_dir():
        from softcam_core.annotations.mask_files import read_masks

        return read_masks(args.file, reviewer=args.reviewer, skip_bad=args.skip_bad)
    if args.file.suffix.lower() == ".csv":
        from softcam_core.annotations.table import read_table

        return read_table(args.file, skip_bad=args.skip_bad)
    from softcam_core.annotations.coco_import import Given, read_coco
    from softcam_core.annotations.image_files import ImageFiles

    given = Given(
        images=ImageFiles(args.images) if args.images else None,
        verdict=args.verdict,
        reviewer=args.reviewer,
        class_names=tuple(name.strip() for name in (args.classes or "").split(",") if name.strip()),
        skip_bad=args.skip_bad,
    )
    return read_coco(args.file, given)


def _merge(args: argparse.Namespace) -> int:
    from softcam_core.annotations.merging import merge
    from softcam_core.annotations.store import AnnotationStore

    with AnnotationStore(args.other, read_only=True) as other, AnnotationStore(args.store) as store:
        report = merge(store, other)
    print(
        f"{report.added} added, {report.replaced} replaced and {report.removed} removed as in {args.other}, "
        f"{report.kept} kept as here, {report.unchanged} the same; {counted(report.cases, 'new image')}"
    )
    return 0


def _stats(args: argparse.Namespace) -> int:
    from softcam_core.annotations.agreement import agreement
    from softcam_core.annotations.statistics import statistics
    from softcam_core.annotations.store import AnnotationStore

    with AnnotationStore(args.store, read_only=True) as store:
        counts, pairs = statistics(store), agreement(store)
    if args.json:
        content = {"statistics": asdict(counts), "agreement": [asdict(pair) for pair in pairs], "notice": NOTICE}
        print(json.dumps(content, indent=2))
    else:
        print("\n".join(_told(counts, pairs)))
    return 0


def _told(counts: Statistics, pairs: Sequence[Agreement]) -> Iterator[str]:
    """Counts and agreement as lines of a table."""
    said = f"{counted(counts.annotations, 'annotation')} and {counted(counts.reviews, 'review')}"
    yield f"{said} on {counted(counts.cases, 'image')}"
    tables: tuple[tuple[str, dict[str, int], Mapping[str, str]], ...] = (
        ("Verdict", counts.by_verdict, {str(name): title for name, title in VERDICTS.items()}),
        ("Class", counts.by_class, {"": "(none)"}),
        ("Reviewer", counts.by_reviewer, _NOBODY),
        ("Model", counts.by_model, {"": "(none)"}),
        ("Status", counts.by_status, {str(name): title for name, title in STATUSES.items()}),
        ("Images reviewed by", counts.reviewed, _NOBODY),
    )
    for title, numbers, names in tables:
        if numbers:
            yield f"\n{title}"
            yield from (f"  {names.get(name, name):32} {number:8}" for name, number in numbers.items())
    if pairs:
        yield "\nAgreement: kappa of labels and of statuses, IoU of places that both marked, and of all"
        yield f"  {'Reviewers':40} {'images':>7} {'labels':>7} {'status':>7} {'both':>7} {'all':>7}"
    for pair in pairs:
        both = " and ".join(_NOBODY.get(name, name) for name in (pair.reviewer_a, pair.reviewer_b))
        figures = (pair.kappa, pair.status_kappa, pair.iou_of_both, pair.iou)
        yield f"  {both:40} {pair.cases:7} " + " ".join(f"{'-' if x is None else f'{x:.3f}':>7}" for x in figures)
    yield f"\n{NOTICE}"


def _warn(remarks: Iterable[str]) -> None:
    for remark in remarks:
        print(f"softcam: warning: {remark}", file=sys.stderr)
