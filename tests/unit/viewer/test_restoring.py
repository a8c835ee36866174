"""What was left out, folded and measured comes back with a session, and what does not fit any more is told."""

import json
import random

import numpy as np
import pytest

from softcam_core.errors import CheckpointError
from softcam_core.imaging.image import Identity, ImageHeader
from softcam_viewer.model import backend, session
from softcam_viewer.model.labels import Known
from softcam_viewer.model.look import Look
from softcam_viewer.model.measure import Measure
from softcam_viewer.model.session_file import read_session

RULER = Measure("ruler", ((1.0, 2.0), (3.5, 4.25)))
TRIANGLE = ((1.0, 1.0), (1.0, 9.5), (8.0, 5.0))


@pytest.fixture
def weighed(make_bench, disk):
    """One image, one model; the region around the peak and a shape are left out, and it is saved."""
    bench = make_bench()
    bench.desk.open_model(disk / "a-b-c")
    bench.desk.open_images([disk / "one.png", disk / "two.png"])
    bench.settle()
    bench.session.panes.active.set_overlay(target=1, against=0, threshold=0.9)
    weighing = bench.session.weighing
    weighing.set_counted(1, counted=False)
    weighing.add_shape(TRIANGLE)
    assert weighing.names_left_out == ("R1", "L1")
    bench.save_as(disk / "s.softcam")
    assert bench.messages == []
    return bench


@pytest.mark.parametrize("seed", range(8))
def test_regions_and_shapes_are_left_out_again_with_the_same_outcome(weighed, make_bench, disk, seed):
    again = make_bench()
    again.open(disk / "s.softcam", random.Random(seed))
    assert again.messages == []
    before, now = weighed.session.weighing, again.session.weighing
    assert now.names_left_out == ("R1", "L1")
    assert now.shapes[0].points == TRIANGLE
    assert now.outcome.probabilities == pytest.approx(before.outcome.probabilities, abs=0)
    assert np.array_equal(now.mask, before.mask)
    again.session.panes.active.set_overlay(threshold=0.95)  # and stay so while it moves
    assert now.names_left_out == ("R1", "L1")


def test_tables_that_were_opened_give_their_labels_again_and_missing_ones_are_told(make_bench, disk, monkeypatch):
    def labels(opened, images):
        found = {image: Known(label=f"of {t.name}") for t in opened if t.suffix == ".csv" for image in images}
        return found, ()

    monkeypatch.setattr(session, "read_labels", labels)
    monkeypatch.setattr(backend, "find_paths", lambda paths: [disk / "one.png"])
    table = disk / "elsewhere.csv"
    table.write_text("image,label\n")
    bench = make_bench()
    bench.desk.open_images([table])
    bench.settle()
    assert bench.session.cases[0].label == "of elsewhere.csv"
    bench.save_as(disk / "s.softcam")
    again = make_bench()
    again.open(disk / "s.softcam")
    assert again.messages == []
    assert again.session.cases[0].label == "of elsewhere.csv"
    again.save_as(disk / "t.softcam")
    assert read_session(disk / "t.softcam").tables == (table,)
    table.unlink()
    third = make_bench()
    third.open(disk / "s.softcam")
    assert "Tables of labels are missing: elsewhere.csv" in third.messages[0]
    assert third.session.cases[0].label == ""


def test_what_is_left_out_is_kept_also_by_who_closes_before_the_map_is_there(weighed, make_bench, disk):
    kept = (disk / "s.softcam").read_bytes()
    again = make_bench()
    again.desk.open_session(disk / "s.softcam")
    while again.desk.restoring.is_active:
        for lane in (again.lanes.model, again.lanes.case, again.files):
            lane.run_all()
    assert again.session.weighing.ledger is None
    assert not again.desk.keeping.has_unsaved
    again.desk.close()
    assert (disk / "s.softcam").read_bytes() == kept


def test_what_was_left_out_of_another_image_is_not_kept_under_the_name_of_the_next(weighed, disk):
    weighed.session.select(1)  # which is still to be read
    weighed.desk.keeping._on_time()
    weighed.files.run_all()
    content = read_session(disk / "s.softcam")
    assert content.case.path.name == "two.png"
    assert content.left_out.regions == content.left_out.shapes == ()


def test_of_an_image_that_is_gone_nothing_is_left_out(weighed, make_bench, disk):
    (disk / "one.png").unlink()
    again = make_bench()
    again.open(disk / "s.softcam")
    assert again.session.film.image.source.name == "two.png"
    assert again.session.weighing.names_left_out == ()


def test_a_model_with_other_weights_has_other_regions_and_the_same_places(weighed, make_bench, disk):
    (disk / "a-b-c").write_bytes(b"other weights")
    again = make_bench()
    again.open(disk / "s.softcam")
    assert "a-b-c has changed since the session was saved" in again.messages[0]
    assert again.session.weighing.names_left_out == ("L1",)


def test_without_the_model_no_regions_wait_for_the_one_that_is_opened_next(weighed, make_bench, disk):
    (disk / "a-b-c").rename(disk / "d-e-f")
    again = make_bench()
    again.open(disk / "s.softcam")
    assert "Models are missing: a-b-c" in again.messages[0]
    assert again.session.weighing.seeds == ()
    again.desk.open_model(disk / "d-e-f")
    again.settle()
    assert again.session.weighing.ledger is not None
    assert again.session.weighing.names_left_out == ("L1",)


def test_a_model_that_is_open_in_place_of_a_missing_one_is_named(weighed, make_bench, disk):
    (disk / "a-b-c").unlink()
    again = make_bench()
    again.desk.open_model(disk / "b-c-d")
    again.settle()
    again.open(disk / "s.softcam")
    assert "Models are missing: a-b-c" in again.messages[0]
    assert "Pane 1: its model is not open; b c d is shown." in again.messages[0]
    assert "Pane 1: b c d has no class 'a', but b, c, d" in again.messages[0]


def test_without_the_class_its_regions_are_not_left_out(weighed, make_bench, disk):
    path = disk / "s.softcam"
    path.write_text(path.read_text("utf-8").replace('"a-b-c"', '"x-y"'), "utf-8")
    again = make_bench()
    again.open(path)
    assert len(again.messages) == 1
    assert "Pane 1: x y has no class 'b' or 'a', but x, y; it shows the class of its own choice." in again.messages[0]
    assert again.session.weighing.names_left_out == ("L1",)
    assert again.session.panes.active.explanation.class_names == ("x", "y")


def test_classes_of_a_model_with_very_many_are_not_all_told(weighed, make_bench, disk):
    many = "-".join(f"c{number}" for number in range(40))
    (disk / many).write_bytes(b"many")
    path = disk / "s.softcam"
    path.write_text(path.read_text("utf-8").replace('"a-b-c"', f'"{many}"'), "utf-8")
    again = make_bench()
    again.open(path)
    assert "but c0, c1, c2, c3, c4, c5, c6, c7 and 32 more; it shows" in again.messages[0]


def test_what_is_left_out_in_a_pane_with_a_case_of_its_own_comes_back(make_bench, disk):
    bench = make_bench()
    bench.work()
    panes = bench.session.panes
    panes.shown[1].set_method("evidence")
    bench.settle()
    panes.shown[1].set_overlay(target=1, against=None, threshold=0.9, sign="both")
    bench.session.weighing.set_counted(1, counted=False)
    expected = bench.session.weighing.outcome
    bench.save_as(disk / "s.softcam")
    for seed in range(8):
        again = make_bench()
        again.open(disk / "s.softcam", random.Random(seed))
        assert again.messages == []
        assert again.session.weighing.names_left_out == ("R1", "L1")
        assert again.session.weighing.outcome.logits == pytest.approx(expected.logits, abs=0)


def test_a_pane_whose_model_is_refused_shows_the_main_one_and_says_so(make_bench, disk, monkeypatch):
    def refuse(path, like, device):
        raise CheckpointError(path, "has other classes", "Choose another file.")

    bench = make_bench()
    bench.work()
    bench.save_as(disk / "s.softcam")
    monkeypatch.setattr(backend, "load_to_compare", refuse)
    again = make_bench()
    again.open(disk / "s.softcam")
    assert "b-c-d: has other classes" in again.messages[0]
    assert "Pane 2: its model is not open; a b c is shown." in again.messages[0]
    second = again.session.panes.shown[1]
    assert second.model is again.session.model
    assert second.method == "cam"
    assert second.explanation.targets[0].of == 2  # "c", which the main model has too


def test_headings_are_folded_again_and_nobody_is_named(make_bench, disk, monkeypatch):
    names = ("one.png", "two.png", "multi.png")
    who = dict(zip(names, ("Doe 1", "Doe 1", "Roe 2"), strict=True))

    def headers(paths):
        return {
            path: ImageHeader(True, modality="CR", identity=Identity(patient_id=who[path.name], study_uid="1.2.3"))
            for path in paths
        }

    monkeypatch.setattr(backend, "read_headers", headers)
    bench = make_bench()
    bench.desk.open_images([disk / name for name in names])
    bench.settle()
    worklist = bench.session.worklist
    assert worklist.has_headings
    worklist.fold(("patient Doe 1",), on=True)
    assert worklist.shown == [2]
    assert bench.desk.keeping._timer.isActive()
    bench.save_as(disk / "s.softcam")
    assert "Doe" not in (disk / "s.softcam").read_text("utf-8")
    for seed in range(8):
        again = make_bench()
        again.open(disk / "s.softcam", random.Random(seed))
        assert again.session.worklist.shown == [2]
        assert again.session.worklist.folded == ((0, 0),)
        again.session.worklist.fold(("patient Doe 1",), on=False)
        assert again.session.worklist.shown == [0, 1, 2]


def test_measures_of_all_cases_are_kept_and_those_of_others_not(make_bench, disk):
    bench = make_bench()
    bench.desk.open_images([disk / "one.png", disk / "multi.png"])
    bench.settle()
    measured = {(disk / "multi.png", 2): (RULER,), (disk / "two.png", 0): (RULER, RULER), (disk / "one.png", 0): ()}
    bench.desk.keeping.look = lambda: Look(measured=measured)
    bench.save_as(disk / "s.softcam")
    again, told = make_bench(), []
    again.desk.restoring.look_wanted.connect(told.append)
    again.open(disk / "s.softcam")
    assert {image: m for image, m in told[0].measured.items() if m} == {(disk / "multi.png", 2): (RULER,)}
    assert json.loads((disk / "s.softcam").read_text("utf-8"))["measured"][0]["path"] == "multi.png"


def test_a_session_that_was_only_opened_has_nothing_to_save(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.save_as(disk / "s.softcam")
    bench.desk.settings.change(autosave=False)
    bench.settle()
    for gone in (None, "two.png"):
        if gone:
            (disk / gone).unlink()
        again = make_bench()
        again.desk.open_session(disk / "s.softcam")
        while again.desk.restoring.is_active:
            assert not again.desk.keeping.has_unsaved
            next(lane for lane in again.all_lanes if lane.waiting).run_next()
        again.settle()
        assert not again.desk.keeping.has_unsaved
        again.session.panes.share_scale(on=False)
        assert again.desk.keeping.has_unsaved
        again.desk.keeping.close(save=True)
        assert not read_session(disk / "s.softcam").shares_scale
        bench.desk.keeping.save_as(disk / "s.softcam")
        bench.settle()
