"""All figures of explanations by name: what each is, what it needs, and which end of it is the better one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Literal

from softcam_core.errors import SettingsError

Better = Literal["higher", "lower", "neither"]
Group = Literal["localisation", "faithfulness", "map", "robustness", "agreement", "cost"]
Of = Literal["finding", "label", "predicted"]
Cost = Literal["map", "tens", "hundreds"]
Number = int | float


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of explanations.

    Attributes
    ----------
    name : str
        In commands and files.
    title : str
    reference : str
        Paper, and section or equation.
    better : {"higher", "lower", "neither"}
        Which end is the better one; for "neither" it describes, and does not judge.
    group : str
        What it is about: "localisation", "faithfulness", "map" (the map by itself), "robustness", "agreement" (between
        methods) or "cost".
    of : {"finding", "label", "predicted"}
        Which class's map it judges: of what is annotated; of the image's label (of two classes, the second); or of the
        class that the model predicts.
    needs_annotation : bool
        True where only images with a box or a mask have it.
    cost : {"map", "tens", "hundreds"}
        Passes or maps that it takes on top of the map judged: none, tens or hundreds.
    options : dict
        With their defaults; they may be changed as those of a method: "deletion:block=16".
    """

    name: str
    title: str
    reference: str
    better: Better
    group: Group
    of: Of = "predicted"
    needs_annotation: bool = False
    cost: Cost = "map"
    options: Mapping[str, Number] = field(default_factory=dict)

    def __str__(self) -> str:
        """As `parse_metric` reads it."""
        defaults = METRICS[self.name].options
        changed = ",".join(f"{name}={value:g}" for name, value in self.options.items() if value != defaults[name])
        return self.name + (f":{changed}" if changed else "")


def _localisation(name: str, title: str, reference: str, **options: Number) -> Metric:
    return Metric(name, title, reference, "higher", "localisation", "finding", True, options=options)


_ARRAS = "Arras, Osman & Samek, Information Fusion 81, 2022"
_SOFTCAM = "Djoumessi & Berens, SoftCAM, MIDL 2026"
_BLOCKS: dict[str, Number] = {"block": 33, "steps": 29}

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _localisation("pointing_game", "Pointing game", "Zhang et al., IJCV 126, 2018, section 5.1", margin=0.0),
        _localisation("relevance_mass", "Relevance mass", f"{_ARRAS}, eq. 2"),
        _localisation("relevance_rank", "Relevance rank", f"{_ARRAS}, eq. 3"),
        _localisation("activation_precision", "Activation precision", _SOFTCAM),
        _localisation("activation_sensitivity", "Activation sensitivity", _SOFTCAM),
        _localisation("best_iou", "Best IoU", "Choe et al., CVPR 2020, section 4.1"),
        _localisation("best_dice", "Best Dice", "Dice, Ecology 26, 1945"),
        _localisation("patch_precision", "Patch precision", _SOFTCAM, patch=33, stride=8, most=29),
        Metric("deletion", "Deletion", "Petsiuk et al., BMVC 2018, section 4; " + _SOFTCAM, "lower", "faithfulness",
               cost="tens", options=_BLOCKS),
        Metric("insertion", "Insertion", "Petsiuk et al., BMVC 2018, section 4; " + _SOFTCAM, "higher",
               "faithfulness", cost="tens", options=_BLOCKS),
        Metric("road", "ROAD, most relevant first", "Rong et al., ICML 2022, section 4", "lower", "faithfulness",
               cost="tens"),
        Metric("road_least", "ROAD, least relevant first", "Rong et al., ICML 2022, section 4", "higher",
               "faithfulness", cost="tens"),
        Metric("gini", "Gini index", "Hurley & Rickard, IEEE Trans. Inf. Theory 55, 2009", "neither", "map"),
        Metric("near_zero", "Share of near-zero cells", "Hurley & Rickard, IEEE Trans. Inf. Theory 55, 2009",
               "neither", "map"),
        Metric("local_present", "Positive cells where present", _SOFTCAM, "higher", "map", "label"),
        Metric("local_absent", "Negative cells where absent", _SOFTCAM, "higher", "map", "label"),
        Metric("noise_stability", "Stability to noise", "Alvarez-Melis & Jaakkola, WHI 2018", "higher", "robustness",
               cost="tens", options={"noise": 0.05, "samples": 4}),
        Metric("shift_stability", "Stability to shifts", "Alvarez-Melis & Jaakkola, WHI 2018", "higher",
               "robustness", cost="tens", options={"pixels": 8}),
        Metric("sanity", "Likeness after randomisation", "Adebayo et al., NeurIPS 2018, section 3.1", "lower",
               "robustness", cost="tens", options={"stages": 4}),
        Metric("grid_pointing", "Grid pointing", "Böhle et al., CoDA Networks, CVPR 2021", "higher",
               "localisation", cost="tens", options={"side": 2, "mosaics": 40}),
        Metric("rank_agreement", "Rank correlation with others", "Spearman, Am. J. Psychol. 15, 1904", "neither",
               "agreement", "label"),
        Metric("top_agreement", "Overlap of the top with others", "Jaccard, New Phytologist 11, 1912", "neither",
               "agreement", "label", options={"share": 0.05}),
        Metric("conservation", "Conservation error", "Bach et al., PLoS ONE 10, 2015, eq. 2", "lower", "map"),
        Metric("seconds", "Seconds a map", "", "lower", "cost"),
        Metric("peak_memory", "Peak memory, MiB", "", "lower", "cost"),
    )
}  # fmt: skip
"""In the order in which people should see them."""

_LOCAL_TO_GLOBAL = ("local_present", "local_absent")
_MOSAICS = "grid_pointing"  # explains large inputs many times: for those who ask for it
_CHEAP = (n for n, m in METRICS.items() if m.group in ("localisation", "map", "cost"))
DEFAULT = (*(name for name in _CHEAP if name not in (_MOSAICS, *_LOCAL_TO_GLOBAL)), "deletion", "insertion")
"""Figures that are told where nobody asks for others."""

_SETS: dict[str, tuple[str, ...]] = {
    "default": DEFAULT,
    "all": tuple(METRICS),
    "local_to_global": _LOCAL_TO_GLOBAL,
    **{
        group: tuple(name for name, m in METRICS.items() if m.group == group and name != _MOSAICS)
        for group in dict.fromkeys(metric.group for metric in METRICS.values())
    },
}


def parse_metric(text: str) -> Metric:
    """Read a figure as people write it: "deletion", or with options "deletion:block=16,steps=20".

    Raises
    ------
    SettingsError
        For an unknown figure or option, with the nearest names, or a value that is no number above 0.
    """
    name, _, written = text.strip().partition(":")
    if name not in METRICS:
        near = get_close_matches(name, [*METRICS, *_SETS], n=3)
        advice = f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(METRICS)}."
        raise SettingsError(name, "is not a figure of explanations", advice)
    metric = METRICS[name]
    options = dict(metric.options)
    for part in filter(None, written.split(",")):
        option, _, value = (piece.strip() for piece in part.partition("="))
        if option not in options:
            advice = f"It has {', '.join(options)}." if options else "It has none."
            raise SettingsError(f"{name}:{option}", "is not an option of this figure", advice)
        kind = type(options[option])
        try:
            options[option] = kind(value)
        except ValueError as error:
            wanted = "a whole number" if kind is int else "a number"
            raise SettingsError(f"{name}:{option}", f"{value!r} does not fit", f"Give {wanted}.") from error
        least = 1 if kind is int else 0
        if not options[option] >= least:
            raise SettingsError(f"{name}:{option}", f"{value} is too small", f"The least is {least}.")
    return replace(metric, options=options)


def parse_metrics(texts: Iterable[str]) -> tuple[Metric, ...]:
    """Read several figures, and names of sets of them: "default", "all" or a group; in the order of `METRICS`.

    Raises
    ------
    SettingsError
        As `parse_metric`.
    """
    found: dict[str, Metric] = {}
    for text in texts or ("default",):
        for each in _SETS.get(text.strip(), (text,)):
            metric = parse_metric(each)
            if metric.name not in found or metric != METRICS[metric.name]:
                found[metric.name] = metric
    return tuple(found[name] for name in METRICS if name in found)
