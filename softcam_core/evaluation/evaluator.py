"""Judge methods on images, a few at a time, so that a run that was stopped goes on where it was."""

from __future__ import annotations

from softcam_core.evaluation.cases import Case
from softcam_core.evaluation.folder import EvaluationFolder
from softcam_core.evaluation.judging import PartJudge
from softcam_core.evaluation.mosaic_figures import judge_mosaics
from softcam_core.evaluation.plan import Plan
from softcam_core.evaluation.tables import (
    agreement_figures,
    curve_figures,
    joined,
    notes_of,
    single_figures,
    write_table,
)
from softcam_core.explainers.watch import UNWATCHED, Watch

PART = 4
"""Images that are judged together, and lost when a run is killed among them."""


def parts_of(plan: Plan) -> list[tuple[Case, ...]]:
    """The cases of each part."""
    cases = plan.cases.chosen
    return [cases[start : start + PART] for start in range(0, len(cases), PART)]


def evaluate(plan: Plan, folder: EvaluationFolder, *, watch: Watch = UNWATCHED) -> tuple[str, ...]:
    """Judge all methods on all images, and write the tables.

    What the folder holds of the same evaluation (`EvaluationFolder.prepare`) is not computed again.

    Parameters
    ----------
    plan : Plan
    folder : EvaluationFolder
        Prepared.
    watch : Watch

    Returns
    -------
    tuple of str
        What should be known of the figures, sentences.

    Raises
    ------
    SettingsError
        When a file cannot be written, or a method cannot explain an image.
    ImageReadError
        When an image cannot be read any more.
    CancelledError
        When the watch stopped it; parts that are written stay.
    """
    parts = parts_of(plan)
    has_mosaics = plan.metric("grid_pointing") is not None
    count = len(parts) + has_mosaics
    for number, cases in enumerate(parts):
        if not folder.part(number).exists():
            part = PartJudge(plan, cases, watch.part(number, count))
            part.judge()
            folder.write_part(number, part.rows.table(tuple(part.notes)), part.pictures)
    if has_mosaics and not folder.part(len(parts)).exists():
        rows, notes = judge_mosaics(plan, watch.part(len(parts), count))
        folder.write_part(len(parts), rows.table(notes), {})
    watch.report(1)
    tables = folder.read_parts(count)
    whole = joined(tables)
    write_table(folder.per_image, single_figures(whole))
    write_table(folder.curves, curve_figures(whole))
    if plan.metric("rank_agreement") or plan.metric("top_agreement"):
        write_table(folder.agreement, agreement_figures(whole))
    return notes_of(tables)
