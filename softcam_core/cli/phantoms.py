"""``softcam phantoms``: write synthetic images whose lesions are known to the pixel."""

import argparse
from pathlib import Path

from tqdm import tqdm


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand ``phantoms``."""
    parser = commands.add_parser(
        "phantoms",
        help="write synthetic chest radiographs or fundus photographs with exact lesion masks",
        description=(
            "Write synthetic frontal chest radiographs, with focal opacities or without, as DICOM files, or colour "
            "fundus photographs, with small lesions of diabetic retinopathy or without, as PNG files; with exact "
            "lesion masks and a manifest to train from. The same options give the same files."
        ),
    )
    parser.add_argument(
        "--kind",
        choices=("chest", "fundus"),
        default="chest",
        help="chest radiographs with large lesions or fundus photographs with small ones (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    parser.add_argument("--count", type=int, default=100, metavar="N", help="number of studies (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="another seed, other studies (default: 0)")
    parser.add_argument(
        "--size", type=int, default=512, metavar="PIXELS", help="side of the images (default: %(default)s)"
    )
    parser.add_argument("--vary-size", action="store_true", help="let size and aspect ratio vary around --size")
    parser.add_argument(
        "--lesion-fraction",
        type=float,
        default=0.5,
        metavar="PART",
        help="part of the studies with lesions, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--tags",
        type=float,
        nargs=2,
        metavar=("WITH", "WITHOUT"),
        help="plant a shortcut: the part of the studies with lesions, and without, that wear a lead tag in a corner",
    )
    parser.add_argument("--compress", action="store_true", help="DICOM in RLE Lossless, two thirds as large")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the phantoms.

    Raises
    ------
    SettingsError
        When the folder is not empty, or a number is out of range.
    """
    from softcam_core.data.phantom_files import write_phantoms  # late: `softcam --help` needs no pydicom

    with tqdm(total=args.count, unit="study", disable=None, leave=False) as bar:

        def show(written: int, _count: int) -> None:
            bar.update(written - bar.n)

        manifest = write_phantoms(
            args.out,
            args.count,
            kind=args.kind,
            seed=args.seed,
            size=args.size,
            lesion_fraction=args.lesion_fraction,
            vary_size=args.vary_size,
            compress=args.compress,
            tags=None if args.tags is None else tuple(args.tags),
            progress=show,
        )
    print(f"{args.count} studies in {manifest}")
    return 0
