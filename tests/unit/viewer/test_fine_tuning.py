"""Planning a fine-tuning: what is found, what is chosen, what is refused, and the job that comes of it."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit
from softcam_core.annotations.identity import case_key
from softcam_core.annotations.shapes import Rectangle
from softcam_core.annotations.store import AnnotationStore
from softcam_core.errors import SettingsError
from softcam_core.models.card import ModelCard
from softcam_viewer.model import survey as looking
from softcam_viewer.model.fine_tuning import STRENGTHS, FineTuningPlan, next_name
from softcam_viewer.model.fine_tuning_words import data_text, flags_text, intent_text, strength_text, time_text
from softcam_viewer.model.survey import Choices, Survey, find_data, survey
from tests.support.fake_jobs import FakeJobs, make_job

CARD = ModelCard(name="Chest", architecture="compact", class_names=("no", "yes"))
SPLITS = ("train", "train", "train", "val", "test")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A table of five images, one after another in their splits."""
    folder = tmp_path_factory.mktemp("data")
    lines = ["image,label,split"]
    for number, split in enumerate(SPLITS):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((20, 30), 40 * number, np.uint8))
        lines.append(f"{number}.png,{('no', 'yes')[number % 2]},{split}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


def flag(path: Path, verdict: str, **fields: object) -> tuple[CaseRecord, Annotation]:
    key = case_key(path)
    shape = Rectangle(top=2, left=3, height=5, width=6)
    note = Annotation(**{"case": key, "verdict": verdict, "class_name": "yes", "shape": shape} | fields)
    return CaseRecord(key=key, height=20, width=30, path=str(path)), note


@pytest.fixture(scope="module")
def store(data, tmp_path_factory) -> Path:
    """Two flags on training images, one of an unknown class, one in the test split, one that is unsure."""
    path = tmp_path_factory.mktemp("store") / "annotations.sqlite"
    with AnnotationStore(path) as opened:
        for case, note in (
            flag(data / "0.png", "wrong"),
            flag(data / "1.png", "missed"),
            flag(data / "1.png", "wrong", class_name="another"),
            flag(data / "2.png", "unsure"),
            flag(data / "4.png", "wrong"),
        ):
            opened.register(case)
            opened.apply(Edit(title="Flag", changes=(Change(before=None, after=note),)))
    return path


def look(data, store, card=CARD, **changes) -> Survey:
    opened = {"store": store, "reviewers": (), "chosen": None, "opened": [], "images": [data / "0.png"]}
    return survey(card, **opened | changes)


# What is found


def test_the_table_beside_the_images_says_how_many_there_are(data, store):
    found = look(data, store)
    assert found.path == data / "labels.csv"
    assert found.images == {"train": 3, "val": 1, "test": 1}
    assert found.problem == ""


def test_flags_on_training_images_are_told_from_the_others(data, store):
    found = look(data, store)
    assert found.flags == {"wrong": 3, "missed": 1}
    assert found.flagged == 3
    assert found.used == {"wrong": 1, "correct": 0, "missed": 1}
    assert found.judged == 1
    assert any("another (1)" in note for note in found.notes)
    assert set(found.cases) == {case_key(data / f"{n}.png") for n in (0, 1, 4)}


def test_images_in_folders_of_classes_need_no_table(tmp_path):
    for split in ("train", "test"):
        for name in ("No", "yes"):
            (tmp_path / split / name).mkdir(parents=True)
    assert find_data(("no", "yes"), [], [tmp_path / "train" / "No" / "a.png"]) == tmp_path
    assert find_data(("no", "yes"), [], [tmp_path / "other" / "a.png"]) is None


def test_a_table_that_was_opened_goes_before_others(data, tmp_path):
    other = tmp_path / "own.csv"
    assert find_data(CARD.class_names, [other], [data / "0.png"]) == other


def test_images_without_labels_are_explained(tmp_path, store):
    found = look(tmp_path, store, images=[tmp_path / "a.png"])
    assert "Choose the labelled images" in found.data_problem
    assert found.flags == {"wrong": 3, "missed": 1}  # there are some, though


def test_data_that_cannot_be_read_are_explained(data, store):
    found = look(data, store, chosen=data / "gone.csv")
    assert "gone.csv" in found.data_problem


def test_labels_of_other_classes_are_explained(data, store):
    card = CARD.model_copy(update={"class_names": ("left", "right")})
    found = look(data, store, card)
    assert "labels.csv" in found.data_problem


def test_a_model_of_several_labels_does_not_fit_data_of_one(data, store):
    card = CARD.model_copy(update={"task": "multi_label"})
    assert "one label an image" in look(data, store, card).data_problem


def test_without_any_flags_it_is_said_how_to_make_some(data, tmp_path):
    assert "Press F" in look(data, tmp_path / "none.sqlite").problem
    with AnnotationStore(tmp_path / "empty.sqlite"):
        pass
    assert "Press F" in look(data, tmp_path / "empty.sqlite").problem


def test_flags_on_images_that_are_not_trained_on_are_not_enough(data, tmp_path):
    path = tmp_path / "test.sqlite"
    case, note = flag(data / "4.png", "wrong")
    with AnnotationStore(path) as opened:
        opened.register(case)
        opened.apply(Edit(title="Flag", changes=(Change(before=None, after=note),)))
    found = look(data, path)
    assert "validation or test" in found.problem
    assert found.judged == 1


def test_flags_on_other_images_are_not_enough(data, store, tmp_path):
    (tmp_path / "labels.csv").write_text("image,label,split\na.png,no,train\nb.png,yes,val\n")
    for number, name in enumerate("ab"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((20, 30), 7 + number, np.uint8))
    found = look(data, store, chosen=tmp_path / "labels.csv")
    assert "Train on the images that were annotated" in found.flag_problem


def test_a_damaged_store_is_explained(data, tmp_path):
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(b"this is no database, and long enough not to be taken for an empty one" * 20)
    assert look(data, path).flag_problem.endswith(".")


def test_settings_go_to_text_and_back(data, store):
    source = look(data, store).source
    made = looking.make_settings(Path("model.safetensors"), CARD, source, store, Choices(name="New", epochs=3))
    text = looking.write_settings(made)
    assert "# " in text
    assert looking.finished(looking.read_settings(text)) == looking.finished(made)
    assert yaml.safe_load(text)["training"]["epochs"] == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("training: [1", "not YAML, line"),
        ("- 1", "hold nothing"),
        ("data: {path: a.csv}\ntraining: {epochs: 0}", "training.epochs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(text, said):
    with pytest.raises(SettingsError, match=said):
        looking.finished(looking.read_settings(text))


def test_the_standard_weight_can_be_chosen():
    assert Choices().strength in STRENGTHS


# The plan


@pytest.fixture
def plan_of(opened, lanes, tmp_path, monkeypatch):
    """Makes plans on a model of the classes a, b and c; `survey` gives what is found."""
    made = []
    monkeypatch.setattr(looking, "devices", lambda: (("cpu", "cpu"),))
    monkeypatch.setattr(looking, "estimate", lambda settings: 10.0 * settings["training"]["epochs"])

    def make(found: Survey, *jobs, unsaved: int = 0, store: Path | None = tmp_path / "a.sqlite") -> FineTuningPlan:
        monkeypatch.setattr(looking, "survey", lambda *_: found)
        annotating = opened.annotating
        monkeypatch.setattr(type(annotating), "unsaved", property(lambda _: unsaved))
        monkeypatch.setattr(type(annotating.book), "path", property(lambda _: store))
        plan = FineTuningPlan(opened, FakeJobs(tmp_path, *jobs), lanes.training)
        made.append(plan)
        return plan

    yield make
    for plan in made:
        plan.stop()
        plan._jobs.deleteLater()
        plan.deleteLater()


@pytest.fixture(scope="module")
def good(data, store):
    return look(data, store)


def test_a_plan_begins_with_the_model_in_use_and_what_is_open(plan_of, good, settle):
    plan = plan_of(good)
    assert plan.why_not == "Reading the data…"
    settle()
    assert plan.why_not == ""
    assert plan.choices == Choices(name="a b c (fine-tuned)")
    assert "2 of them in training images" in flags_text(plan)
    assert "1 in validation or test images" in flags_text(plan)
    assert data_text(plan).startswith("5 images: 3 to train on, 1 to validate, 1 to test")
    assert "evidence flagged as wrong fades and missed findings are seen" in intent_text(plan)


def test_the_time_is_measured_after_the_last_choice_that_changes_it(plan_of, good, settle, qtbot):
    plan = plan_of(good)
    settle()
    assert time_text(plan) == "Measuring…"
    plan.choose(epochs=3)
    plan.choose(epochs=30)
    qtbot.waitUntil(lambda: not plan._later.isActive(), timeout=5000)
    settle()
    assert plan.seconds == 300.0
    assert time_text(plan) == "About 5 min on this machine"
    plan.choose(strength=2.0)
    assert plan.seconds == 300.0  # which the weight does not change
    plan.choose(epochs=2)
    assert time_text(plan) == "Measuring…"


def test_why_a_time_is_not_known_is_told(plan_of, good, settle, qtbot, monkeypatch):
    plan = plan_of(good)

    def fail(settings):
        raise SettingsError("cuda:0", "is not present", "Use auto.")

    monkeypatch.setattr(looking, "estimate", fail)
    settle()
    qtbot.waitUntil(lambda: not plan._later.isActive(), timeout=5000)
    settle()
    assert time_text(plan) == "Not known: cuda:0: is not present. Use auto."
    assert plan.why_not == ""


def test_to_start_queues_a_job_with_checked_settings_and_what_people_want_to_know(plan_of, good, settle):
    plan = plan_of(good)
    settle()
    started = []
    plan.started.connect(started.append)
    plan.choose(part="head", strength=5.0, name="Mine")
    plan.start()
    plan.start()  # a second click
    settle()
    [job] = started
    assert job.title == "feedback on 2 flags"
    assert job.settings["training"]["part"] == "head"
    assert job.settings["feedback"]["strength"] == 5.0
    assert job.settings["model"]["name"] == "Mine"
    assert Path(job.settings["data"]["path"]).is_absolute()
    assert (job.facts.flags, job.facts.images, len(job.facts.cases)) == (2, 3, 3)
    assert job.facts.start is not None
    yaml.safe_dump(job.settings)  # as a run takes them


def test_settings_edited_by_hand_are_taken_as_they_are_or_refused(plan_of, good, settle):
    plan = plan_of(good)
    settle()
    written, started, refused = [], [], []
    for signal, place in ((plan.written, written), (plan.started, started), (plan.refused, refused)):
        signal.connect(place.append)
    plan.write_out()
    settle()
    plan.start(written[0].replace("epochs: 6", "epochs: none"))
    settle()
    assert "training.epochs" in refused[0]
    assert started == []
    plan.start(written[0].replace("epochs: 6", "epochs: 9"))
    settle()
    assert started[0].settings["training"]["epochs"] == 9


def test_other_data_are_looked_at_anew(plan_of, good, settle, monkeypatch):
    plan = plan_of(good)
    settle()
    asked = []
    monkeypatch.setattr(looking, "survey", lambda *a: asked.append(a[3]) or replace(good, data_problem="No good."))
    plan.choose_data(Path("other.csv"))
    assert plan.is_reading
    settle()
    assert asked == [Path("other.csv")]
    assert plan.why_not == "No good."


def test_what_was_asked_first_does_not_come_after_what_was_asked_last(plan_of, good, settle, lanes, monkeypatch):
    plan = plan_of(good)
    monkeypatch.setattr(looking, "survey", lambda *a: good if a[3] is None else replace(good, flagged=99))
    plan.choose_data(Path("other.csv"))
    first, second = lanes.training.waiting[-2:]
    lanes.training.waiting[-2:] = [second, first]
    settle()
    assert plan.survey.flagged == 99


def test_a_black_box_and_no_model_are_refused_in_words(plan_of, opened, good, monkeypatch):
    monkeypatch.setattr(opened, "model", replace(opened.model, refusals={"evidence": "a box"}))
    assert "black box" in plan_of(good).why_not
    monkeypatch.setattr(opened, "model", None)
    plan = plan_of(good)
    assert "No model is open" in plan.why_not
    assert intent_text(plan)
    assert flags_text(plan) == data_text(plan) == ""


def test_annotations_that_are_not_kept_in_a_file_are_no_store(plan_of, good):
    assert "not kept in a file" in plan_of(good, store=None).why_not


def test_edits_that_are_not_saved_would_not_count(plan_of, good, settle):
    plan = plan_of(good, unsaved=2)
    settle()
    assert plan.why_not.startswith("2 edits are not saved yet")


def test_a_job_that_runs_is_waited_for(plan_of, good, settle):
    plan = plan_of(good, make_job(7, state="running"), make_job(6, state="finished"))
    settle()
    assert intent_text(plan).endswith("Starts when job #7 is over.")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Chest", "Chest (fine-tuned)"),
        ("Chest (fine-tuned)", "Chest (fine-tuned 2)"),
        ("Chest (fine-tuned 9)", "Chest (fine-tuned 10)"),
    ],
)
def test_new_models_are_told_from_those_before(name, wanted):
    assert next_name(name) == wanted
    assert len(next_name("x" * 200)) == 200


def test_the_weight_of_flags_is_told_in_words():
    assert [strength_text(s).split(" · ")[0] for s in (STRENGTHS[0], 1.0, STRENGTHS[-1])] == [
        "gentle", "balanced with the labels", "strong",
    ]  # fmt: skip
