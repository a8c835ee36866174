import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_viewer.model.case_filter import EXAMPLES, FLAGS, FilterError, parse_filter
from softcam_viewer.model.cases import Case

CLASSES = ("no finding", "drusen")
CASE = Case(
    Path("IMG_7.png"), prediction=("drusen", 0.9), probabilities=(0.1, 0.9), entropy=0.47, border=0.4, label="CNV",
    is_wrong=True,
)  # fmt: skip
PLAIN = Case(Path("other.png"))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "img",
            "IMG 7",
            "wrong",
            "not correct",
            "not reviewed",
            "label:cnv",
            "predicted:drusen",
            "p>0.8",
            "p>80%",
        ),
        *("border>30%", "p:drusen>=0.9", "p:no<0.5 wrong", 'p:"no finding"<20%', "not error", "not not wrong"),
        *("not uncertain", "entropy<0.5", "labelled explained", "wrong border>0.3 not reviewed img", "frames=1"),
    ],
)
def test_facts_that_are_true_of_a_case_let_it_through(text):
    names = ("no", *CLASSES[1:]) if "p:no<" in text else CLASSES
    assert parse_filter(text, names)(CASE)


@pytest.mark.parametrize(
    "text",
    [
        *("x", "not img", "correct", "not wrong", "reviewed", "label:drusen", "predicted:no", "p<0.9", "border<40%"),
        *("uncertain", "error", "img x", "wrong reviewed", '"wrong"', "p:drusen<0.9", "frames>1", "boxed"),
    ],
)
def test_facts_that_are_not_true_of_it_keep_it_out(text):
    assert not parse_filter(text, CLASSES)(CASE)


@pytest.mark.parametrize("text", ["p>0", "p<1", "border>0", "border<100%", "wrong", "correct", "uncertain", "label:"])
def test_what_is_not_known_meets_no_fact(text):
    assert not parse_filter(text)(PLAIN)


@pytest.mark.parametrize("fact", [*FLAGS, "img", "p>0.5", "label:c", "border>30%"])
@given(st.floats(0, 1), st.sampled_from(["", "cnv"]), st.booleans())
def test_not_turns_any_fact_round(fact, number, label, reviewed):
    case = replace(CASE, prediction=("drusen", number), border=number, entropy=number, label=label, reviewed=reviewed)
    assert parse_filter(f"not {fact}")(case) != parse_filter(fact)(case)


@given(st.text(max_size=30))
def test_any_line_is_a_filter_or_says_why_not(text):
    with contextlib.suppress(FilterError):
        assert parse_filter(text)(CASE) in (True, False)


@pytest.mark.parametrize("text", ["foo:3", "foo>3", "border:x>3", "p>", "label>3"])
def test_facts_there_are_not_say_what_there_is(text):
    with pytest.raises(FilterError, match=r"There are wrong, correct, .*border>…"):
        parse_filter(text)


def test_a_class_there_is_not_says_which_there_are():
    with pytest.raises(FilterError, match=r"no class “cnv”\. Classes are no finding, drusen"):
        parse_filter("p:cnv>0.5", CLASSES)


def test_not_needs_something_behind_it():
    with pytest.raises(FilterError, match="needs something"):
        parse_filter("wrong not")


def test_the_filters_that_are_offered_are_filters():
    for text, _ in EXAMPLES:
        parse_filter(text)
