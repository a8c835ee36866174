"""Wrong evidence is flagged, trained away and gone: with real mouse and keyboard, a job that outlives the window."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flagged_phantoms import SIDE, around_lesion, check_annotations, check_change, check_run, job_of, tag_of
from recomputed import read_again

from softcam_core.annotations.annotation import Annotation
from softcam_core.annotations.query import Query
from softcam_core.annotations.shapes import Polygon
from softcam_core.annotations.store import AnnotationStore
from softcam_core.data.phantom_files import write_phantoms
from softcam_core.training.comparison import read_comparison
from softcam_core.training.config_files import make_config
from softcam_core.training.trainer import train

SHOTS = Path(__file__).parents[2] / "build" / "shots"
PLACE = (60, 70)
"""Where the window is on the screen."""
NAME = "Phantom chest"
REVIEWER = "Dr Ada"
EPOCHS = 24
"""Of the job: enough for all that is done while it trains."""
MOVED = (14, -10)
"""Of the polygon, in pixels of the image: down and to the right."""
PATIENCE = 240
"""Seconds: a job stands back for all else that the machine does, and other tests may be that."""
DOUBLE_CLICK = 0.5
"""Seconds within which two clicks are one."""
AT = re.compile(r"x (\d+)  y (\d+)")
TIME_TAKEN = re.compile(r"\d[\d.]* (s|min)\b")

Place = Callable[[float, float], tuple[int, int]]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of phantoms, of which the ill ones wear a tag in a corner."""
    folder = tmp_path_factory.mktemp("phantoms") / "data"
    return write_phantoms(folder, 40, size=SIDE, seed=4, tags=(1, 0), splits=(0.6, 0.2, 0.2))


@pytest.fixture(scope="module")
def ill(table: Path) -> list[dict[str, str]]:
    """Rows of the first three ill phantoms to train on."""
    with table.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["tag"] and row["split"] == "train"][:3]


@pytest.fixture(scope="module")
def model(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learnt the tag."""
    settings = {
        "seed": 1,
        "data": {"path": table},
        "model": {"architecture": "compact", "name": NAME},
        "preprocessing": {"shorter_side": 96},
        "training": {"epochs": 12, "batch_size": 8, "lr": 1e-3},
        "loss": {"l1": 1e-4},
        "hardware": {"device": "cpu"},
    }
    run = tmp_path_factory.mktemp("model") / "run"
    train(make_config(settings), run)
    return run / "best.safetensors"


# What is on the screen


def shot(viewer, name: str) -> None:
    """For people to look at."""
    viewer.screen.save(SHOTS / f"e2e_feedback_{name}.png")


def wait_for_maps(viewer, film: str, count: int = 1) -> None:
    """Wait until as many panes show maps of a film."""

    def are_there(parts: list) -> bool:
        done = [part for part in parts if part.kind == "ElidedLabel" and TIME_TAKEN.search(part.text)]
        title = next(part for part in parts if part.kind == "MainWindow").window
        return film in title and len(done) == count and not any(part.text == "Cancel" for part in parts)

    viewer.wait(are_there, f"{count} maps of {film}")


def says(viewer, text: str, **wanted: object) -> str:
    """Wait for something that says this, perhaps among other things; all that it says."""
    found: list[str] = []

    def is_said(parts: list) -> bool:
        found[:] = [
            part.text for part in parts
            if re.search(text, part.text) and all(getattr(part, key) == value for key, value in wanted.items())
        ]  # fmt: skip
        return bool(found)

    viewer.wait(is_said, f"{text!r} {wanted or ''}")
    return found[0]


def place_on_film(viewer) -> Place:
    """Tells where a place on the film, row and column, is on the screen: from what the status line says at two."""
    area = viewer.part(kind="ImageView").area
    reach, read = round(0.4 * min(area[2:])), []
    for sign in (-1, 1):
        at = [middle + sign * reach for middle in viewer.part(kind="ImageView").middle]
        viewer.screen.do("mousemove", *at)
        known = read[-1][1] if read else None

        def is_read(parts: list, known: object = known) -> bool:
            return any((found := AT.search(part.text)) and found.groups() != known for part in parts)

        parts = viewer.wait(is_read, "the pixel under the mouse")
        found = next(found for part in parts if (found := AT.search(part.text)))
        read.append((at, found.groups()))
    (first, seen_first), (last, seen_last) = read
    begin, end = (np.array(seen, float) + 0.5 for seen in (seen_first, seen_last))
    scale = (np.array(last) - first) / (end - begin)

    def place(row: float, column: float) -> tuple[int, int]:
        left, top = np.round(first + (np.array([column, row]) - begin) * scale)
        return int(left), int(top)

    return place


def scroll_to_annotations(viewer) -> None:
    """Turn the wheel beside the panels until the annotations are in sight, below the end of the ledger."""

    def are_in_sight(parts: list) -> bool:
        side = next(part for part in parts if part.kind == "QScrollArea")
        top = next((part.area[1] for part in parts if part.name == "Review of the case" and part.is_whole), None)
        if top is not None and top < side.middle[1]:
            return True
        is_above = top is None and not any(part.kind == "LedgerPanel" for part in parts)
        viewer.screen.do("mousemove", side.area[0] + 4, side.middle[1], "click", 4 if is_above else 5)
        return False

    viewer.wait(are_in_sight, "the annotations")


def said(viewer) -> list[str]:
    """Annotations of the image in view, as the panel lists them."""
    scroll_to_annotations(viewer)
    return [part.text for part in viewer.parts(kind="AnnotationView part")]


def in_store(viewer) -> list[Annotation]:
    """All that is kept, by when it was made."""
    with AnnotationStore(viewer.screen.remembered / "annotations.sqlite", read_only=True) as store:
        return sorted(store.find(Query()), key=lambda annotation: annotation.created)


def wait_for_store(viewer, verdicts: list[str], *polygons: list[tuple[float, float]]) -> list[Annotation]:
    """Wait until the store holds these verdicts and these polygons, give or take a pixel and a half."""

    def is_kept(_: list) -> bool:
        kept = in_store(viewer)
        drawn = [annotation.shape.points for annotation in kept if isinstance(annotation.shape, Polygon)]
        return (
            [annotation.verdict for annotation in kept] == verdicts
            and len(drawn) == len(polygons)
            and all(np.abs(np.subtract(*pair)).max() < 1.5 for pair in zip(drawn, polygons, strict=True))
        )

    viewer.wait(is_kept, f"{verdicts} and {polygons} in the store")
    return in_store(viewer)


def changed(before: np.ndarray, after: np.ndarray, at: tuple[int, int]) -> bool:
    """Whether a place on the screen looks otherwise."""
    left, top = at
    near = np.s_[top - 3 : top + 4, left - 3 : left + 4]
    return bool(np.abs(before[near] - after[near]).max() > 40)


# What a reviewer does


def go_to(viewer, film: str) -> None:
    viewer.screen.do("sleep", DOUBLE_CLICK)  # after the click before
    viewer.click(kind="CaseView part", text=film)
    wait_for_maps(viewer, film)


def press_over_tag(viewer, place: Place, row: dict[str, str], *action: object) -> None:
    """Point at the tag and press what flags it."""
    viewer.screen.do("mousemove", *place(*tag_of(row)))
    says(viewer, AT.pattern)
    viewer.screen.do(*action)


def flag_by_key(viewer, place: Place, row: dict[str, str]) -> None:
    press_over_tag(viewer, place, row, "key", "f")
    viewer.wait(lambda _: [text.partition(",")[0] for text in said(viewer)] == ["Wrong evidence"], "a flag")


def draw_polygon(viewer, place: Place, corners: list[tuple[float, float]]) -> None:
    viewer.click(name="Tools say: correct evidence")
    viewer.click(name="Draw a polygon")
    for corner in (*corners, corners[0]):
        viewer.screen.do("mousemove", *place(*corner), "click", 1)
    viewer.part(kind="AnnotationView part", number=1)


def reopen(viewer) -> None:
    """Go on with the last session, from the page that a window begins with."""
    viewer.part(kind="QToolButton", text="manifest.csv")  # what was open of late, which moves all above it
    viewer.still()
    viewer.focus()
    viewer.click(text="Reopen the last session")


def quit_with(viewer, answer: str) -> None:
    """Close the window while a job trains."""
    viewer.focus()
    viewer.screen.do("key", "ctrl+q")
    viewer.part(window="SoftCAM viewer", text="Keep training")
    shot(viewer, "asked")
    viewer.click(window="SoftCAM viewer", kind="QPushButton", text=answer)


def watch_curve(viewer) -> None:
    """Wait until the curve of the loss is longer than it was, in the list of jobs and in the strip."""
    for kind in ("CurvePlot", "Sparkline"):
        area = viewer.part(kind=kind).inside
        before, step = viewer.screen.pixels()[area], viewer.screen.pixels
        viewer.wait(
            lambda _, area=area, before=before, step=step: (step()[area] != before).any(axis=2).sum() > 20,
            f"another curve in the {kind}",
        )


def test_wrong_evidence_is_flagged_trained_away_and_gone(
    start: Callable, is_training: Callable, table: Path, model: Path, ill: list[dict[str, str]]
):
    first, second, third = (Path(row["image"]).stem for row in ill)
    lesion = around_lesion(ill[1])
    moved = [(row + MOVED[0], column + MOVED[1]) for row, column in lesion]
    viewer = start(table, "--model", model)
    viewer.part(kind="CaseView part", text=first)
    viewer.move_to(*PLACE)
    viewer.focus()

    # A click flags what the model takes for the disease.
    go_to(viewer, first)
    place = place_on_film(viewer)
    viewer.click(name="Flag a region of the map")
    press_over_tag(viewer, place, ill[0], "click", 1)
    viewer.part(kind="QPushButton", text="Sign", is_whole=True)  # comes into sight by itself
    shot(viewer, "flagged")
    viewer.click(name="Who reviews")
    viewer.type_line(REVIEWER)
    viewer.wait(lambda _: REVIEWER in said(viewer)[0], "the flag with a name")

    # So does a key; and what is right is drawn around, in a better place at the second try.
    go_to(viewer, second)
    flag_by_key(viewer, place, ill[1])
    clean = viewer.still()
    draw_polygon(viewer, place, lesion)
    on_side = place(*np.mean(lesion[2:4], axis=0))
    assert changed(clean, viewer.still(), on_side)
    wait_for_store(viewer, ["wrong", "wrong", "correct"], lesion)
    shot(viewer, "drawn")
    viewer.click(name="Select and change annotations")
    middle = np.mean(lesion, axis=0)
    viewer.drag_between(place(*middle), place(*(middle + MOVED)))
    wait_for_store(viewer, ["wrong", "wrong", "correct"], moved)

    # Undone and done again, from another case too.
    go_to(viewer, third)
    assert said(viewer) == []
    viewer.screen.do("key", "ctrl+z")
    wait_for_maps(viewer, second)
    wait_for_store(viewer, ["wrong", "wrong", "correct"], lesion)
    assert changed(clean, viewer.still(), on_side)
    viewer.screen.do("key", "ctrl+z")
    wait_for_store(viewer, ["wrong", "wrong"])
    assert not changed(clean, viewer.still(), on_side)
    shot(viewer, "undone")
    go_to(viewer, third)
    viewer.screen.do("key", "ctrl+shift+z")
    wait_for_maps(viewer, second)
    viewer.screen.do("key", "ctrl+shift+z")
    wait_for_store(viewer, ["wrong", "wrong", "correct"], moved)
    go_to(viewer, third)
    flag_by_key(viewer, place, ill[2])
    kept = wait_for_store(viewer, ["wrong", "wrong", "correct", "wrong"], moved)
    shot(viewer, "all_flagged")
    check_annotations(kept, REVIEWER, model, table, ill)

    # The training, and what is known before it.
    viewer.patience = PATIENCE
    viewer.choose("Train", "Fine-tune on flags…")
    dialog = {"window": "Fine-tune on flags"}
    says(viewer, "40 images: 24 to train on, 8 to validate, 8 to test", **dialog)
    says(viewer, "4 flags on 3 images: 3 wrong, 1 correct\n4 of them in training images", **dialog)
    viewer.click(name="Epochs", **dialog)
    viewer.screen.do("key", "ctrl+a", "type", str(EPOCHS))
    says(viewer, "^About .* on this machine", **dialog)
    shot(viewer, "dialog")
    viewer.click(text="Start", **dialog)
    viewer.focus()

    # It can be watched, and waits, ends and goes on when it is told to.
    title = "Fine-tune #1 · feedback on 4 flags"
    says(viewer, f"epoch [2-9] / {EPOCHS}")
    shot(viewer, "running")
    viewer.click(name=f"{title}: show all jobs")
    jobs = {"window": "Jobs"}
    watch_curve(viewer)
    shot(viewer, "jobs")
    viewer.click(text="Pause", **jobs)
    viewer.part(text="❚❚ Paused", kind="QLabel", **jobs)
    (job,) = viewer.screen.remembered.glob("jobs/*/")
    viewer.still()
    events = (job / "run" / "events.jsonl").read_text("utf-8").count('"step"')
    shot(viewer, "paused")
    assert (job / "run" / "events.jsonl").read_text("utf-8").count('"step"') == events
    viewer.click(text="Go on", **jobs)
    viewer.part(text="▶ Training", kind="QLabel", **jobs)
    viewer.click(text="Cancel", **jobs)
    viewer.part(text="■ Cancelled", kind="QLabel", **jobs)
    shot(viewer, "cancelled")
    assert not is_training(job)
    viewer.click(text="Resume", **jobs)
    viewer.part(text="▶ Training", kind="QLabel", **jobs)
    viewer.click(text="Close", **jobs)

    # It outlives the window.
    quit_with(viewer, "Cancel")
    viewer.part(text="▶ Training", kind="QLabel")
    quit_with(viewer, "Keep training")
    assert viewer.leave() == 0
    assert is_training(job)
    viewer = start("--theme", "light")
    viewer.patience = PATIENCE
    viewer.part(text="▶ Training", kind="QLabel")
    shot(viewer, "found_again")
    viewer.part(text="✓ Finished", kind="QLabel")
    check_run(job, model, EPOCHS)

    # Before, after and change on the flagged cases.
    reopen(viewer)
    wait_for_maps(viewer, third)
    viewer.click(kind="QPushButton", text="Compare")
    wait_for_maps(viewer, third, 3)
    for caption in ("Before", "After", "Change"):
        viewer.part(text=caption, kind="QLabel")
    assert {part.text for part in viewer.parts(kind="CaseView part")} == {first, second, third}
    comparison = read_comparison(job / "run" / "comparison.json")
    cells = [part.text for part in viewer.parts(kind="QTableView part", name="Figures before and after")]
    assert [row.title.partition(", ")[0] for row in comparison.rows][:3] == cells[::6][:3]
    shot(viewer, "compared")
    new = job / "run" / "last.safetensors"
    film = table.parent / ill[2]["image"]
    total = next(part.name for part in viewer.parts(kind="LedgerRow") if part.name.startswith("Sum: "))
    told = float(total.removeprefix("Sum: ").replace("−", "-"))
    check_change(told, [read_again(path, film) for path in (model, new)], kept[-1])

    # The new model is the one in use from now on.
    viewer.click(kind="QPushButton", text="Accept")
    viewer.part(kind="ElidedLabel", text=f"{NAME} (fine-tuned)  ·  1 to compare")
    wait_for_maps(viewer, third)
    shot(viewer, "accepted")
    viewer.screen.do("key", "ctrl+q")
    assert viewer.leave() == 0
    assert job_of(job)["decision"] == "accepted"

    # The next day all of it is there.
    viewer = start()
    reopen(viewer)
    wait_for_maps(viewer, third)
    says(viewer, re.escape(f"{NAME} (fine-tuned)"), kind="ElidedLabel")
    share = f"{100 * read_again(new, film).probabilities()[1]:.1f} %"
    assert share in viewer.part(kind="ClassBar", number=1).name
    assert [text.partition(",")[0] for text in said(viewer)] == ["Wrong evidence"]
    viewer.choose("Train", "Jobs…")
    assert [part.text for part in viewer.parts(kind="QTableView part", **jobs)][:2] == [title, "✓ Finished · accepted"]
    viewer.wait(lambda parts: not any(part.text == "Nothing measured yet" for part in parts), "the curves")
    shot(viewer, "next_day")
    assert in_store(viewer) == kept
