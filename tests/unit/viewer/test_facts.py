from dataclasses import replace

import pytest

from softcam_viewer.model.facts import facts, remark, time_text, why_no_ledger
from softcam_viewer.model.overlay import make_overlay_map
from softcam_viewer.model.pane import PaneState


@pytest.fixture
def pane(opened, settle) -> PaneState:
    opened.panes.active.set_method("cam")
    settle()
    return opened.panes.active


def test_a_pane_says_what_it_runs_on_in_what_unit_and_how_long_it_took(opened, pane, settle):
    methods = opened.panes.methods
    assert facts(pane, methods["cam"]) == "black-box twin  ·  % of max  ·  0.50 s"
    pane.set_method("evidence")
    assert facts(pane, methods["evidence"]) == "SoftCAM  ·  logit  ·  0.50 s"
    pane.set_overlay(against=0)
    assert "log-odds" in facts(pane, methods["evidence"])
    pane.clear()
    assert facts(pane, methods["evidence"]) == ""


def test_a_warning_comes_first_and_notes_follow(pane):
    assert remark(pane).text == ""
    pane.explanation = replace(pane.explanation, notes=("The same as the evidence.",))
    assert remark(pane) == ("note", "The same as the evidence.")
    pane.explanation = replace(pane.explanation, warnings=("Relevance is not conserved.",))
    assert remark(pane) == ("warning", "Relevance is not conserved. The same as the evidence.")


@pytest.mark.parametrize(
    ("value", "words"), [(0.0, "zero everywhere"), (-1.0, "No value of the map is above zero"), (1.0, "")]
)
def test_maps_that_look_like_nothing_are_called_what_they_are(pane, value, words):
    pane.explanation = replace(pane.explanation, grid=pane.explanation.grid * 0 + value)
    pane.overlay_map = make_overlay_map(pane.explanation, *pane.aim)
    assert words in remark(pane).text
    assert bool(words) == bool(remark(pane).text)


@pytest.mark.parametrize(
    ("scale", "words"),
    [("relative", "CAM does not add up to the prediction"), ("sum", "only roughly"), ("change", "a place is covered")],
)
def test_there_is_a_reason_for_having_no_ledger(pane, scale, words):
    assert words in why_no_ledger(replace(pane.explanation, scale=scale))


@pytest.mark.parametrize(("seconds", "text"), [(0.014, "0.01 s"), (9.994, "9.99 s"), (27.4, "27 s"), (90, "1.5 min")])
def test_times_are_short(seconds, text):
    assert time_text(seconds) == text
