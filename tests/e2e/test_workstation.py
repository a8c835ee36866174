"""A reader's session from the first click to the next day, with real mouse and keyboard on real radiographs."""

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from recomputed import THRESHOLD, read_again

from softcam_core.models.checkpoint import load_model
from softcam_core.resources import resource

pytestmark = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="needs pdftotext (Debian's package poppler-utils)"
)

FILMS = ("00000193_019.png", "00000506_013.png", "00001543_003.png", "00001616_009.png")
READ = "00001616_009"
"""The film that is read: the model is less sure of it than of the others."""
SHOTS = Path(__file__).parents[2] / "build" / "shots"
PLACE = (60, 70)
"""Where the window is on the screen."""
TIME_TAKEN = re.compile(r"\d[\d.]* (s|min)\b")
OUTCOME = re.compile(r"Without R1: (.*) \((.*)\)\.")


@pytest.fixture(scope="module")
def model() -> Path:
    return resource("demo/model.safetensors")


@pytest.fixture
def films(shared_data: Path, tmp_path: Path) -> Path:
    """A folder of radiographs from two places, four as PNG and one as DICOM."""
    folder = tmp_path / "films"
    folder.mkdir()
    for name in FILMS:
        shutil.copy(shared_data / "cxr_nih_boxes" / "images" / name, folder)
    shutil.copy(shared_data / "dicom" / "RG1_J2KI.dcm", folder)
    return folder


# What is on the screen


def shot(viewer, name: str) -> None:
    """For people to look at."""
    viewer.screen.save(SHOTS / f"e2e_{name}.png")


def told(parts: list) -> set[tuple]:
    """What the window says and where, but for the time that something took and what is under the mouse."""
    end = next((part.area[1] for part in parts if part.kind == "StatusLine"), 0)
    shown = [part for part in parts if part.window == parts[0].window and part.area[1] < end]
    return {(p.kind, p.name, TIME_TAKEN.sub("", p.text), p.area, p.is_enabled, p.is_checked) for p in shown}


def wait_for_maps(viewer, film: str, count: int) -> None:
    """Wait until as many panes show maps of a film."""

    def are_there(parts: list) -> bool:
        done = [part for part in parts if part.kind == "ElidedLabel" and TIME_TAKEN.search(part.text)]
        return film in parts[0].window and len(done) == count and not any(part.text == "Cancel" for part in parts)

    viewer.wait(are_there, f"{count} maps of {film}")


def outcome(viewer) -> str:
    """What the prediction is without the first region, as the window says it."""
    found = viewer.wait(lambda parts: any(OUTCOME.match(part.text) for part in parts), "the probability without it")
    return next(part.text for part in found if OUTCOME.match(part.text))


def images(viewer) -> list[tuple[slice, slice]]:
    """Where the panes' images are."""
    return [part.inside for part in viewer.parts(kind="ImageView")]


def alike(frame: np.ndarray, areas: list[tuple[slice, slice]]) -> list[bool]:
    """Whether other panes show the same part of the film as the first one; panes may differ by a pixel in size."""
    height, width = (min(area[axis].stop - area[axis].start for area in areas) for axis in (0, 1))
    first, *others = (frame[area][:height, :width] for area in areas)
    return [bool(np.abs(first - other).mean() < 3) for other in others]


def films_alone(viewer, expected: list[bool], what: str) -> np.ndarray:
    """The screen while the overlays are hidden, with panes that are like the first one as expected."""
    screen, areas = viewer.screen, images(viewer)
    # The keys go to what was clicked on; the crosshair goes with the mouse.
    screen.do("mousemove", *viewer.parts(kind="ImageView")[0].middle, "click", 2)
    viewer.still()
    screen.do("keydown", "space")
    frame = screen.wait(lambda frame: alike(frame, areas) == expected, what)
    screen.do("keyup", "space")
    return frame


# What a reader does


def answer_dialog(viewer, keys: str, title: str, path: Path) -> None:
    """Press keys that open a dialog for a file, and write the file's name into it."""
    viewer.focus()
    viewer.screen.do("key", keys)
    viewer.wait(lambda parts: any(p.window == title and p.kind == "QLineEdit" and p.has_focus for p in parts), title)
    viewer.type_line(path)
    viewer.focus()


def turn_wheel(viewer, times: int) -> None:
    """Zoom into the first pane."""
    middle = viewer.part(kind="ImageView", name="Image, pane 1").middle
    viewer.screen.do("mousemove", *middle, "keydown", "ctrl", *("click", 4) * times, "keyup", "ctrl")


def scroll_panels(viewer, *, down: bool) -> None:
    """Turn the wheel over the panels at the right, beside what would take it for itself."""
    left, top, _, _ = viewer.part(kind="LedgerPanel").area
    viewer.screen.do("mousemove", left + 4, top + 4, *("click", 5 if down else 4) * 3)


def untick_first(viewer) -> tuple[str, float]:
    """Leave the first region of the ledger out; what is said under it then, and what the region contributed."""
    row = viewer.part(kind="LedgerRow")
    assert row.name.startswith("R1: ")
    assert not any(OUTCOME.match(part.text) for part in viewer.parts())
    viewer.click(kind="QCheckBox", name=f"Count {row.name}")
    viewer.part(kind="QCheckBox", is_checked=False, name=f"Count {row.name}")
    scroll_panels(viewer, down=True)
    return outcome(viewer), float(row.name.rpartition(", ")[2].replace("−", "-"))


def export(viewer, folder: Path, *choices: str) -> None:
    """Export the case in view: what is chosen, and nothing else."""
    viewer.screen.do("key", "ctrl+e")
    viewer.part(window="Export", text="Export")
    for box in viewer.parts(window="Export", kind="QCheckBox"):
        viewer.tick(window="Export", text=box.text, on=box.text in choices)
    viewer.click(window="Export", name="Folder to export to")
    viewer.screen.do("key", "ctrl+a", "type", "--delay", 1, str(folder))
    viewer.part(window="Export", text=str(folder))
    viewer.click(window="Export", text="Export")
    viewer.part(window="Export", text=f"1 case exported to {folder}.")
    shot(viewer, "exported")
    viewer.click(window="Export", text="Close")
    viewer.focus()


def text_of(pdf: Path) -> str:
    """Words of a PDF with single spaces between them."""
    found = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, check=True, timeout=60)
    return " ".join(found.stdout.decode().split())


def test_a_session_of_reading_is_back_the_next_day(
    start: Callable, model: Path, films: Path, tmp_path: Path, is_colored: Callable
):
    session, out = tmp_path / "monday.softcam", tmp_path / "out"
    viewer = start()
    viewer.part(text="Open folder…")
    viewer.move_to(*PLACE)
    answer_dialog(viewer, "ctrl+m", "Open a model", model)
    answer_dialog(viewer, "ctrl+shift+o", "Open a folder of images", films)
    viewer.click(kind="CaseView part", text=READ)
    wait_for_maps(viewer, READ, 1)
    shot(viewer, "opened")

    # Four panes, and another method in the second one.
    viewer.click(name="Four panes")
    wait_for_maps(viewer, READ, 4)
    before = viewer.still()
    assert [part.text for part in viewer.parts(name="Method")][1] == "Grad-CAM"
    viewer.click(1, name="Method")
    viewer.part(window="", text="LayerCAM")
    shot(viewer, "methods")
    viewer.click(window="", text="LayerCAM")
    viewer.part(name="Method", text="LayerCAM")
    viewer.still()
    expected = [True, False, True, True]  # is as it was
    after = viewer.screen.wait(
        lambda frame: (
            [np.array_equal(frame[area], before[area]) for area in images(viewer)] == expected
            and is_colored(frame[images(viewer)[1]]).sum() > 1000
        ),
        "another map in the second pane, and in no other",
    )
    shot(viewer, "method")

    # Linked from the start; then each for itself; then linked again.
    turn_wheel(viewer, 2)
    zoomed = films_alone(viewer, [True] * 3, "four films alike")
    last = images(viewer)[3]
    assert np.mean(zoomed[last] != after[last]) > 0.5
    viewer.click(name="Same part of the image in all panes")
    turn_wheel(viewer, 1)
    films_alone(viewer, [False] * 3, "the first film alone closer")
    viewer.click(name="Same part of the image in all panes")
    closer = films_alone(viewer, [True] * 3, "all films closer")
    assert not np.array_equal(closer[last], zoomed[last])

    # Less evidence, and less of it counts.
    before, first = viewer.still(), images(viewer)[0]
    shot(viewer, "zoomed")
    left, _, width, _ = viewer.part(name="Threshold", kind="QSlider").area
    viewer.drag(viewer.part(name="Threshold", text="handle"), to_left=left + 0.35 * width)
    many = is_colored(before[first]).sum()
    viewer.screen.wait(lambda frame: is_colored(frame[first]).sum() < 0.9 * many, "less evidence")
    shot(viewer, "threshold")
    said, contribution = untick_first(viewer)
    viewer.screen.wait(
        lambda frame: is_colored(frame[viewer.part(text=said, is_whole=True).inside]).sum() > 200,
        "the sentence on the screen",
    )
    shot(viewer, "unticked")
    scroll_panels(viewer, down=False)

    export(viewer, out, "Case report (PDF)", "Evidence ledger (CSV)", "Regions (DICOM Segmentation)")
    answer_dialog(viewer, "ctrl+s", "Save the session", session)
    viewer.wait(lambda parts: "monday" in parts[0].window and session.is_file(), "the session's name")
    picture, words = viewer.still(), told(viewer.look())
    shot(viewer, "saved")
    viewer.screen.do("key", "ctrl+q")
    assert viewer.leave() == 0

    # The numbers that were read are right, and stand in what was exported.
    content = json.loads(session.read_text("utf-8"))
    share = content["panes"][0]["overlay"]["threshold"]
    assert 0.3 < share < 0.4
    truth = read_again(model, films / f"{READ}.png")
    name = load_model(model).card.class_names[1]
    region, expected = truth.regions(truth.on_screen, share)[0]
    whole, less = (f"{100 * p[1]:.1f} %" for p in (truth.probabilities(), truth.probabilities(region)))
    assert whole != less
    assert said == f"Without R1: {name} {less}, not {whole} (exact, network not run)."
    assert contribution == pytest.approx(expected, abs=0.01)
    report = text_of(out / "case_0004.pdf")
    assert said in report
    for logit in truth.logits:
        assert f"{logit:+.3f}".replace("-", "−") in report  # with its sign
    assert "R1 (left out)" in report
    assert "Not for diagnostic use" in report
    with (out / "case_0004_ledger.csv").open(encoding="utf-8", newline="") as file:
        ledger = {row["region"]: row for row in csv.DictReader(file)}
    assert float(ledger["R1"]["contribution"]) == pytest.approx(expected, abs=0.01)
    # The regions that count are segments, over a copy of the film that tells of nobody.
    segments, copy = (pydicom.dcmread(out / f"case_0004_{kind}.dcm") for kind in ("regions", "image"))
    labels = [segment.SegmentLabel for segment in segments.SegmentSequence]
    assert labels == [row for row in ledger if re.fullmatch(r"[RN]\d+", row) and row != "R1"]
    assert len(labels) == len(truth.regions(truth.geometry, share)) - 1
    assert segments.StudyInstanceUID == copy.StudyInstanceUID

    # The next day.
    again = start(session)
    try:
        again.wait(lambda parts: told(parts) == words, "what was there")
    except AssertionError:
        now = told(again.look())
        assert now - words == words - now
        raise
    areas = images(again)
    again.screen.wait(
        lambda frame: all(np.abs(frame[area] - picture[area]).max() <= 8 for area in areas),
        "the same maps",
    )
    shot(again, "reopened")
    answer_dialog(again, "ctrl+shift+s", "Save the session", tmp_path / "tuesday")
    again.wait(lambda parts: "tuesday" in parts[0].window, "the session's new name")
    assert json.loads((tmp_path / "tuesday.softcam").read_text("utf-8")) == content


def test_regions_of_a_dicom_film_join_its_study_and_lie_where_the_evidence_is(
    start: Callable, model: Path, films: Path, tmp_path: Path
):
    film, out = films / "RG1_J2KI.dcm", tmp_path / "out"
    viewer = start(film, "--model", model)
    wait_for_maps(viewer, film.name, 1)
    viewer.focus()
    untick_first(viewer)
    shot(viewer, "dicom")
    export(viewer, out, "Regions (DICOM Segmentation)", "Keep the patient's identity in DICOM files")
    assert [path.name for path in out.iterdir()] == ["case_0001_regions.dcm"]
    segments, source = pydicom.dcmread(out / "case_0001_regions.dcm"), pydicom.dcmread(film, stop_before_pixels=True)
    assert segments.StudyInstanceUID == source.StudyInstanceUID
    assert segments.PatientID == source.PatientID
    (series,) = segments.ReferencedSeriesSequence
    (instance,) = series.ReferencedInstanceSequence
    assert instance.ReferencedSOPInstanceUID == source.SOPInstanceUID

    truth = read_again(model, film)
    _, *counted = truth.regions(truth.geometry, THRESHOLD)
    wanted = np.any([mask for mask, _ in counted], axis=0)
    written = np.atleast_3d(segments.pixel_array.T).T.any(axis=0)
    assert written.shape == (source.Rows, source.Columns)
    assert (written & wanted).sum() > 0.999 * (written | wanted).sum()
