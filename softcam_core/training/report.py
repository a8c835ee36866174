"""One page on a run: what was trained on what, how good it is, where it errs."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from softcam_core.errors import SettingsError
from softcam_core.models.card import ModelCard
from softcam_core.models.checkpoint import read_card
from softcam_core.notice import NOTICE
from softcam_core.reporting.pages import embedded_figure, without_folders, write_page
from softcam_core.training.config_files import flat, load_settings, make_config
from softcam_core.training.events import EndEvent, ErrorEvent, Event, StartEvent, WarningEvent, read_events
from softcam_core.training.intervals import Interval, bootstrap_intervals
from softcam_core.training.metrics import METRICS, Measurement, measure
from softcam_core.training.model_cards import SPLIT_TITLES
from softcam_core.training.plots import plot_calibration, plot_confusion, plot_curves, plot_pr, plot_roc
from softcam_core.training.predictions import Predictions, read_predictions
from softcam_core.training.run_folder import RunFolder

_MISTAKES = 10
_STATUS = {
    "finished": "finished",
    "stopped_early": "stopped early, as nothing got better",
    "interrupted": "interrupted; can be resumed",
    "failed": "failed",
}


@dataclass(frozen=True, slots=True)
class _Judged:
    """A split and what the best model said of it."""

    split: str
    predictions: Predictions
    measured: Measurement
    intervals: dict[str, Interval]


def write_report(folder: Path | str) -> Path:
    """Draw a run's figures and write its report, both from the files in its folder; what is not there is left out.

    The page needs no network and no scripts. It names files of images and of data, but no folders.

    Parameters
    ----------
    folder : Path or str

    Returns
    -------
    Path
        ``report.html`` in the folder; the figures are in ``plots``.

    Raises
    ------
    SettingsError
        When the folder holds no run, or a file cannot be read or written.
    CheckpointError
        When the model file is damaged.
    """
    run = RunFolder(Path(folder))
    if not run.config.exists() and not run.metrics.exists():
        raise SettingsError(run.path, "holds no run", "Give the folder that `softcam train` wrote.")
    card = read_card(run.best) if run.best.exists() else None
    settings = load_settings(run.config) if run.config.exists() else {}
    rows = _read_rows(run.metrics)
    judged = [_judge(run, split) for split in ("val", "test") if run.predictions(split).exists()]
    events = read_events(run.events)
    metric = settings.get("training", {}).get("select", "auc")
    best = next((row for row in reversed(rows) if row.get("best") == "1"), None)
    page = {
        "notice": NOTICE,
        "title": card.name if card else run.path.name,
        "facts": _facts(card, rows, best, events, metric),
        "splits": [SPLIT_TITLES[each.split] for each in judged],
        "summary": _summary(judged),
        "counts": _counts(card),
        "figures": _figures(run, rows, judged, metric),
        "judged": SPLIT_TITLES[judged[-1].split].lower() if judged else "",
        "per_class": _per_class(judged[-1]) if judged else None,
        "mistakes": _mistakes(judged[-1].predictions) if judged else None,
        "messages": _messages(events),
        "changed": _changed(settings),
        "settings": yaml.safe_dump(without_folders(settings), sort_keys=False, allow_unicode=True),
        "environment": _environment(run.environment),
    }
    write_page(run.report, "report.html", page)
    return run.report


def _read_rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(path, f"cannot be read ({error})", "Check its permissions.") from error


def _judge(run: RunFolder, split: str) -> _Judged:
    predictions = read_predictions(run.predictions(split))
    measured = measure(predictions.logits, predictions.labels, predictions.task)
    return _Judged(split, predictions, measured, bootstrap_intervals(predictions))


def _facts(
    card: ModelCard | None,
    rows: Sequence[Mapping[str, str]],
    best: Mapping[str, str] | None,
    events: Sequence[Event],
    metric: str,
) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    if card is not None:
        facts += [
            ("Architecture", card.architecture),
            ("Classes", ", ".join(card.class_names)),
            ("Task", "one class an image" if card.task == "single_label" else "any number of classes an image"),
        ]
    if rows:
        facts.append(("Epochs", rows[-1].get("epoch", "")))
    if best is not None:
        facts.append(("Best epoch", f"{best.get('epoch', '')}, by validation {METRICS[metric].title}"))
    starts = [event for event in events if isinstance(event, StartEvent)]
    if starts:
        end = events[-1] if isinstance(events[-1], EndEvent) else None
        resumed = f", resumed {len(starts) - 1} times" if len(starts) > 2 else ", resumed once" * (len(starts) - 1)
        facts += [
            ("Ended", f"{_STATUS[end.status] if end else 'not yet, or not properly'}{resumed}"),
            ("Time", _duration(sum(_stretches(events)))),
            ("Device", f"{starts[-1].device}, {starts[-1].processes} process{'es' * (starts[-1].processes > 1)}"),
        ]
    return facts


def _stretches(events: Sequence[Event]) -> Iterator[float]:
    """Seconds from each start to the last word before the next one."""
    starts = [i for i, event in enumerate(events) if isinstance(event, StartEvent)]
    for start, end in zip(starts, [*starts[1:], len(events)], strict=True):
        yield max(0.0, events[end - 1].time - events[start].time)


def _duration(seconds: float) -> str:
    minutes, hours = int(seconds // 60) % 60, int(seconds // 3600)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {int(seconds % 60)} s" if minutes else f"{seconds:.0f} s"


def _summary(judged: Sequence[_Judged]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Title of a metric and for each split its figure and interval."""
    table = []
    for name, info in METRICS.items():
        if any(name in each.measured.values for each in judged):
            table.append((info.title, [_with_interval(each, name) for each in judged]))
    return table


def _with_interval(each: _Judged, name: str) -> tuple[str, str]:
    value, interval = each.measured.values.get(name), each.intervals.get(name)
    return _figure(value), "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _counts(card: ModelCard | None) -> dict[str, Any] | None:
    samples = card.provenance.get("samples") if card else None
    if card is None or not isinstance(samples, Mapping):
        return None
    splits = [split for split in samples if any(samples[split].values())]
    return {
        "splits": [SPLIT_TITLES.get(split, split) for split in splits],
        "rows": [(name, [samples[split].get(name, 0) for split in splits]) for name in card.class_names],
    }


def _figures(
    run: RunFolder, rows: Sequence[Mapping[str, str]], judged: Sequence[_Judged], metric: str
) -> list[dict[str, str]]:
    """Pictures as data URIs, drawn anew."""
    try:
        run.plots.mkdir(exist_ok=True)
    except OSError as error:
        raise SettingsError(run.plots, f"cannot be made: {error.strerror}", "Check the free space.") from error
    drawn = []
    if rows:
        plot_curves(rows, run.plots / "curves.png", metric)
        drawn.append(("curves", "Curves of losses, the selected metric, penalties and the learning rate"))
    if judged:
        predictions, measured = judged[-1].predictions, judged[-1].measured
        is_binary = predictions.task == "single_label" and predictions.logits.shape[1] == 2
        if any(area is not None for area in measured.per_class["auc"][is_binary:]):
            plot_roc(predictions, run.plots / "roc.png")
            plot_pr(predictions, run.plots / "pr.png")
            drawn += [("roc", "ROC curves"), ("pr", "Precision-recall curves")]
        if int(measured.confusion.sum()):
            plot_confusion(predictions, run.plots / "confusion.png")
            plot_calibration(predictions, run.plots / "calibration.png")
            drawn += [("confusion", "Confusion matrix"), ("calibration", "Reliability diagram")]
    return [{"title": title, **embedded_figure(run.plots / f"{name}.png")} for name, title in drawn]


def _per_class(judged: _Judged) -> dict[str, Any] | None:
    names = judged.predictions.class_names
    if judged.predictions.task == "single_label" and len(names) == 2:
        return None  # the summary has it
    figures = judged.measured.per_class
    counts = judged.predictions.one_hot.sum(0).tolist()
    return {
        "titles": [METRICS[name].title for name in figures],
        "rows": [(n, counts[k], [_figure(figures[metric][k]) for metric in figures]) for k, n in enumerate(names)],
    }


def _mistakes(predictions: Predictions) -> list[dict[str, str]] | None:
    """The wrong decisions that the model was surest of; None where it decided nothing."""
    p, names = predictions.probabilities, predictions.class_names
    if not bool(p.isfinite().all()):
        return None
    wrong: list[tuple[float, int, str, str]] = []
    if predictions.task == "single_label":
        for i, (label, guess) in enumerate(zip(predictions.labels.tolist(), p.argmax(1).tolist(), strict=True)):
            if label != guess:
                wrong.append((float(p[i, guess]), i, names[label], names[guess]))
    else:
        for i, k in ((p > 0.5).long() != predictions.labels).nonzero().tolist():
            is_there = bool(predictions.labels[i, k])
            sure = float(1 - p[i, k] if is_there else p[i, k])
            wrong.append(
                (sure, i, f"{'' if is_there else 'not '}{names[k]}", f"{'not ' if is_there else ''}{names[k]}")
            )
    wrong.sort(key=lambda entry: -entry[0])
    return [
        {"image": predictions.images[i], "label": label, "said": said, "probability": f"{100 * sure:.1f} %"}
        for sure, i, label, said in wrong[:_MISTAKES]
    ]


def _messages(events: Sequence[Event]) -> list[tuple[str, str]]:
    """Warnings and errors, each once with how often it came."""
    found = Counter((e.type, e.message) for e in events if isinstance(e, WarningEvent | ErrorEvent))
    return [(kind, text if count == 1 else f"{text} ({count} times)") for (kind, text), count in found.items()]


def _changed(settings: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Settings that are not the defaults, with these."""
    if "data" not in settings:
        return []
    required = {"data": {"path": settings["data"].get("path")}}
    architecture = settings.get("model", {}).get("architecture")
    model = {"model": {"architecture": architecture}} if architecture else {}
    defaults = dict(flat(make_config(required | model).model_dump(mode="json")))
    defaults["data.path"] = None
    if architecture:
        defaults["model.architecture"] = None
    return [
        (name, _written(without_folders(value)), "" if defaults.get(name) is None else _written(defaults[name]))
        for name, value in flat(settings)
        if value != defaults.get(name)
    ]


def _written(value: Any) -> str:  # noqa: ANN401
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6).removesuffix("\n...\n").strip()
    )


def _environment(path: Path) -> list[tuple[str, str]]:
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(path, f"cannot be read ({error})", "Delete it to report without it.") from error
    return [
        (name, value if isinstance(value, str) else _written(value)) for name, value in flat(found) if value is not None
    ]
