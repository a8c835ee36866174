"""Compare SoftCAM's evidence with what is said about a separately trained black box, on radiographs and phantoms.

Trains what is not there yet, runs `softcam evaluate` for both kinds of data, and writes docs/study-explanations.md.
The tables, plots and reports are in build/studies/explanations. Run by ``make study-explanations``; hours on a CPU.
Needs the folder of test data that is not part of this repository for the radiographs; without it only phantoms are
judged, and the document is left as it is.
"""

import argparse
import csv
import json
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from explanation_models import FOLDER, Trained, judged_phantoms, nih_models, phantom_models
from measuring import machine, write_study
from nih_boxes import write_boxed_manifest

from softcam_core.cli import main as softcam
from softcam_core.evaluation.metrics import METRICS

DOCUMENT = Path("docs/study-explanations.md")
METHODS = ("evidence", "gradcam", "layercam", "lrp", "guided", "ig", "occlusion")
# Figures in the document; the reports have all.
COLUMNS = ("pointing_game", "relevance_mass", "relevance_rank", "patch_precision", "deletion", "insertion", "seconds")


@dataclass(frozen=True, slots=True)
class Study:
    """One kind of data."""

    name: str
    title: str
    models: Trained
    arguments: list[str]
    metrics: tuple[str, ...] = ("default",)

    @property
    def folder(self) -> Path:
        return FOLDER / f"{self.name}_evaluation"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--fresh", action="store_true", help="train and judge anew")
    arguments = parser.parse_args()
    has_radiographs = (arguments.data / "cxr_nih_train320").is_dir()
    studies = [radiographs(arguments.data, arguments.fresh)] if has_radiographs else []
    studies.append(phantoms(arguments.fresh))
    for study in studies:
        evaluate(study, arguments.fresh)
    write_study("explanations", {"machine": machine(), "studies": {study.name: summary(study) for study in studies}})
    if has_radiographs:
        DOCUMENT.write_text("\n".join(document(studies)) + "\n", encoding="utf-8")
        print(DOCUMENT)
    else:
        print(f"{arguments.data / 'cxr_nih_train320'} is not there: no radiographs, and {DOCUMENT} stays as it is")
    return 0


def radiographs(data: Path, fresh: bool) -> Study:
    """NIH radiographs with and without pneumonia, judged by radiologists' boxes."""
    manifest = write_boxed_manifest(data, FOLDER / "nih_boxes.csv")
    return Study("nih", "Radiographs", nih_models(data, fresh), [*manifest, "--class", "pneumonia"])


def phantoms(fresh: bool) -> Study:
    """Phantoms, whose lesions are known to the pixel."""
    models = phantom_models(fresh)
    arguments = [str(judged_phantoms()), "--split", "all", "--class", "opacity"]
    # The paper's 33 of 512 pixels, on this model's 128.
    blocks = ("deletion:block=8", "insertion:block=8", "patch_precision:patch=8,stride=2")
    return Study("phantoms", "Phantoms", models, arguments, ("default", *blocks))


def evaluate(study: Study, fresh: bool) -> None:
    """Run `softcam evaluate`, or go on where it was interrupted."""
    models = ("--model", f"sparse={study.models.sparse}", f"dense={study.models.dense}")
    command = [
        *("evaluate", *study.arguments, "--out", str(study.folder), *models),
        *("--black-box", f"black box={study.models.black_box}", "--method", *METHODS, "--metric", *study.metrics),
    ]
    if code := softcam([*command, *(["--overwrite"] if fresh else [])]):
        sys.exit(code)


def summary(study: Study) -> object:
    """Everything that the evaluation found out."""
    return json.loads((study.folder / "summary.json").read_text(encoding="utf-8"))


def rows_of(folder: Path) -> list[dict[str, str]]:
    """Lines of an evaluation's table of figures."""
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def document(studies: list[Study]) -> list[str]:
    """The study as Markdown."""
    lines = [
        "# Study: evidence and explanations",
        "",
        "<!-- Written by benchmarks/study_explanations.py; do not edit. -->",
        "",
        *wrapped(
            f"`make study-explanations`; {machine()}. SoftCAM's evidence, of a model trained with an l1 penalty "
            "(sparse) and of one trained without (dense), is compared with methods that explain a black box trained "
            "apart: the same layers and settings as the dense SoftCAM, another seed. Of the two classes one is "
            "explained against the other. Means over images with 95 % bootstrap intervals over images (patients, "
            "where they are known). What each figure means, and the paper it is from, is in "
            "[evaluation.md](evaluation.md). Nothing here was used to choose a model or a setting."
        ),
    ]
    for study in studies:
        lines += ["", f"## {study.title}", "", *facts(study), "", *table(study.folder, COLUMNS)]
        lines += ["", *comparisons(study)]
    return lines


def facts(study: Study) -> list[str]:
    """What was trained and judged."""
    from softcam_core.models.checkpoint import read_card

    cards = {name: read_card(getattr(study.models, name)) for name in ("sparse", "dense", "black_box")}
    areas = ", ".join(f"{name.replace('_', ' ')} {card.metrics['test_auc']:.3f}" for name, card in cards.items())
    rows = rows_of(study.folder)
    judged, marked = (
        max(int(row["images"]) for row in rows if row["metric"] == metric) for metric in ("deletion", "pointing_game")
    )
    architecture = cards["dense"].architecture
    return wrapped(
        f"{architecture}; AUC on the test split of its training data: {areas}. {judged} images were judged, {marked} "
        "of them with annotations."
    )


def table(folder: Path, columns: tuple[str, ...]) -> list[str]:
    """Figures of all methods as a Markdown table; the better end of each column is told by an arrow."""
    rows = rows_of(folder)
    contenders = list(dict.fromkeys((row["model"], row["method"]) for row in rows))
    found = {(row["model"], row["method"], row["metric"]): row for row in rows}
    arrows = {"higher": " ↑", "lower": " ↓", "neither": ""}
    titles = [METRICS[name].title + arrows[METRICS[name].better] for name in columns]
    lines = ["| | " + " | ".join(titles) + " |", "|---" * (len(columns) + 1) + "|"]
    for model, method in contenders:
        cells = [cell(found.get((model, method, name))) for name in columns]
        lines.append(f"| {method}, {model} | " + " | ".join(cells) + " |")
    return lines


def cell(row: dict[str, str] | None) -> str:
    """A mean with its interval."""
    if row is None:
        return "–"
    mean, low, high = (float(row[name]) for name in ("mean", "low", "high"))
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def comparisons(study: Study) -> list[str]:
    """Which figures of the sparse evidence differ from others' beyond chance, in both directions."""
    with (study.folder / "paired.csv").open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file))
    verdicts: dict[str, list[str]] = {"better": [], "worse": []}
    for row in pairs:
        metric = METRICS[row["metric"]]
        if (row["model"], row["method"]) != ("sparse", "evidence") or metric.name not in COLUMNS:
            continue
        if metric.better == "neither" or not float(row["p_corrected"]) < 0.05:
            continue
        is_better = (float(row["difference"]) > 0) == (metric.better == "higher")
        other = f"{row['other_method']}, {row['other_model']}"
        verdicts["better" if is_better else "worse"].append(f"{metric.title.lower()} than {other}")
    lines = ["Paired tests (sign flips, Holm over all pairs of a figure) of the sparse model's evidence:", ""]
    for verdict, found in verdicts.items():
        lines += textwrap.wrap(f"- {verdict}: {'; '.join(found) or 'nothing'}.", 119, subsequent_indent="  ")
    return lines


def wrapped(text: str) -> list[str]:
    """A paragraph."""
    return textwrap.wrap(text, 119, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    sys.exit(main())
