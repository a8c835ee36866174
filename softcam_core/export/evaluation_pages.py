"""What people get of an evaluation: summary, plots and the report, all from its tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from softcam_core.evaluation.cases import see
from softcam_core.evaluation.evaluator import PART
from softcam_core.evaluation.extremes import Extremes, extremes, headline
from softcam_core.evaluation.folder import EvaluationFolder, Pictures
from softcam_core.evaluation.map_figures import PATCH_HITS
from softcam_core.evaluation.metrics import METRICS
from softcam_core.evaluation.plan import Plan
from softcam_core.evaluation.plots import Curve, Point, plot_cost, plot_curves
from softcam_core.evaluation.report import write_report
from softcam_core.evaluation.report_facts import environment
from softcam_core.evaluation.statistics import Floats
from softcam_core.evaluation.summary import Summary, summarise, write_summary
from softcam_core.evaluation.tables import read_table
from softcam_core.export.case_pictures import case_picture

CASES = 3
"""Best and worst cases of each method that the report shows."""

_CURVES = {
    "deletion": ("Deletion", "Blocks blanked, those of most evidence first", 0),
    "insertion": ("Insertion", "Blocks shown, those of most evidence first", 0),
    "road": ("ROAD, most relevant pixels first", "Step", 1),
    "road_least": ("ROAD, least relevant pixels first", "Step", 1),
    "sanity": ("Likeness of the map while weights become random", "Stage, from the head down", 1),
}
_PROBABILITY = "Probability of the class first predicted"


def write_pages(plan: Plan, folder: EvaluationFolder, notes: tuple[str, ...] = ()) -> Summary:
    """Write ``summary.csv``, ``summary.json``, ``paired.csv``, the plots and ``report.html``.

    Parameters
    ----------
    plan : Plan
    folder : EvaluationFolder
        Whose tables are written (`softcam_core.evaluation.evaluator.evaluate`).
    notes : tuple of str
        What should be known of the figures, sentences.

    Raises
    ------
    SettingsError
        When a file cannot be read or written.
    ImageReadError
        When an image of the report cannot be read any more.
    """
    table, curves = read_table(folder.per_image), read_table(folder.curves)
    agreement = read_table(folder.agreement) if folder.agreement.exists() else None
    keys = [contender.key for contender in plan.contenders]
    summary = summarise(table, keys, plan.seed)
    facts = {"asked": plan.identity(), "notes": [*plan.notes, *notes], "environment": environment(plan)}
    write_summary(summary, facts, folder.summary, folder.summary_json, folder.paired)
    chosen = headline(summary)
    figures = _plot_curves(plan, folder, curves)
    if chosen and "seconds" in summary.metrics():
        figures += _plot_cost(plan, folder, summary, chosen)
    ranked = extremes(table, keys, chosen, CASES) if chosen and METRICS[chosen].name != "grid_pointing" else []
    write_report(
        plan,
        folder,
        table,
        summary,
        notes=notes,
        figures=figures,
        agreement=agreement,
        chosen=chosen if ranked else None,
        extremes=ranked,
        pictures=_pictures(plan, folder, ranked),
    )
    return summary


def _plot_curves(plan: Plan, folder: EvaluationFolder, table: pa.Table) -> list[tuple[str, str]]:
    drawn = []
    there = set(table["metric"].to_pylist())
    for name, (title, x, first) in _CURVES.items():
        if name in there:
            y = "Rank correlation with the map before" if name == "sanity" else _PROBABILITY
            path = folder.plots / f"{name}.png"
            plot_curves(_curves(plan, table, name), path, title=title, x=x, y=y, first=first, seed=plan.seed)
            drawn.append((name, title))
    if PATCH_HITS in there:
        curves = [
            Curve(c.title, _precision_at(c.values), c.groups, c.is_floor, c.place)
            for c in _curves(plan, table, PATCH_HITS)
        ]
        title = "Patch precision of the first k patches"
        path = folder.plots / "precision_at_k.png"
        plot_curves(
            curves,
            path,
            title=title,
            x="Patches taken, k",
            y="Share that touches the annotation",
            first=1,
            seed=plan.seed,
        )
        drawn.append(("precision_at_k", title))
    return drawn


def _curves(plan: Plan, table: pa.Table, metric: str) -> list[Curve]:
    """Curves of each method as (N, steps); NaN where an image has fewer."""
    rows = table.filter(pc.equal(table["metric"], metric))
    steps = int(pc.max(rows["step"]).as_py()) + 1
    found = []
    for place, contender in enumerate(plan.contenders):
        model, method = contender.key
        own = rows.filter(pc.and_(pc.equal(rows["model"], model), pc.equal(rows["method"], method)))
        if not len(own):
            continue
        cases, places = np.unique(own["case"].to_numpy(), return_inverse=True)
        values, groups = np.full((len(cases), steps), np.nan), np.zeros(len(cases), dtype=np.int64)
        values[places, own["step"].to_numpy()] = own["value"].to_numpy()
        groups[places] = own["group"].to_numpy()
        found.append(Curve(plan.titles[contender.key], values, groups, contender.is_floor, place))
    return found


def _precision_at(hits: Floats) -> Floats:
    """Hits of the k-th patches (N, k) -> precision of the first k; NaN where no patch was taken."""
    known = ~np.isnan(hits)
    taken = known.cumsum(1)
    shares = np.full(hits.shape, np.nan)
    np.divide(np.where(known, hits, 0.0).cumsum(1), taken, out=shares, where=taken > 0)
    return shares


def _plot_cost(plan: Plan, folder: EvaluationFolder, summary: Summary, chosen: str) -> list[tuple[str, str]]:
    points = []
    for place, contender in enumerate(plan.contenders):
        quality, cost = summary.figure(chosen, contender.key), summary.figure("seconds", contender.key)
        if quality is not None and cost is not None:
            numbers = cost.mean, quality.mean, quality.low, quality.high
            points.append(Point(plan.titles[contender.key], *numbers, contender.is_floor, place))
    if not points:
        return []
    metric = METRICS[chosen]
    title = f"{metric.title} and cost"
    is_lower = metric.better == "lower"
    plot_cost(points, folder.plots / "cost.png", title=title, y=metric.title, lower_is_better=is_lower)
    return [("cost", title)]


def _pictures(plan: Plan, folder: EvaluationFolder, ranked: list[Extremes]) -> dict[tuple[int, int], bytes]:
    """Numbers of the contender and of the case -> JPEG."""
    found = {}
    maps: dict[int, Pictures] = {}
    for number, (contender, each) in enumerate(zip(plan.contenders, ranked, strict=bool(ranked))):
        preprocessing = contender.network.preprocessing
        for case, _ in (*each.best, *each.worst):
            part = case // PART
            if part not in maps:
                maps[part] = folder.read_maps(part)
            if (small := maps[part].get(f"{case}_{number}")) is not None:
                seen = see(plan.cases.chosen[case].sample, preprocessing)
                found[number, case] = case_picture(seen, preprocessing, small)
    return found
