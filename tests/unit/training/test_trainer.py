import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from softcam_core.errors import CheckpointError, ManifestError, SettingsError
from softcam_core.imaging.preprocessing import IMAGENET_MEAN, Preprocessing
from softcam_core.imaging.readers import read_image
from softcam_core.models.checkpoint import load_model, read_card, save_model
from softcam_core.training.config import TrainingConfig
from softcam_core.training.config_files import load_settings, make_config, with_absolute_paths
from softcam_core.training.events import EpochEvent, StepEvent, WarningEvent, read_events
from softcam_core.training.trainer import train

Make = Callable[..., TrainingConfig]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def training(**fields) -> dict:
    return {"training": fields}


@pytest.fixture(scope="module")
def finished(quick: Make, tmp_path_factory: pytest.TempPathFactory):
    """One real run and its folder."""
    folder = tmp_path_factory.mktemp("runs") / "new" / "run"
    return train(
        quick(training(epochs=4), {"model": {"name": "spots"}, "loss": {"l1": 1e-5, "l2": 1e-4}}), folder
    ), folder


def test_learns_a_bright_spot(finished) -> None:
    result, folder = finished
    assert result.metrics["val_auc"] == 1.0
    assert result.metrics["test_auc"] == 1.0
    assert 0.5 < result.metrics["test_accuracy"] <= 1
    assert len(result.history) == 4
    assert result.checkpoint == folder / "best.safetensors"


def test_run_folder_tells_everything(finished, quick: Make, spot_table: Path) -> None:
    result, folder = finished
    assert {p.name for p in folder.iterdir()} >= {
        *("config.yaml", "environment.json", "events.jsonl", "metrics.csv", "best.safetensors", "last.safetensors"),
        *("resume.pt", "plots", "tensorboard", "predictions_val.csv", "predictions_test.csv", "model_card.md"),
        "report.html",
    }
    settings = {"model": {"name": "spots"}, "loss": {"l1": 1e-5, "l2": 1e-4}}
    assert make_config(load_settings(folder / "config.yaml")) == with_absolute_paths(
        quick(training(epochs=4), settings)
    )
    rows = rows_of(folder / "metrics.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    for row in rows:
        terms = [float(row[f"train_{name}"]) for name in ("classification", "l1", "l2")]
        assert all(term > 0 for term in terms)
        assert float(row["train_loss"]) == pytest.approx(sum(terms), rel=1e-4)
    assert [row["best"] for row in rows].count("1") == 1
    assert rows[result.best_epoch - 1]["best"] == "1"
    model = load_model(folder / "best.safetensors")
    assert model.card.name == "spots"
    assert model.card.metrics == pytest.approx(result.metrics)
    assert read_card(folder / "last.safetensors").provenance["last_epoch"] == 4
    provenance = model.card.provenance
    assert provenance["manifest"] == "labels.csv"
    assert provenance["samples"]["train"] == {"plain": 32, "spot": 32}
    assert provenance["best_epoch"] == result.best_epoch
    assert provenance["versions"].keys() == {"softcam", "torch"}
    assert provenance["settings"]["loss"]["l1"] == 1e-5
    for file in ("model_card.md", "environment.json", "predictions_test.csv"):
        assert str(spot_table.parent) not in (folder / file).read_text()
    assert str(spot_table.parent) not in model.card.model_dump_json()


def test_events_tell_the_run(finished) -> None:
    result, folder = finished
    events = read_events(folder / "events.jsonl")
    kinds = [event.type for event in events]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    assert events[-1].status == "finished"
    assert events[-1].best_epoch == result.best_epoch
    steps = [event for event in events if isinstance(event, StepEvent)]
    assert [event.step for event in steps] == list(range(1, 33))
    assert all(event.steps == 32 and event.terms.keys() == {"classification", "l1", "l2"} for event in steps)
    assert steps[-1].seconds_left == 0
    means = [np.mean([e.loss for e in steps if e.epoch == epoch]) for epoch in (1, 2, 3, 4)]
    epochs = [event for event in events if isinstance(event, EpochEvent)]
    assert [event.metrics["train_loss"] for event in epochs] == pytest.approx(means)
    assert kinds.count("checkpoint") == 4 + 4 + sum(event.is_best for event in epochs)


def test_saved_model_repeats_the_figures(finished, spot_table: Path) -> None:
    result, folder = finished
    model = load_model(folder / "best.safetensors")
    rows = [row for row in rows_of(spot_table) if row["split"] == "val"]
    batch = [model.card.preprocessing.apply(read_image(spot_table.parent / row["image"])).array for row in rows]
    labels = torch.tensor([row["label"] == "spot" for row in rows]).long()
    with torch.inference_mode():
        logits = model(torch.from_numpy(np.stack(batch))).logits
    best = result.history[result.best_epoch - 1]
    loss = float(torch.nn.functional.cross_entropy(logits, labels))
    assert loss == pytest.approx(best.val["loss"], abs=1e-4)
    assert loss == pytest.approx(result.metrics["val_loss"], abs=1e-4)


def test_measures_normalisation_when_starting_from_scratch(finished, spot_table: Path) -> None:
    preprocessing = load_model(finished[1] / "best.safetensors").card.preprocessing
    paths = [spot_table.parent / row["image"] for row in rows_of(spot_table) if row["split"] == "train"]
    pixels = np.stack([Preprocessing(shorter_side=32).resized(read_image(path)) for path in paths])
    np.testing.assert_allclose(preprocessing.mean, pixels.mean(), atol=2e-5)
    np.testing.assert_allclose(preprocessing.std, pixels.std(), atol=2e-5)


def test_same_seed_gives_the_same_model(quick: Make, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    weights = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train(quick({"seed": seed}), tmp_path / name)
        weights.append((tmp_path / name / "last.safetensors").read_bytes())
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]
    assert torch.equal(before, torch.get_rng_state())


def test_the_same_model_with_reading_processes_and_a_cache_on_disk(quick: Make, tmp_path: Path) -> None:
    turned = {"augmentation": {"rotation": 20, "flip_vertical": 0.5}}
    train(quick(turned), tmp_path / "a")
    for name in ("cold", "warm"):
        hardware = {"hardware": {"workers": 2, "cache": tmp_path / "cache"}}
        train(quick(turned, hardware), tmp_path / name)
        files = [tmp_path / run / "last.safetensors" for run in ("a", name)]
        first, second = (load_model(file).state_dict() for file in files)
        assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_penalty_rises_from_nothing_to_its_weight(
    quick: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ones(self, maps):
        return torch.ones(len(maps)) + 0 * maps.flatten(1).sum(1), torch.zeros(len(maps))

    monkeypatch.setattr("softcam_core.training.losses.ElasticNet.forward", ones)
    result = train(quick(training(epochs=4), {"loss": {"penalty_warmup": 2, "l1": 1e-5}}), tmp_path / "run")
    # 8 steps an epoch: means of 0/16 to 7/16 and of 8/16 to 15/16, then 1.
    assert [r.train["l1"] for r in result.history] == pytest.approx([3.5 / 16, 11.5 / 16, 1, 1])


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_learning_rate_falls_along_a_cosine(quick: Make, tmp_path: Path, optimizer: str) -> None:
    result = train(quick(training(epochs=2, optimizer=optimizer, batch_size=32)), tmp_path / "run")
    # The rate of the last of two steps an epoch.
    expected = [1e-3 * (1 + math.cos(math.pi * t)) / 2 for t in (0.25, 0.75)]
    assert [r.learning_rate for r in result.history] == pytest.approx(expected, rel=1e-6)


def test_accumulated_batches_are_one_large_batch(quick: Make, tmp_path: Path) -> None:
    weights = []
    for size, accumulate in ((16, 1), (4, 4)):
        settings = training(batch_size=size, accumulate=accumulate, optimizer="sgd", clip_norm=0.5)
        # Without batch normalisation a batch is no more than its images.
        result = train(quick(settings, {"model": {"architecture": "squeezenet1_1"}}, SQUEEZED), tmp_path / str(size))
        weights.append(load_model(result.checkpoint).state_dict())
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], rtol=1e-4, atol=1e-6)


SQUEEZED = {"preprocessing": {"shorter_side": 48}, "loss": {"l1": 1e-4}}


def test_the_gradient_is_clipped(quick: Make, tmp_path: Path) -> None:
    start = load_model(train(quick(training(lr=1e-12)), tmp_path / "start").checkpoint)
    moved = {}
    for clip in (None, 1e-4):
        settings = training(clip_norm=clip, optimizer="sgd", weight_decay=0, lr=1.0, schedule="constant", batch_size=64)
        result = train(
            quick(settings, {"model": {"init": tmp_path / "start" / "best.safetensors"}}), tmp_path / str(clip)
        )
        after = load_model(result.checkpoint)
        pairs = zip(after.features.parameters(), start.features.parameters(), strict=True)
        moved[clip] = float(torch.cat([(a - b).detach().flatten() for a, b in pairs]).norm())
    # One step of Nesterov's SGD is 1.9 gradients long; the head has its part of the length.
    assert 1e-6 < moved[1e-4] <= 1.9e-4
    assert moved[None] > 1e-3


def test_a_moving_average_is_judged_and_saved(quick: Make, tmp_path: Path) -> None:
    plain = train(quick(), tmp_path / "plain")
    # With a decay near 0 the average is the weights themselves.
    near = train(quick(training(ema=1e-9)), tmp_path / "near")
    slow = train(quick(training(ema=0.9)), tmp_path / "slow")
    first, second, third = (load_model(r.checkpoint).state_dict() for r in (plain, near, slow))
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(first["head.weight"], third["head.weight"], atol=1e-5)


def test_only_what_is_not_frozen_is_trained(quick: Make, tmp_path: Path) -> None:
    start = train(quick(training(lr=1e-12)), tmp_path / "start").checkpoint
    init = {"model": {"init": start}}
    frozen = train(quick(training(freeze_epochs=1), init), tmp_path / "frozen")
    train(quick(training(freeze_epochs=1, epochs=2, unfreeze_every=9), init), tmp_path / "opened")
    last = tmp_path / "opened" / "last.safetensors"
    before, after, later = (load_model(path).state_dict() for path in (start, frozen.checkpoint, last))
    features = [name for name in before if name.startswith("features.")]
    assert all(torch.equal(before[name], after[name]) for name in features)
    assert not torch.equal(before["head.weight"], after["head.weight"])
    changed = {name for name in features if not torch.equal(before[name], later[name])}
    assert changed
    assert len(changed) < len(features) / 2


def test_a_run_is_not_overwritten_unless_asked(quick: Make, tmp_path: Path) -> None:
    train(quick(), tmp_path)
    first = (tmp_path / "best.safetensors").read_bytes()
    with pytest.raises(SettingsError, match=r"already holds a run.*--resume.*--overwrite"):
        train(quick({"seed": 1}), tmp_path)
    assert (tmp_path / "best.safetensors").read_bytes() == first
    train(quick({"seed": 1}), tmp_path, overwrite=True)
    assert (tmp_path / "best.safetensors").read_bytes() != first
    assert sum(event.type == "start" for event in read_events(tmp_path / "events.jsonl")) == 1


def test_a_file_in_place_of_the_folder(quick: Make, tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(SettingsError, match="is a file"):
        train(quick(), tmp_path / "run")


@pytest.mark.parametrize(
    ("keep", "reason"),
    [
        (lambda split, label, i: split != "val", "val"),
        (lambda split, label, i: split != "train", "train"),
        (lambda split, label, i: split != "val" or label == "plain", "spot"),
        (lambda split, label, i: split != "train" or label == "spot", "plain"),
        (lambda split, label, i: label == "spot", "class"),
    ],
)
def test_missing_splits_and_classes(quick: Make, table, tmp_path: Path, keep, reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        train(quick({"data": {"path": table(keep), "val_share": 0}}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_test_split_gives_no_test_figures(quick: Make, table, tmp_path: Path) -> None:
    cut = table(lambda split, label, i: split != "test")
    result = train(quick({"data": {"path": cut}}), tmp_path / "run")
    assert all(name.startswith("val_") for name in result.metrics)
    assert not (tmp_path / "run" / "predictions_test.csv").exists()


def test_unreadable_images_are_listed_and_left_out_only_when_asked(quick: Make, table, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    rows = table(lambda split, label, i: True, f"{tmp_path}/bad.png,spot,train")
    with pytest.raises(ManifestError, match=r"1 image cannot be read.*\n.*row 98.*bad\.png"):
        train(quick({"data": {"path": rows}}), tmp_path / "run")
    result = train(quick({"data": {"path": rows}, "skip_bad": True}), tmp_path / "run")
    warnings = [e.message for e in read_events(tmp_path / "run" / "events.jsonl") if isinstance(e, WarningEvent)]
    assert len(warnings) == 1
    assert "row 98" in warnings[0]
    assert "bad.png" in warnings[0]
    assert result.history[0].step == 8


def test_no_class_may_be_lost_with_the_unreadable_images(quick: Make, table, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    rows = table(lambda split, label, i: split != "val" or label == "plain", f"{tmp_path}/bad.png,spot,val")
    with pytest.raises(ManifestError, match="spot"):
        train(quick({"data": {"path": rows}, "skip_bad": True}), tmp_path / "run")


def test_inputs_too_small_for_the_network(quick: Make, tmp_path: Path) -> None:
    small = {"preprocessing": {"shorter_side": 16}, "model": {"architecture": "squeezenet1_1"}}
    with pytest.raises(SettingsError, match="16 x 16 pixels are too small for squeezenet1_1"):
        train(quick(small), tmp_path / "run")


def test_starts_from_given_weights(finished, quick: Make, tmp_path: Path) -> None:
    model = load_model(finished[1] / "best.safetensors")
    weights = tmp_path / "start.safetensors"
    save_model(model, weights)
    result = train(quick(training(lr=1e-9), {"model": {"init": weights}}), tmp_path / "run")
    started = load_model(result.checkpoint)
    assert torch.allclose(started.features.stem[0].weight, model.features.stem[0].weight, atol=1e-6)
    assert started.card.preprocessing.mean == IMAGENET_MEAN
    assert started.card.provenance["settings"]["init"] == "start.safetensors"
    with pytest.raises(CheckpointError, match="no such file"):
        train(quick({"model": {"init": tmp_path / "none.pth"}}), tmp_path / "other")


def test_several_labels_an_image(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["image,left,right,split"]
    for i in range(72):
        left, right = i % 2, (i // 2) % 2
        pixels = rng.normal(80, 10, (32, 32))
        pixels[8:16, 4:10] += 120 * left
        pixels[16:24, 22:28] += 120 * right
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{left},{right},{'val' if i >= 60 else 'train'}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    config = make_config(
        {
            "data": {"path": tmp_path / "table.csv", "label_columns": ["left", "right"]},
            "model": {"architecture": "compact"},
            "preprocessing": {"shorter_side": 32},
            "augmentation": {"flip_horizontal": 0},
            "loss": {"class_weights": "balanced"},
            "training": {"epochs": 8, "batch_size": 10, "lr": 3e-3},
            "hardware": {"device": "cpu"},
        }
    )
    result = train(config, tmp_path / "run")
    assert result.metrics["val_auc"] > 0.9
    card = load_model(result.checkpoint).card
    assert card.task == "multi_label"
    assert card.class_names == ("left", "right")
    assert "kappa" not in result.history[0].val


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loss": {"kind": "bce"}}, "loss.kind: bce is for several labels"),
        ({"loss": {"kind": "focal", "label_smoothing": 0.1}}, "label smoothing is for cross-entropy alone"),
        ({"loss": {"class_weights": [1, 2, 3]}}, "3 weights for 2 classes"),
        ({"loss": {"penalty_classes": {"mark": 0}}}, "no class is called mark"),
    ],
)
def test_settings_that_do_not_suit_the_data(quick: Make, tmp_path: Path, settings: dict, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        train(quick(settings), tmp_path / "run")
    assert words in str(caught.value)
    assert "plain, spot" in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": {"kind": "focal", "class_weights": "balanced"}},
        {"loss": {"class_weights": [1, 3], "label_smoothing": 0.1, "penalty_classes": {"plain": 0}, "l1": 1e-4}},
    ],
)
def test_other_losses_learn_too(quick: Make, tmp_path: Path, settings: dict) -> None:
    result = train(quick(training(epochs=3), settings), tmp_path / "run")
    assert result.history[-1].train["classification"] < result.history[0].train["classification"]


def test_last_batch_of_one_image_is_left_out(quick: Make, table, tmp_path: Path) -> None:
    rows = table(lambda split, label, i: split == "val" or (split == "train" and i < 9))
    result = train(quick({"data": {"path": rows}}), tmp_path / "run")
    assert result.history[0].step == 1
    assert math.isfinite(result.history[0].train["loss"])


def test_environment_names_versions_and_no_places(finished) -> None:
    environment = json.loads((finished[1] / "environment.json").read_text())
    assert "torch" in json.dumps(environment)
