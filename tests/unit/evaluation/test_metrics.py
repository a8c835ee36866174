import pytest

from softcam_core.errors import SettingsError
from softcam_core.evaluation.metrics import DEFAULT, METRICS, parse_metric, parse_metrics


@pytest.mark.parametrize("name", METRICS)
def test_every_figure_says_what_it_is(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name == str(metric)
    assert metric.title
    assert metric.reference or metric.group == "cost"
    assert metric.needs_annotation == (metric.of == "finding")


def test_options_are_read_and_written() -> None:
    metric = parse_metric(" deletion:block=16, steps=5 ")
    assert metric.options == {"block": 16, "steps": 5}
    assert str(metric) == "deletion:block=16,steps=5"
    assert parse_metric(str(metric)) == metric
    assert METRICS["deletion"].options["block"] == 33


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("deletoin", "Did you mean deletion"),
        ("qqq", "There are pointing_game"),
        ("deletion:size=3", "deletion:size: is not an option of this figure. It has block, steps."),
        ("gini:size=3", "It has none"),
        ("deletion:block=a", "'a' does not fit. Give a whole number"),
        ("deletion:block=0", "0 is too small. The least is 1"),
        ("pointing_game:margin=-1", "-1 is too small"),
        ("pointing_game:margin=nan", "nan is too small"),
    ],
)
def test_unknown_figures_and_options_are_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(SettingsError, match="(?s)" + reason.replace("(", r"\(")):
        parse_metric(text)


def test_sets_stand_for_their_figures_and_an_option_stays() -> None:
    assert tuple(metric.name for metric in parse_metrics(())) == tuple(n for n in METRICS if n in DEFAULT)
    assert [metric.name for metric in parse_metrics(["all"])] == list(METRICS)
    assert {metric.name for metric in parse_metrics(["localisation"])} == {
        name for name, metric in METRICS.items() if metric.needs_annotation
    }
    for order in (["faithfulness", "deletion:block=16"], ["deletion:block=16", "faithfulness"]):
        found = {metric.name: metric for metric in parse_metrics(order)}
        assert found["deletion"].options["block"] == 16
        assert found["insertion"] == METRICS["insertion"]
