import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.imaging.image import Window
from softcam_viewer.model.session_file import (
    CaseEntry,
    FoldedEntry,
    LeftOutEntry,
    MeasuredEntry,
    MeasureEntry,
    ModelEntry,
    PaneEntry,
    SeedEntry,
    SessionFile,
    SessionFileError,
    ShapeEntry,
    ShownEntry,
    ViewEntry,
    WindowEntry,
    WorklistEntry,
    file_digest,
    read_session,
    with_digests,
    write_session,
)


def some(folder: Path) -> SessionFile:
    return SessionFile(
        cases=(folder / "films" / "a.png", folder.parent / "beside.dcm", Path("/far/away.png")),
        reviewed=(folder / "films" / "a.png",),
        models=(ModelEntry(path=folder / "m.safetensors", sha256="ab" * 32),),
        case=CaseEntry(
            path=folder / "films" / "a.png", frame=2, window=WindowEntry(center=40.5, width=400, inverted=True)
        ),
        layout="1x2",
        active=1,
        panes=(
            PaneEntry(target="opacity", against="no finding", overlay={"threshold": 0.3, "visible": False}),
            PaneEntry(method="occlusion:patch=32", model=1, target="opacity", against_rest=True),
        ),
        shares_scale=True,
        links_views=False,
        view=ViewEntry(x=10.25, y=3, scale=2.5, height=100, width=80),
        worklist=WorklistEntry(
            sort="status",
            filter="not reviewed",
            folded=(FoldedEntry(path=folder / "films" / "a.png", level=1),),
        ),
        is_maximised=True,
        shown=ShownEntry(crosshair=False, cells=True, magnifier=True, magnification=4, waterfall=True),
        measured=(
            MeasuredEntry(
                path=folder / "films" / "a.png",
                frame=2,
                measures=(MeasureEntry(kind="angle", points=((0, 0), (1 / 3, 2), (7.5, -1))),),
            ),
        ),
        left_out=LeftOutEntry(
            regions=(SeedEntry(row=0.5, column=0.1, positive=False),),
            shapes=(ShapeEntry(name="L2", points=((0, 0), (1, 1), (0, 2.5))),),
        ),
    )


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "deep" / "case.softcam"
    content = some(path.parent)
    write_session(path, content)
    assert read_session(path) == content
    assert [entry.name for entry in path.parent.iterdir()] == ["case.softcam"]


def test_a_folder_can_be_moved_with_its_session(tmp_path):
    before, after = tmp_path / "one" / "study", tmp_path / "two" / "else"
    write_session(before / "s.softcam", some(before))
    after.parent.mkdir()
    before.rename(after)
    content = read_session(after / "s.softcam")
    assert content.cases == (after / "films" / "a.png", after.parent / "beside.dcm", Path("/far/away.png"))
    assert content.case.path == after / "films" / "a.png"
    assert content.models[0].path == after / "m.safetensors"
    assert content.measured[0].path == content.worklist.folded[0].path == after / "films" / "a.png"


def test_paths_beside_are_relative_and_others_absolute(tmp_path):
    write_session(tmp_path / "s.softcam", some(tmp_path))
    written = json.loads((tmp_path / "s.softcam").read_text("utf-8"))
    assert written["cases"] == ["films/a.png", "../beside.dcm", "/far/away.png"]


def test_a_newer_version_is_refused_by_name_and_number(tmp_path):
    path = tmp_path / "future.softcam"
    path.write_text(json.dumps({"format": "softcam-session", "version": 7, "cases": 3}), "utf-8")
    with pytest.raises(SessionFileError, match=r"future\.softcam: .*newer version.*format 7.*Update"):
        read_session(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": "other"}',
        '{"format": "softcam-session", "version": "1"}',
        '{"format": "softcam-session", "version": 1, "cases": [3]}',
        '{"format": "softcam-session", "version": 1, "layout": "7x7"}',
        '{"format": "softcam-session", "version": 1, "view": {"x": NaN, "y": 0, "scale": 1, "height": 1, "width": 1}}',
        '{"format": "softcam-session", "version": 1, "case": {"path": "a", "frame": -1}}',
        "[" * 100_000,
        "\x00\x01",
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, text):
    path = tmp_path / "bad.softcam"
    path.write_text(text, "utf-8")
    with pytest.raises(SessionFileError, match=r"bad\.softcam: "):
        read_session(path)


SHAPE = '{"name": "L1", "points": [[0, 0], [1, 1], [0, 2]]}'


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("left_out", '{"regions": [{"row": 1.0, "column": 0, "positive": true}]}', "left_out.regions.0.row"),
        ("left_out", '{"regions": [{"row": 0, "column": -0.1, "positive": true}]}', "left_out.regions.0.column"),
        ("left_out", '{"regions": [{"row": NaN, "column": 0, "positive": true}]}', "left_out.regions.0.row"),
        ("left_out", '{"shapes": [{"name": "L1", "points": [[0, 0], [1, 1]]}]}', "left_out.shapes.0.points"),
        ("left_out", '{"shapes": [{"name": "L1", "points": [[0, 0], [1, 1], [2]]}]}', "left_out.shapes.0.points.2"),
        ("left_out", '{"shapes": [{"name": "L1", "points": [[0, 0], [1, 1], [0, Infinity]]}]}', "left_out.shapes.0"),
        ("left_out", '{"shapes": [{"name": "L1", "points": [[0, 0], [1, 1], [0, 1e300]]}]}', "left_out.shapes.0"),
        ("left_out", '{"shapes": [{"name": "R1", "points": [[0, 0], [1, 1], [0, 2]]}]}', "left_out.shapes.0.name"),
        ("left_out", f'{{"shapes": [{SHAPE}, {SHAPE}]}}', "left_out.shapes: .*two shapes have one name"),
        ("measured", '[{"path": "a", "measures": [{"kind": "ruler", "points": [[0, 0]]}]}]', "1 points, not 2"),
        ("measured", '[{"path": "a", "measures": [{"kind": "circle", "points": []}]}]', "measured.0.measures.0.kind"),
        ("measured", '[{"path": "a", "measures": [{"kind": "ruler", "points": [[0, 0], [NaN, 1]]}]}]', "measured.0"),
        ("shown", '{"magnification": 7}', "shown.magnification"),
        ("worklist", '{"folded": [{"path": "a", "level": -1}]}', "worklist.folded.0.level"),
    ],
)
def test_damaged_marks_are_an_error_that_names_the_file_and_the_place(tmp_path, name, value, place):
    path = tmp_path / "bad.softcam"
    path.write_text(f'{{"format": "softcam-session", "version": 1, "{name}": {value}}}', "utf-8")
    with pytest.raises(SessionFileError, match=rf"bad\.softcam: is damaged at .*{place}"):
        read_session(path)


def test_a_file_without_what_was_added_later_opens_with_the_standard(tmp_path):
    path = tmp_path / "s.softcam"
    write_session(path, some(tmp_path))
    values = json.loads(path.read_text("utf-8"))
    for name in ("is_maximised", "links_views", "shown", "measured", "left_out"):
        del values[name]
    del values["worklist"]["folded"]
    path.write_text(json.dumps(values), "utf-8")
    standard = SessionFile()
    content = read_session(path)
    assert content.worklist == some(tmp_path).worklist.model_copy(update={"folded": ()})
    for name in ("is_maximised", "links_views", "shown", "measured", "left_out"):
        assert getattr(content, name) == getattr(standard, name)
    assert content.panes == some(tmp_path).panes


def test_a_file_that_is_no_text_or_not_there_is_an_error_that_names_it(tmp_path):
    (tmp_path / "bad.softcam").write_bytes(b"\xff\xfe\x00")
    for name in ("bad.softcam", "none.softcam"):
        with pytest.raises(SessionFileError, match=name):
            read_session(tmp_path / name)


def test_names_of_a_later_version_in_this_format_are_passed_over(tmp_path):
    path = tmp_path / "s.softcam"
    path.write_text(json.dumps({"format": "softcam-session", "version": 1, "later": {"a": 1}}), "utf-8")
    assert read_session(path) == SessionFile()


def test_a_place_that_cannot_be_written_to_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(SessionFileError, match=r"s\.softcam: cannot be written"):
        write_session(tmp_path / "file" / "s.softcam", SessionFile())


def test_a_window_of_broken_numbers_is_left_out():
    assert WindowEntry.of(Window(float("nan"), 1.0), inverted=False) is None
    entry = WindowEntry.of(Window(3.0, 2.0, "SIGMOID"), inverted=True)
    assert entry.window == Window(3.0, 2.0, "SIGMOID")
    assert entry.inverted


def test_files_of_models_without_a_card_are_known_by_their_digest(tmp_path):
    weights = tmp_path / "box.pt"
    weights.write_bytes(b"abc")
    content = SessionFile(models=(ModelEntry(path=weights), ModelEntry(path=tmp_path / "none.pt")))
    known: dict[Path, str] = {}
    filled = with_digests(content, known)
    assert filled.models[0].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert filled.models[1].sha256 == file_digest(tmp_path / "none.pt") == ""
    weights.write_bytes(b"abcd")
    assert with_digests(content, known).models[0] == filled.models[0]  # of the weights that are loaded


names = st.text(st.characters(codec="utf-8", exclude_characters="/\\\x00", exclude_categories=["Cs", "Cc"]), min_size=1)
parts = st.lists(names.filter(lambda name: name not in (".", "..")), min_size=1, max_size=4)


@given(folder=parts, other=parts)
def test_every_absolute_path_comes_back_as_it_was(folder, other):
    place, case = Path("/", *folder), Path("/", *other)
    text = SessionFile(cases=(case,)).model_dump_json(context={"folder": place})
    back = SessionFile.model_validate_json(text, context={"folder": place})
    assert back.cases == (Path(os.path.normpath(case)),)
