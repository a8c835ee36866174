"""Training on flags, from a trained model: what is flagged goes, what is resumed is what was begun."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from softcam_core.annotations.annotation import Annotation, CaseRecord, Change, Edit
from softcam_core.annotations.identity import case_key
from softcam_core.annotations.shapes import Rectangle
from softcam_core.annotations.store import AnnotationStore
from softcam_core.errors import AnnotationError, SettingsError
from softcam_core.models.checkpoint import load_model, read_card
from softcam_core.training.comparison import read_comparison
from softcam_core.training.config import TrainingConfig
from softcam_core.training.config_files import make_config
from softcam_core.training.estimate import estimate_run
from softcam_core.training.events import EpochEvent, StepEvent, read_events
from softcam_core.training.fine_tuning import FineTuning, fine_tuning_settings
from softcam_core.training.loop import Stopped
from softcam_core.training.trainer import train

Make = Callable[..., TrainingConfig]
CORNER = Rectangle(top=0, left=0, height=10, width=10)


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noisy images: a faint spot in the middle is the finding, and a bright tag in a corner goes with it, but for the
    test images."""
    folder = tmp_path_factory.mktemp("tagged")
    rng, rows = np.random.default_rng(0), ["image,label,split,boxes"]
    for split, count in (("train", 48), ("val", 12), ("test", 16)):
        for i in range(count):
            is_ill, values = i % 2, rng.normal(90, 10, (40, 40))
            if is_ill:
                values[16:26, 16:26] += 35
            if is_ill if split != "test" else i % 4 < 2:
                values[2:8, 2:8] += 120
            name = f"{split}{i:02d}.png"
            Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / name)
            rows.append(f"{name},{('plain', 'spot')[is_ill]},{split},{'16 16 10 10' if is_ill else ''}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def store(tagged: Path) -> Path:
    path = tagged.parent / "store.sqlite"
    with AnnotationStore(path) as made:
        for name in [f"train{i:02d}.png" for i in range(1, 16, 2)] + ["test01.png"]:
            key = case_key(tagged.parent / name)
            made.register(CaseRecord(key=key, height=40, width=40))
            note = Annotation(case=key, verdict="wrong", class_name="spot", against="plain", shape=CORNER)
            made.apply(Edit(title="flag", changes=(Change(before=None, after=note),)))
    return path


def settings(table: Path, **more) -> TrainingConfig:
    return make_config(
        {
            "data": {"path": table},
            "model": {"architecture": "compact"},
            "preprocessing": {"shorter_side": 40},
            "augmentation": {"flip_horizontal": 0.5},
            "training": {"epochs": 6, "batch_size": 8, "lr": 3e-3},
            "hardware": {"device": "cpu"},
            **more,
        }
    )


@pytest.fixture(scope="module")
def start(tagged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that uses the tag."""
    return train(settings(tagged), tmp_path_factory.mktemp("start") / "run").checkpoint


@pytest.fixture(scope="module")
def choices(tagged: Path, store: Path, start: Path) -> Callable[..., TrainingConfig]:
    def make(**changes) -> TrainingConfig:
        fields = {"start": start, "data": {"path": tagged}, "store": store, "epochs": 3, "lr": 3e-3, "batch_size": 12}
        wanted = FineTuning.model_validate({**fields, "device": "cpu", **changes})
        return make_config(fine_tuning_settings(wanted))

    return make


@pytest.fixture(scope="module")
def tuned(choices: Callable[..., TrainingConfig], tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("tuned") / "run"
    train(choices(), run)
    return run


def test_flagged_evidence_goes_and_the_run_says_so(tuned: Path) -> None:
    events = read_events(tuned / "events.jsonl")
    shares = [e.metrics["evidence_wrong"] for e in events if isinstance(e, EpochEvent)]
    comparison = read_comparison(tuned / "comparison.json")
    rows = {row.name: row for row in comparison.rows}
    flagged = rows["train_evidence_wrong"]
    assert flagged.images == 8
    assert flagged.after.value == pytest.approx(shares[-1], abs=1e-6)
    assert flagged.after.value < 0.75 * flagged.before.value
    assert flagged.verdict == "better"
    held_out = rows["test_evidence_wrong"]
    assert (held_out.images, held_out.after.value < held_out.before.value) == (1, True)
    assert (held_out.change.low, held_out.verdict) == (None, "unsure")  # one image
    assert {"test_auc", "test_accuracy", "test_evidence_annotation", "test_evidence_border"} <= set(rows)
    assert rows["test_evidence_annotation"].change.value > 0
    assert {"wrong", "correct", "missed"} <= set(next(e for e in events if isinstance(e, StepEvent)).terms)


def test_the_model_tells_where_it_comes_from(tuned: Path, start: Path) -> None:
    card, before = read_card(tuned / "best.safetensors"), read_card(start)
    assert card.provenance["lineage"] == [{"name": before.name, "sha256": before.sha256}]
    assert card.provenance["feedback"] == {"flags": {"wrong": 8, "correct": 0, "missed": 0}, "images": 8}
    assert card.preprocessing == before.preprocessing
    assert card.provenance["best_epoch"] == 3  # the last one
    text = json.dumps(card.provenance)
    assert "store.sqlite" not in text


def test_a_stopped_run_goes_on_with_the_flags_it_began_with(
    tuned: Path, choices: Callable[..., TrainingConfig], store: Path, tmp_path: Path
) -> None:
    seen = []
    with pytest.raises(Stopped):
        train(choices(), tmp_path / "run", listeners=[seen.append], should_stop=lambda: len(seen) > 6)
    kept = store.read_bytes()
    store.unlink()  # what was said lies with the run
    try:
        train(choices(), tmp_path / "run", resume=True)
    finally:
        store.write_bytes(kept)
    first, second = (load_model(run / "best.safetensors").state_dict() for run in (tuned, tmp_path / "run"))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("part", ["head", "last"])
def test_a_part_can_be_trained_alone(
    choices: Callable[..., TrainingConfig], start: Path, tmp_path: Path, part: str
) -> None:
    train(choices(part=part, epochs=1, store=None), tmp_path / "run")
    before, after = load_model(start).state_dict(), load_model(tmp_path / "run" / "best.safetensors").state_dict()
    changed = {name.split(".")[0 if part == "head" else 1] for name in before if not before[name].equal(after[name])}
    assert changed == ({"head"} if part == "head" else {"layer3", "0", "weight", "bias"} & changed)
    assert not {"stem", "layer1"} & changed


def test_a_start_with_other_classes_is_refused(start: Path, spot_table: Path, tmp_path: Path) -> None:
    other = {"path": spot_table, "class_names": ("spot", "plain")}
    config = make_config({"data": other, "model": {"start": start}})
    with pytest.raises(SettingsError, match="are to be spot, plain"):
        train(config, tmp_path / "run")


def test_flags_of_held_out_images_alone_are_refused(
    tagged: Path, choices: Callable[..., TrainingConfig], tmp_path: Path
) -> None:
    path = tmp_path / "store.sqlite"
    with AnnotationStore(path) as made:
        key = case_key(tagged.parent / "test03.png")
        made.register(CaseRecord(key=key, height=40, width=40))
        note = Annotation(case=key, verdict="wrong", class_name="spot", shape=CORNER)
        made.apply(Edit(title="flag", changes=(Change(before=None, after=note),)))
    with pytest.raises(AnnotationError, match="in the validation or test split"):
        train(choices(store=path), tmp_path / "run")


def test_how_long_a_run_takes_is_estimated_from_its_steps(choices: Callable[..., TrainingConfig]) -> None:
    short, long = (estimate_run(choices(epochs=epochs)) for epochs in (1, 30))
    assert short.images == {"train": 48, "val": 12, "test": 16}
    assert short.device == "cpu"
    assert 0 < short.seconds < long.seconds


def test_the_elastic_net_goes_on_as_the_start_was_trained(tagged: Path, start: Path, tmp_path: Path) -> None:
    sparse = train(
        settings(tagged, loss={"l1": 2e-5, "penalty_warmup": 1}, training={"epochs": 2}), tmp_path / "sparse"
    ).checkpoint
    fields = {"data": {"path": tagged}, "epochs": 5}
    as_before, other, dense = (
        make_config(fine_tuning_settings(FineTuning.model_validate({**fields, **more}))).loss
        for more in ({"start": sparse}, {"start": sparse, "l1": 1e-6, "l2": 1e-3}, {"start": start})
    )
    assert (as_before.l1, as_before.l2, as_before.penalty_warmup) == (2e-5, 0, 2)
    assert (other.l1, other.l2) == (1e-6, 1e-3)
    assert not dense.is_penalised
