"""Tools and what was measured with them."""

import pytest

from softcam_viewer.commands import TOOL_KEYS
from softcam_viewer.model.measure import Measure
from softcam_viewer.model.tools import BRUSH_RADII, MAGNIFICATIONS, TOOLS, Tools

RULER = Measure("ruler", ((0, 0), (3, 4)))
ANGLE = Measure("angle", ((0, 0), (3, 4), (9, 9)))


def test_a_tool_is_taken_and_put_away_and_told_once(qtbot):
    tools, told = Tools(), []
    tools.tool_changed.connect(lambda: told.append(tools.active.name))
    tools.use("ruler")
    tools.use("ruler")
    tools.toggle("ruler")
    tools.toggle("lasso")
    assert told == ["ruler", "window", "lasso"]
    with pytest.raises(KeyError):
        tools.use("hammer")


def test_every_tool_but_the_first_says_how_to_put_it_away(qtbot):
    assert all("Esc" in tool.hint for name, tool in TOOLS.items() if name != "window")


def test_measures_belong_to_one_image_and_can_be_changed_and_removed(qtbot):
    tools = Tools()
    tools.add("a", RULER)
    tools.add("a", ANGLE)
    tools.add("b", ANGLE)
    tools.replace("a", 0, RULER.moved(1, (9, 9)))
    assert tools.measures_of("a") == (RULER.moved(1, (9, 9)), ANGLE)
    tools.remove("a", 0)
    assert (tools.measures_of("a"), tools.measures_of("b"), tools.measures_of("c")) == ((ANGLE,), (ANGLE,), ())
    tools.clear("a")
    assert tools.measures_of("a") == ()


def test_magnifications_go_round(qtbot):
    tools, seen = Tools(), []
    for _ in range(len(MAGNIFICATIONS) + 1):
        seen.append(tools.magnification)
        tools.magnify_more()
    assert seen == [*MAGNIFICATIONS, MAGNIFICATIONS[0]]


def test_only_magnifications_there_are_can_be_taken_and_others_are_passed_over(qtbot):
    tools, told = Tools(), []
    tools.shown_changed.connect(lambda: told.append(tools.magnification))
    for factor in (4, 4, 7):
        tools.magnify(factor)
    assert (told, tools.magnification) == ([4], 4)


def test_measures_are_put_back_in_place_of_all_there_were(qtbot):
    tools, told = Tools(), []
    tools.add("a", RULER)
    measured = tools.measured
    tools.clear("a")
    tools.add("b", ANGLE)
    tools.measures_changed.connect(lambda: told.append(tools.measured))
    tools.put_back({**measured, "c": ()})
    assert told == [{"a": (RULER,)}]
    tools.add("a", ANGLE)
    assert measured == {"a": (RULER,)}


def test_every_tool_has_a_key():
    assert set(TOOL_KEYS) == set(TOOLS)


def test_a_tool_that_annotates_shows_what_is_annotated(qtbot):
    tools, told = Tools(), []
    tools.show_marks(on=False)
    tools.shown_changed.connect(lambda: told.append(tools.shows_marks))
    tools.use("ruler")
    assert not tools.shows_marks
    tools.use("brush")
    tools.use("edit")
    assert told == [True]


def test_the_brush_grows_and_shrinks_within_limits_and_tells_of_each_change(qtbot):
    tools, told = Tools(), []
    tools.brush_changed.connect(lambda: told.append(tools.brush_radius))
    tools.set_brush_radius(2)
    tools.step_brush(1)
    tools.step_brush(-2)
    tools.step_brush(-9)
    tools.step_brush(-1)
    tools.set_brush_radius(5000)
    tools.step_brush(3)
    assert told == [2, 3, 2, BRUSH_RADII[0], BRUSH_RADII[1]]
