"""What is drawn beside the maps and measured goes through a session file and back to the tools."""

from pathlib import Path

import pytest

from softcam_viewer.model.look import Look, measure_entry, shown_by
from softcam_viewer.model.measure import Measure
from softcam_viewer.model.session_file import MeasuredEntry, SessionFile, ViewEntry, read_session, write_session
from softcam_viewer.model.tools import Tools

RULER = Measure("ruler", ((0.125, 1 / 3), (3.0, 4.0)))
ANGLE = Measure("angle", ((0.0, 0.0), (3.0, 4.0), (9.0, 9.0)))
VIEW = ViewEntry(x=1, y=2, scale=3, height=4, width=5)


@pytest.mark.parametrize("same_image", [True, False])
def test_tools_are_as_they_were(qapp, tmp_path, same_image):
    image = (tmp_path / "a.dcm", 3)
    tools = Tools()
    tools.show_crosshair(on=False)
    tools.show_cells(on=True)
    tools.show_annotations(on=False)
    tools.use("magnifier")
    tools.magnify(4)
    content = SessionFile(
        cases=(image[0],),
        view=VIEW,
        shown=shown_by(tools, waterfall=True, curves=True),
        measured=(MeasuredEntry(path=image[0], frame=3, measures=tuple(map(measure_entry, (RULER, ANGLE)))),),
    )
    write_session(tmp_path / "s.softcam", content)
    look = Look.of_file(read_session(tmp_path / "s.softcam"), same_image=same_image)
    again = Tools()
    again.add((Path("other.png"), 0), ANGLE)
    look.put_back_tools(again)
    assert not again.shows_crosshair
    assert again.shows_cells
    assert not again.shows_annotations
    assert (again.active.name, again.magnification) == ("magnifier", 4)
    assert again.measured == {image: (RULER, ANGLE)}
    assert look.shown.waterfall
    assert look.shown.curves
    assert look.view == (VIEW if same_image else None)


def test_tools_that_draw_are_put_away(qapp):
    tools = Tools()
    tools.use("lasso")
    look = Look(shown=shown_by(tools, waterfall=False, curves=False))
    again = Tools()
    again.use("ruler")
    look.put_back_tools(again)
    assert again.active.name == "window"


def test_a_file_that_tells_nothing_of_it_gives_the_standard(qapp):
    tools = Tools()
    Look.of_file(SessionFile(), same_image=True).put_back_tools(tools)
    fresh = Tools()
    assert (tools.shows_crosshair, tools.shows_cells, tools.shows_annotations, tools.magnification, tools.active) == (
        fresh.shows_crosshair, fresh.shows_cells, fresh.shows_annotations, fresh.magnification, fresh.active,
    )  # fmt: skip
    assert tools.measured == {}
