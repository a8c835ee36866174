"""Annotated: what is known of images is told when it becomes known."""

from pathlib import Path

import pytest


@pytest.fixture
def told(opened):
    found = []
    opened.annotated.changed.connect(found.append)
    return found


def test_labels_of_many_that_arrive_after_the_image_are_told(opened, told):
    box = (1.0, 2.0, 3.0, 4.0)
    opened.cases.update_many({0: {"boxes": (box,), "box_labels": ("b",)}})
    assert told == [None]
    assert opened.annotated.of(opened.film.image).boxes == (box,)


def test_of_a_single_case_its_file_is_told_and_of_other_facts_nothing(opened, told):
    opened.cases.update_case(1, boxes=((1.0, 2.0, 3.0, 4.0),))
    opened.cases.update_case(1, reviewed=True)
    assert told == [Path("two")]
