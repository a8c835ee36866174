"""Which boxes and masks a class's map is held against."""

from dataclasses import replace
from pathlib import Path

import pytest

from softcam_viewer.model.cases import Case
from softcam_viewer.model.known_annotation import annotation_for

NAMES = ("no finding", "pneumonia")
ONE, TWO = (1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0)


@pytest.fixture
def image(opened):
    return opened.film.image


def known(image, target=1, **fields):
    return annotation_for(Case(Path("one"), **fields), image, NAMES, target)


def test_nothing_is_known_of_images_that_are_in_no_list_or_have_no_annotation(image):
    assert annotation_for(None, image, NAMES, 1).why_not == known(image).why_not != ""


def test_boxes_that_do_not_say_what_they_are_around_are_of_the_label(image):
    assert known(image, boxes=(ONE, TWO), label="Pneumonia").boxes == (ONE, TWO)
    assert known(image, boxes=(ONE,), label="1").boxes == (ONE,)
    assert known(image, boxes=(ONE,), label="").boxes == (ONE,)
    assert known(image, boxes=(ONE,), label="Mass|Pneumonia").boxes == (ONE,)
    other = known(image, 0, boxes=(ONE,), label="pneumonia")
    assert (other.boxes, other.why_not) == ((), "What is annotated is pneumonia; this pane shows no finding.")


def test_boxes_that_say_what_they_are_around_count_where_it_is_the_class(image):
    fields = {"boxes": (ONE, TWO), "box_labels": ("Cardiomegaly", "Pneumonia"), "label": "Cardiomegaly|Pneumonia"}
    assert known(image, **fields).boxes == (TWO,)
    none = known(image, boxes=(ONE,), box_labels=("Cardiomegaly",), label="pneumonia")
    assert (none.boxes, none.why_not) == ((), "What is annotated is Cardiomegaly; this pane shows pneumonia.")


def test_a_mask_is_of_the_label(image):
    mask = Path("mask.png")
    assert known(image, mask=mask, label="pneumonia").mask == mask
    assert known(image, 0, mask=mask, label="pneumonia").why_not


def test_other_frames_than_the_first_are_not_annotated(image):
    assert "first frame" in known(replace(image, frame=2, frame_count=3), boxes=(ONE,)).why_not
