"""Presets: the panes filled for a comparison in one step."""

from pathlib import Path

import numpy as np
import pytest

from softcam_viewer.model.presets import PRESETS


@pytest.fixture
def apply(opened, settle):
    def run(name: str):
        PRESETS[name].apply(opened)
        settle()
        return opened.panes.shown

    return run


def test_one_class_by_many_methods_begins_with_the_evidence(opened, apply):
    opened.panes.active.set_method("cam2")
    opened.panes.active.set_overlay(target=1, against=2)
    panes = apply("methods")
    assert opened.panes.layout == "2x2"
    assert [pane.method for pane in panes] == ["evidence", "cam", "lrp", "cam2"]
    assert {pane.aim for pane in panes} == {(1, 2)}


def test_a_second_time_it_is_the_same(opened, apply):
    before = [pane.method for pane in apply("methods")]
    opened.panes.shown[1].set_method("rise")
    assert [pane.method for pane in apply("methods")] == before


def test_all_classes_by_the_active_panes_method_and_look(opened, apply):
    opened.panes.active.set_method("cam")
    opened.panes.active.set_overlay(threshold=0.4, target=2, against=0)
    panes = apply("classes")[:3]
    assert [pane.aim for pane in panes] == [(0, None), (1, None), (2, None)]
    assert {pane.method for pane in panes} == {"cam"}
    assert {pane.overlay.threshold for pane in panes} == {0.4}
    assert all(pane.explanation.targets[0].of == number for number, pane in enumerate(panes))


def test_of_many_classes_the_likeliest_in_their_order(opened, settle, apply):
    opened.open_model(Path("a-b-c-d-e-f"))
    settle()
    likeliest = np.sort(np.argsort(-opened.panes.active.explanation.probabilities)[:4]).tolist()
    assert [pane.aim for pane in apply("classes")] == [(k, None) for k in likeliest]


def test_two_models_show_the_same_and_a_black_box_what_it_can(opened, settle, apply):
    apply("models")
    assert opened.panes.layout == "1x1"  # there is no other model
    opened.add_model(Path("a-b-c-box"))
    settle()
    panes = apply("models")
    assert [pane.model for pane in panes] == list(opened.models)
    assert [pane.method for pane in panes] == ["evidence", "cam"]


def test_this_case_stays_while_the_worklist_goes_on(opened, settle, apply):
    first = opened.film.image.source
    left, right = apply("cases")
    opened.step(1)
    settle()
    assert right.film.image.source == first
    assert left.film.image.source != first
    assert right.explanation is not None
    assert left.explanation is not None
    apply("methods")
    assert not any(opened.panes.is_pinned(pane) for pane in opened.panes.shown)
