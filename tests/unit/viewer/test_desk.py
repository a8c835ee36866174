"""Sessions are written, and brought back in whatever order their parts arrive."""

import random

from softcam_core.imaging.image import Window
from softcam_viewer.model.session_file import read_session


def test_all_is_back_in_whatever_order_its_parts_arrive(make_bench, disk):
    bench = make_bench()
    bench.work()
    expected = bench.state()
    assert expected["case"] == ("multi.png", 1)
    bench.desk.keeping.save_as(disk / "s.softcam")
    bench.settle()
    assert bench.messages == []
    for seed in range(12):
        again = make_bench()
        again.desk.open_session(disk / "s.softcam")
        again.settle(random.Random(seed))
        assert again.messages == []
        assert not again.desk.restoring.is_active
        assert again.state() == expected, seed


def test_a_session_that_is_opened_over_another_replaces_it(make_bench, disk):
    bench = make_bench()
    bench.work()
    expected = bench.state()
    bench.desk.keeping.save_as(disk / "s.softcam")
    bench.settle()
    other = make_bench()
    other.desk.open_model(disk / "x-y")
    other.desk.open_images([disk / "two.png"])
    other.settle()
    other.session.panes.set_layout("2x2")
    other.session.panes.toggle_pinned(other.session.panes.shown[0])
    other.settle()
    other.desk.open_session(disk / "s.softcam")
    other.settle()
    assert other.state() == expected


def test_an_unnamed_session_goes_to_the_recovery_file_and_can_be_reopened(make_bench, disk):
    bench = make_bench()
    bench.work()
    expected = bench.state()
    bench.save()
    assert (disk / "data" / "recovery.softcam").is_file()
    again = make_bench()
    assert again.desk.recent.last_session == disk / "data" / "recovery.softcam"
    again.desk.open_session(again.desk.recent.last_session)
    again.settle()
    assert again.state() == expected
    assert again.desk.keeping.path is None


def test_a_named_session_is_saved_at_each_change_and_only_then(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.desk.keeping.save_as(disk / "s")
    bench.settle()
    path = disk / "s.softcam"
    assert bench.desk.keeping.path == path
    before = path.stat().st_mtime_ns
    bench.save()
    assert path.stat().st_mtime_ns == before
    bench.session.panes.shown[0].set_overlay(threshold=0.9)
    assert bench.desk.keeping._timer.isActive()
    bench.save()
    assert read_session(path).panes[0].overlay["threshold"] == 0.9


def test_an_empty_window_does_not_replace_what_was_kept(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.save()
    kept = (disk / "data" / "recovery.softcam").read_bytes()
    empty = make_bench()
    empty.save()
    empty.desk.close()
    assert (disk / "data" / "recovery.softcam").read_bytes() == kept


def test_what_the_lane_had_no_time_for_is_written_at_the_end(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.desk.close()
    assert len(read_session(disk / "data" / "recovery.softcam").cases) == 3


def test_without_autosave_nothing_is_written_unasked(make_bench, disk):
    bench = make_bench()
    bench.desk.settings.change(autosave=False)
    bench.work()
    bench.save()
    bench.desk.close()
    assert not (disk / "data" / "recovery.softcam").exists()
    bench.desk.keeping.save_as(disk / "s.softcam")
    bench.settle()
    assert not bench.desk.keeping.has_unsaved
    bench.session.panes.share_scale(on=False)
    assert bench.desk.keeping.has_unsaved


def test_missing_images_are_listed_and_the_rest_opens(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.desk.keeping.save_as(disk / "s.softcam")
    bench.settle()
    kept = (disk / "s.softcam").read_bytes()
    (disk / "multi.png").unlink()
    again = make_bench()
    again.desk.open_session(disk / "s.softcam")
    again.settle()
    assert len(again.messages) == 1
    assert "1 of 3 images are missing: multi.png" in again.messages[0]
    assert [again.session.cases[row].path.name for row in range(2)] == ["one.png", "two.png"]
    assert again.session.film.image is not None
    assert again.session.film.window != Window(12.0, 34.0)  # which was another image's
    assert again.session.panes.layout == "1x2"
    # What is missing is not taken out of the file: it may lie on a disk that is not there today.
    again.session.panes.share_scale(on=False)
    again.save()
    assert (disk / "s.softcam").read_bytes() == kept


def test_with_all_images_missing_the_models_and_panes_are_back(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.desk.keeping.save_as(disk / "s.softcam")
    bench.settle()
    for name in ("one.png", "two.png", "multi.png"):
        (disk / name).unlink()
    again = make_bench()
    again.desk.open_session(disk / "s.softcam")
    again.settle()
    assert "3 of 3 images are missing" in again.messages[0]
    assert not again.desk.restoring.is_active
    assert [pane.method for pane in again.session.panes.shown] == ["evidence", "cam"]


def test_a_missing_model_is_told_and_the_images_open(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.desk.keeping.save_as(disk / "s.softcam")
    bench.settle()
    (disk / "a-b-c").unlink()
    again = make_bench()
    again.desk.open_session(disk / "s.softcam")
    again.settle()
    assert "Models are missing: a-b-c" in again.messages[0]
    assert again.session.model is None
    assert again.session.film.image.frame == 1
    assert again.session.film.window == Window(12.0, 34.0)


def test_a_model_that_has_changed_is_told(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.desk.keeping.save_as(disk / "s.softcam")
    bench.settle()
    (disk / "b-c-d").write_bytes(b"other weights")
    again = make_bench()
    again.desk.open_session(disk / "s.softcam")
    again.settle()
    assert "b-c-d has changed since the session was saved" in again.messages[0]
    assert "a-b-c" not in again.messages[0]


def reopened(make_bench, disk, written, instead):
    """The session of a bench whose file was changed meanwhile."""
    bench = make_bench()
    bench.work()
    bench.save_as(disk / "s.softcam")
    path = disk / "s.softcam"
    path.write_text(path.read_text("utf-8").replace(written, instead), "utf-8")
    again = make_bench()
    again.desk.open_session(path)
    again.settle()
    return again


def test_a_model_that_fits_no_class_of_the_session_is_told_and_the_rest_opens(make_bench, disk, monkeypatch):
    again = reopened(make_bench, disk, '"a-b-c"', '"x-y"')
    assert "Pane 1: x y has no class 'a', but x, y" in again.messages[0]
    first = again.session.panes.shown[0]
    assert first.model.path.name == "x-y"
    assert first.explanation is not None
    assert first.overlay.threshold == 0.4
    assert again.session.film.image.frame == 1


def test_an_unknown_method_is_told_and_the_evidence_is_shown(make_bench, disk):
    again = reopened(make_bench, disk, '"cam"', '"crystal_ball"')
    assert "Pane 2: there is no method 'crystal_ball'" in again.messages[0]
    assert again.session.panes.shown[1].method == "evidence"


def test_a_damaged_session_is_one_message_and_what_is_open_stays(make_bench, disk):
    bench = make_bench()
    bench.work()
    expected = bench.state()
    (disk / "bad.softcam").write_text("{", "utf-8")
    bench.desk.open_session(disk / "bad.softcam")
    bench.settle()
    assert len(bench.messages) == 1
    assert "bad.softcam" in bench.messages[0]
    assert bench.state() == expected


def test_opening_other_images_leaves_the_session_and_its_file_alone(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.desk.keeping.save_as(disk / "s.softcam")
    bench.settle()
    kept = (disk / "s.softcam").read_bytes()
    bench.desk.open_images([disk / "two.png"])
    bench.settle()
    bench.save()
    assert (disk / "s.softcam").read_bytes() == kept
    assert bench.desk.keeping.path is None


def test_opening_images_while_a_session_is_being_opened_gives_it_up(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.desk.keeping.save_as(disk / "s.softcam")
    bench.settle()
    again = make_bench()
    again.desk.open_session(disk / "s.softcam")
    again.files.run_all()
    again.desk.open_images([disk / "two.png"])
    again.settle()
    assert [again.session.cases[row].path.name for row in range(len(again.session.cases))] == ["two.png"]
    assert again.session.film.image.source.name == "two.png"
    assert not again.desk.restoring.is_active


def test_windows_chosen_for_a_modality_are_kept_for_the_next_run(make_bench, disk):
    bench = make_bench()
    bench.desk.open_images([disk / "one.png"])
    bench.settle()
    bench.session.film.use_preset("All values")
    bench.settle()
    assert make_bench().session.film.preferred == {"": "All values"}


def test_the_layout_to_begin_with_is_that_of_the_settings(make_bench, disk):
    bench = make_bench()
    bench.desk.settings.change(layout="2x2")
    bench.settle()
    assert make_bench().session.panes.layout == "2x2"


def test_sessions_and_images_that_were_opened_are_remembered(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.desk.keeping.save_as(disk / "s.softcam")
    bench.settle()
    kinds = [(entry.kind, entry.path.name) for entry in make_bench().desk.recent.recent.paths]
    assert kinds == [("session", "s.softcam"), ("model", "b-c-d"), ("folder", disk.name), ("model", "a-b-c")]


def test_no_name_or_identifier_of_a_patient_is_in_any_file(make_bench, disk):
    bench = make_bench()
    bench.work()
    bench.desk.keeping.save_as(disk / "s.softcam")
    bench.settle()
    text = (disk / "s.softcam").read_text("utf-8").casefold()
    assert not [word for word in ("patient", "birth", "identity", "accession", "uid") if word in text]
