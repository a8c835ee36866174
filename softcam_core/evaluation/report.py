"""One page on an evaluation: what was compared on what, what came out, and what that does not say."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from softcam_core.evaluation.extremes import Extremes
from softcam_core.evaluation.folder import EvaluationFolder
from softcam_core.evaluation.metrics import METRICS
from softcam_core.evaluation.plan import Contender, Plan
from softcam_core.evaluation.report_facts import (
    LIMITS,
    environment,
    messages,
    method_facts,
    metric_facts,
    network_facts,
    words,
)
from softcam_core.evaluation.summary import LEVEL, Comparison, Key, Summary
from softcam_core.notice import NOTICE
from softcam_core.reporting.pages import embedded_figure, write_page

_ARROWS = {"higher": ("↑", "higher is better"), "lower": ("↓", "lower is better"), "neither": ("", "describes")}
_GROUPS = {
    "localisation": "Does it point at what was annotated?",
    "faithfulness": "Does the prediction depend on what it points at?",
    "map": "The maps by themselves",
    "robustness": "Does it follow the network, and nothing else?",
    "cost": "What it costs",
}
_TESTS = (
    "One method less the other on the same images: the mean, its bootstrap interval, and a paired sign-flip test of "
    f"its being 0, corrected after Holm for all methods of a figure. Listed is what is below {LEVEL:g}; paired.csv has "
    "all pairs."
)


def write_report(
    plan: Plan,
    folder: EvaluationFolder,
    table: pa.Table,
    summary: Summary,
    *,
    notes: Sequence[str] = (),
    figures: Sequence[tuple[str, str]] = (),
    agreement: pa.Table | None = None,
    chosen: str | None = None,
    extremes: Sequence[Extremes] = (),
    pictures: Mapping[tuple[int, int], bytes] | None = None,
) -> None:
    """Write the page; it needs no network and no scripts, and names files of images, but no folders.

    Parameters
    ----------
    plan : Plan
    folder : EvaluationFolder
    table : Table
        Of `softcam_core.evaluation.tables.single_figures`.
    summary : Summary
    notes : sequence of str
        What should be known of the figures, sentences.
    figures : sequence of (str, str)
        Names of the folder's plots, and what they show.
    agreement : Table, optional
        Of `softcam_core.evaluation.tables.agreement_figures`.
    chosen : str, optional
        The metric by which cases were chosen.
    extremes : sequence of Extremes
        Cases of each contender.
    pictures : mapping, optional
        Numbers of the contender and of the case -> JPEG.

    Raises
    ------
    SettingsError
        When a file cannot be read or written.
    """
    page = {
        "title": "Evaluation of explanations",
        "notice": NOTICE,
        "words": list(words(plan)),
        "messages": list(messages(plan, table, notes)),
        "tables": list(_tables(plan, summary)),
        "first": plan.titles[plan.contenders[0].key],
        "differences": _differences(plan, summary) if len(plan.contenders) > 1 else None,
        "tests": _TESTS,
        "figures": [{"title": t, **embedded_figure(folder.plots / f"{name}.png")} for name, t in figures],
        "agreement": list(_agreement(plan, agreement)) if agreement is not None else [],
        "cases": _cases(plan, table, chosen, extremes, pictures or {}) if chosen else None,
        "networks": [network_facts(network, table) for network in plan.networks],
        "methods": [method_facts(explainer) for explainer in dict.fromkeys(c.explainer for c in plan.contenders)],
        "metrics": [metric_facts(metric) for metric in plan.metrics],
        "left_out": [f"{name}: {reason}" for name, reason in plan.cases.left_out],
        "limits": LIMITS,
        "environment": list(environment(plan).items()),
    }
    write_page(folder.report, "evaluation.html", page)


# --- figures


def _tables(plan: Plan, summary: Summary) -> Iterator[dict[str, Any]]:
    for group, title in _GROUPS.items():
        names = [name for name in summary.metrics() if METRICS[name].group == group]
        if not names:
            continue
        best = {name: _best(plan, summary, name) for name in names}
        rows = [
            {
                "title": plan.titles[contender.key],
                "is_floor": contender.is_floor,
                "cells": [_cell(plan, summary, name, contender, best[name]) for name in names],
            }
            for contender in plan.contenders
        ]
        images = {f.images for f in summary.figures if f.metric in names}
        count = f"{min(images)}" if len(images) == 1 else f"{min(images)} to {max(images)}"
        caption = f"Means over {count} images with 95 % bootstrap intervals."
        if group != "cost":
            caption += (
                f" * differs from {plan.titles[plan.contenders[0].key]}; ° not shown to be better than the random map."
            )
        heads = [{"title": METRICS[n].title, **dict(zip(("arrow", "meaning"), _ARROWS[METRICS[n].better], strict=True))}
                 for n in names]  # fmt: skip
        yield {"title": title, "heads": heads, "rows": rows, "caption": caption}


def _best(plan: Plan, summary: Summary, name: str) -> Key | None:
    """The method with the best mean; floors take no part."""
    if METRICS[name].better == "neither":
        return None
    sign = 1 if METRICS[name].better == "higher" else -1
    known = [(f.mean, c.key) for c in plan.contenders if not c.is_floor and (f := summary.figure(name, c.key))]
    return max(known, key=lambda each: sign * each[0])[1] if known else None


def _cell(plan: Plan, summary: Summary, name: str, contender: Contender, best: Key | None) -> dict[str, Any]:
    figure = summary.figure(name, contender.key)
    if figure is None:
        return {"mean": "–", "interval": "", "few": "", "mark": "", "is_best": False}
    marks = ""
    if any(_is_found(c) for c in summary.against_first if c.metric == name and (c.model, c.method) == contender.key):
        marks += "*"
    if (
        METRICS[name].better != "neither"
        and not contender.is_floor
        and _beats_chance(plan, summary, name, contender) is False
    ):
        marks += "°"
    written = _seconds if METRICS[name].group == "cost" else _number
    interval = f"{written(figure.low)} – {written(figure.high)}"
    few = ""
    # A mean over fewer images is of those on which there is something to judge.
    if figure.images < max(f.images for f in summary.figures if f.metric == name):
        few = f"{figure.images} images"
    is_best = contender.key == best
    return {"mean": written(figure.mean), "interval": interval, "few": few, "mark": marks, "is_best": is_best}


def _is_found(comparison: Comparison) -> bool:
    return comparison.p_corrected < LEVEL


def _beats_chance(plan: Plan, summary: Summary, name: str, contender: Contender) -> bool | None:
    """Whether a method was shown to be better than the random map; None where that was not asked."""
    sign = 1 if METRICS[name].better == "higher" else -1
    chance = next((c.key for c in plan.contenders if c.explainer.about.name == "random"), None)
    for c in summary.pairs:
        first, second = (c.model, c.method), (c.other_model, c.other_method)
        if c.metric == name and {first, second} == {contender.key, chance}:
            difference = c.difference if first == contender.key else -c.difference
            return _is_found(c) and sign * difference > 0
    return None


def _differences(plan: Plan, summary: Summary) -> list[dict[str, str]]:
    rows = []
    for c in summary.against_first:
        if not _is_found(c):
            continue
        better = METRICS[c.metric].better
        verdict = "" if better == "neither" else "better" if (c.difference > 0) == (better == "higher") else "worse"
        rows.append(
            {
                "method": plan.titles[c.model, c.method],
                "metric": METRICS[c.metric].title,
                "difference": f"{c.difference:+.3f}",
                "interval": f"{c.low:+.3f} to {c.high:+.3f}",
                "p": f"{c.p_corrected:.4f}",
                "images": str(c.images),
                "verdict": verdict,
            }
        )
    return rows


def _agreement(plan: Plan, table: pa.Table) -> Iterator[dict[str, Any]]:
    keys = [contender.key for contender in plan.contenders]
    for name in ("rank_agreement", "top_agreement"):
        rows = table.filter(pc.equal(table["metric"], name))
        if not len(rows):
            continue
        found: dict[frozenset[Key], list[float]] = {}
        columns = (rows[c].to_pylist() for c in ("model", "method", "other_model", "other_method", "value"))
        for model, method, other_model, other_method, value in zip(*columns, strict=True):
            found.setdefault(frozenset(((model, method), (other_model, other_method))), []).append(value)
        cells = [[_mean(found.get(frozenset((a, b)), [])) if a != b else "" for b in keys] for a in keys]
        titles = [plan.titles[key] for key in keys]
        yield {"title": METRICS[name].title, "names": titles, "rows": list(zip(titles, cells, strict=True))}


def _mean(values: Sequence[float]) -> str:
    known = [value for value in values if not np.isnan(value)]
    return _number(float(np.mean(known))) if known else "–"


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _seconds(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3g}"


# --- cases


def _cases(
    plan: Plan,
    table: pa.Table,
    chosen: str,
    extremes: Sequence[Extremes],
    pictures: Mapping[tuple[int, int], bytes],
) -> dict[str, Any]:
    rows = table.filter(pc.equal(table["metric"], chosen))
    texts = {
        (case, model, method): f"{label}; predicted {predicted}; map of {target}"
        for case, model, method, label, predicted, target in zip(
            *(rows[c].to_pylist() for c in ("case", "model", "method", "label", "predicted", "target")), strict=True
        )
    }
    methods = []
    for number, (contender, each) in enumerate(zip(plan.contenders, extremes, strict=True)):
        kinds = []
        for kind, ranked in (("Best", each.best), ("Worst", each.worst)):
            shown = [
                {
                    "uri": "data:image/jpeg;base64," + base64.b64encode(pictures[number, case]).decode(),
                    "image": plan.cases.chosen[case].sample.path.name,
                    "figure": f"{METRICS[chosen].title} {_number(value)}",
                    "text": texts[(case, *contender.key)],
                }
                for case, value in ranked
                if (number, case) in pictures
            ]
            if shown:
                kinds.append((kind, shown))
        if kinds:
            methods.append({"title": plan.titles[contender.key], "kinds": kinds})
    caption = (
        "The image as the network sees it, the map over it, each on its own scale and without values below a fifth of "
        "its largest, and the annotation outlined in white."
    )
    return {"metric": METRICS[chosen].title.lower(), "caption": caption, "methods": methods}
