"""Exporting: files of the case in view as it is shown, and of all cases."""

import csv
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import segread

from softcam_core.errors import BorderError
from softcam_viewer.model import exporting
from softcam_viewer.model.exporting import Exporting, ExportRequest


class OneLane:
    """Does work when the test says so."""

    def __init__(self) -> None:
        self.waiting = []

    def submit(self, work, done, failed) -> None:
        self.waiting.append((work, done, failed))

    def clear(self) -> None:
        self.waiting.clear()

    def run(self) -> None:
        work, done, failed = self.waiting.pop()
        try:
            result = work()
        except BorderError as error:
            failed(str(error))
        else:
            done(result)


@pytest.fixture
def lane() -> OneLane:
    return OneLane()


@pytest.fixture
def exports(opened, lane) -> Exporting:
    return Exporting(opened, lane)


@pytest.fixture
def told(exports) -> list:
    """What comes of it."""
    found = []
    exports.finished.connect(found.append)
    exports.failed.connect(found.append)
    return found


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_each_pane_shows_is_written_once_and_cases_are_numbered(opened, exports, lane, told, settle, tmp_path):
    opened.panes.set_layout("2x2")
    for pane, method in zip(opened.panes.shown, ("evidence", "cam", "cam", "evidence"), strict=True):
        pane.set_method(method)
    opened.panes.shown[2].set_overlay(target=0)
    settle()
    exports.export_case(ExportRequest(tmp_path / "out", ("npz", "ledger")))
    assert exports.is_running
    lane.run()
    assert not exports.is_running
    # The first and the last pane show the same.
    assert files(tmp_path / "out") == [
        "case_0001_cam.npz",
        "case_0001_cam_2.npz",
        "case_0001_evidence.npz",
        "case_0001_ledger.csv",
    ]
    assert (told[0].cases, told[0].problems) == (1, ())


def test_threshold_and_regions_left_out_are_those_that_are_seen(opened, exports, lane, told, tmp_path):
    opened.panes.active.set_overlay(target=2, threshold=0.5)
    weighing = opened.weighing
    region = weighing.ledger.regions[0]
    exports.export_case(ExportRequest(tmp_path, ("seg", "ledger"), keep_names=True))
    lane.run()
    assert segread(tmp_path / "one_regions.dcm").number_of_segments == len(weighing.ledger.regions)
    with (tmp_path / "one_ledger.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    level = 0.5 * opened.panes.active.overlay_map.scale
    assert float(rows[0]["threshold"]) == pytest.approx(level)
    weighing.set_counted(region.number, counted=False)
    exports.export_case(ExportRequest(tmp_path / "again", ("seg",)))
    lane.run()
    remaining = len(weighing.ledger.regions) - 1
    if remaining:
        assert segread(tmp_path / "again" / "case_0001_regions.dcm").number_of_segments == remaining
    else:
        assert "no regions are written" in told[-1].problems[0]


def test_a_picture_and_a_report_are_written_as_given(exports, lane, told, tmp_path):
    picture = np.zeros((4, 5, 3), np.uint8)
    exports.export_case(
        ExportRequest(tmp_path, ("picture", "report")), picture, lambda path: path.write_bytes(b"%PDF") and None
    )
    lane.run()
    assert files(tmp_path) == ["case_0001.pdf", "case_0001.png"]


def test_a_folder_that_cannot_be_made_is_named_and_the_next_export_works(exports, lane, told, tmp_path):
    (tmp_path / "taken").write_text("a file")
    exports.export_case(ExportRequest(tmp_path / "taken" / "out", ("npz",)))
    lane.run()
    assert str(tmp_path / "taken" / "out") in told[0]
    assert "Choose another folder" in told[0]
    exports.export_case(ExportRequest(tmp_path / "out", ("npz",)))
    lane.run()
    assert told[1].cases == 1


def test_a_report_that_cannot_be_written_is_named(exports, lane, told, tmp_path):
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    exports.export_case(ExportRequest(tmp_path, ("report",)), None, full)
    lane.run()
    assert "case_0001.pdf: cannot be written: No space left on device" in told[0]


@pytest.fixture
def all_readable(monkeypatch, opened):
    """Three cases, of which the second cannot be read; the evidence is that of the case in view."""
    from softcam_core.errors import ImageReadError
    from softcam_core.explainers import methods
    from softcam_core.imaging import readers

    shown = opened.panes.active.explanation

    def read(path):
        if "bad" in path.name:
            raise ImageReadError(path, "is damaged", "Copy it again.")
        return opened.film.image

    monkeypatch.setattr(readers, "read_image", read)
    monkeypatch.setattr(methods, "explain", lambda network, image: shown)
    opened.open_paths([Path("one"), Path("bad"), Path("two")])
    return opened


def test_all_cases_are_written_with_their_scores_and_those_that_fail_are_named(
    all_readable, exports, lane, told, settle, tmp_path
):
    settle()
    progress = []
    exports.progressed.connect(lambda done, count: progress.append((done, count)))
    exports.export_all(ExportRequest(tmp_path, ("npz",), keep_names=True), [0, 1, 2])
    lane.run()
    assert files(tmp_path) == ["one_evidence.npz", "scores.csv", "two_evidence.npz"]
    assert told[-1].cases == 2
    assert "is damaged" in told[-1].problems[0]
    assert progress[0] == (0, 3)
    assert progress[-1] == (3, 3)
    with (tmp_path / "scores.csv").open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == ["one", "two"]


def test_names_of_files_are_told_only_where_asked_for(all_readable, exports, lane, settle, tmp_path):
    settle()
    exports.export_all(ExportRequest(tmp_path, ("npz",)), [2])
    lane.run()
    assert files(tmp_path) == ["case_0003_evidence.npz", "scores.csv"]
    assert "two" not in (tmp_path / "scores.csv").read_text()


def test_an_export_that_is_cancelled_keeps_what_is_complete(all_readable, exports, lane, told, settle, tmp_path):
    settle()
    exports.progressed.connect(lambda done, count: exports.cancel() if done == 1 else None)
    exports.export_all(ExportRequest(tmp_path, ("npz",), keep_names=True), [0, 2])
    lane.run()
    assert told[-1].cancelled
    assert told[-1].cases == 1
    assert files(tmp_path) == ["one_evidence.npz", "scores.csv"]


def test_one_export_runs_at_a_time(exports, lane, tmp_path):
    exports.export_case(ExportRequest(tmp_path, ("npz",)))
    exports.export_case(ExportRequest(tmp_path, ("tiff",)))
    assert len(lane.waiting) == 1
    assert exporting.shown_in(exports._session.panes.active) is not None
