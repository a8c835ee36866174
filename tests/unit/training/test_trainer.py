import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score

from softcam_core.data.manifest import Manifest, read_manifest
from softcam_core.errors import CheckpointError, ManifestError, SettingsError
from softcam_core.imaging.preprocessing import IMAGENET_MEAN, Preprocessing
from softcam_core.imaging.readers import read_image
from softcam_core.models.checkpoint import load_model, save_model
from softcam_core.training import trainer
from softcam_core.training.config import TrainingConfig
from softcam_core.training.scores import Scores, score
from softcam_core.training.trainer import train


@pytest.fixture
def manifest(spot_table: Path) -> Manifest:
    return read_manifest(spot_table)


def config(**changes) -> TrainingConfig:
    fields = {
        "architecture": "compact",
        "class_names": ("plain", "spot"),
        "preprocessing": Preprocessing(shorter_side=32),
        "epochs": 1,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "device": "cpu",
    }
    return TrainingConfig(**(fields | changes))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(spot_table: Path, tmp_path_factory: pytest.TempPathFactory):
    """One real run and its folder."""
    folder = tmp_path_factory.mktemp("runs") / "new" / "run"
    return train(config(epochs=4, name="spots", l1=1e-5), read_manifest(spot_table), folder), folder


def test_learns_a_bright_spot(finished) -> None:
    result, folder = finished
    assert result.metrics["val_auc"] == 1.0
    assert result.metrics["test_auc"] == 1.0
    assert 0.5 < result.metrics["test_accuracy"] <= 1
    assert len(result.history) == 4
    assert result.checkpoint == folder / "best.safetensors"


def test_run_folder_tells_everything(finished, spot_table: Path) -> None:
    result, folder = finished
    assert sorted(p.name for p in folder.iterdir()) == ["best.safetensors", "config.json", "metrics.csv"]
    saved = TrainingConfig.model_validate(json.loads((folder / "config.json").read_text()))
    assert saved == config(epochs=4, name="spots", l1=1e-5)
    rows = rows_of(folder / "metrics.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert all(float(row["train_penalty"]) > 0 and float(row["train_loss"]) > 0 for row in rows)
    model = load_model(folder / "best.safetensors")
    assert model.card.name == "spots"
    assert model.card.metrics == pytest.approx(result.metrics)
    provenance = model.card.provenance
    assert provenance["manifest"] == "labels.csv"
    assert provenance["samples"]["train"] == {"plain": 32, "spot": 32}
    assert provenance["epochs"] == 4
    assert provenance["best_epoch"] == result.best_epoch
    assert provenance["versions"].keys() == {"softcam", "torch"}
    assert provenance["settings"]["l1"] == 1e-5
    assert str(spot_table.parent) not in model.card.model_dump_json()


def test_saved_model_repeats_the_figures(finished, manifest: Manifest) -> None:
    result, folder = finished
    model = load_model(folder / "best.safetensors")
    batch, labels = [], []
    for sample in manifest.split("val"):
        batch.append(torch.from_numpy(model.card.preprocessing.apply(read_image(sample.path)).array))
        labels.append(sample.label)
    with torch.inference_mode():
        logits = model(torch.stack(batch)).logits
    best = result.history[result.best_epoch - 1]
    assert float(torch.nn.functional.cross_entropy(logits, torch.tensor(labels))) == pytest.approx(
        best.val_loss, abs=1e-4
    )


def test_measures_normalisation_when_starting_from_scratch(finished, manifest: Manifest) -> None:
    preprocessing = load_model(finished[1] / "best.safetensors").card.preprocessing
    train_pixels = np.stack(
        [Preprocessing(shorter_side=32).resized(read_image(s.path)) for s in manifest.split("train")]
    )
    np.testing.assert_allclose(preprocessing.mean, train_pixels.mean(), atol=2e-5)
    np.testing.assert_allclose(preprocessing.std, train_pixels.std(), atol=2e-5)


def test_same_seed_gives_the_same_model(manifest: Manifest, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    weights = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train(config(seed=seed), manifest, tmp_path / name)
        weights.append((tmp_path / name / "best.safetensors").read_bytes())
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]
    assert torch.equal(before, torch.get_rng_state())


def script_scores(monkeypatch: pytest.MonkeyPatch, scores: list[Scores]) -> None:
    remaining = iter(scores)
    monkeypatch.setattr(trainer, "score", lambda logits, labels: next(remaining))


@pytest.mark.parametrize(
    ("validation", "best"),
    [
        ([(0.5, 0.7), (0.9, 0.9), (0.1, 0.8)], 2),
        ([(0.5, 0.9), (0.3, 0.9), (0.4, 0.9)], 2),
        ([(0.5, 0.9), (0.6, 0.9), (0.7, 0.8)], 1),
    ],
)
def test_best_epoch_has_the_highest_auc_then_the_lowest_loss(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validation, best: int
) -> None:
    script_scores(monkeypatch, [Scores(loss, auc, 0.5) for loss, auc in [*validation, (0.2, 0.95)]])
    result = train(config(epochs=3), manifest, tmp_path / "run")
    assert result.best_epoch == best
    assert result.metrics == {"val_auc": validation[best - 1][1], "test_accuracy": 0.5, "test_auc": 0.95}
    assert load_model(result.checkpoint).card.provenance["best_epoch"] == best


def test_the_best_epoch_is_sought_among_those_with_the_full_penalty(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validation = [(0.1, 1.0), (0.1, 1.0), (0.5, 0.8), (0.4, 0.9), (0.6, 0.9)]
    script_scores(monkeypatch, [Scores(loss, auc, 0.5) for loss, auc in [*validation, (0.2, 0.95)]])
    result = train(config(epochs=5, penalty_warmup=2, l1=1e-5), manifest, tmp_path / "run")
    assert result.best_epoch == 4


def test_the_penalty_rises_from_nothing_to_its_weight(manifest: Manifest, tmp_path: Path) -> None:
    real = trainer.elastic_net

    def spy(maps, l1, l2, form):
        return torch.ones((), requires_grad=True) + 0 * real(maps, l1, l2, form)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "elastic_net", spy)
        result = train(config(epochs=4, penalty_warmup=2, l1=1e-5), manifest, tmp_path / "run")
    weights = [record.train_penalty for record in result.history]
    # 8 steps an epoch: means of 0/16 to 7/16 and of 8/16 to 15/16, then 1.
    assert weights == pytest.approx([3.5 / 16, 11.5 / 16, 1, 1])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_learning_rate_falls_along_a_cosine(manifest: Manifest, tmp_path: Path, optimizer: str) -> None:
    result = train(config(epochs=2, optimizer=optimizer, batch_size=32), manifest, tmp_path / "run")
    expected = [1e-5 + (1e-3 - 1e-5) * (1 + math.cos(math.pi * t)) / 2 for t in (0.5, 1.0)]
    assert [r.learning_rate for r in result.history] == pytest.approx(expected, rel=1e-6)


def test_interruption_keeps_the_best_so_far(manifest: Manifest, tmp_path: Path) -> None:
    def stop(record) -> None:
        if record.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config(epochs=5), manifest, tmp_path / "run", on_epoch=stop)
    model = load_model(tmp_path / "run" / "best.safetensors")
    rows = rows_of(tmp_path / "run" / "metrics.csv")
    assert len(rows) == 2
    assert float(model.card.metrics["val_auc"]) == pytest.approx(max(float(r["val_auc"]) for r in rows), abs=1e-5)


def test_loss_that_is_not_finite_names_the_epoch(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"not a finite number in epoch 1.*lower learning rate"):
        train(config(learning_rate=1e30, epochs=2), manifest, tmp_path / "run")


def test_a_run_is_not_overwritten_unless_asked(manifest: Manifest, tmp_path: Path) -> None:
    train(config(), manifest, tmp_path)
    first = (tmp_path / "best.safetensors").read_bytes()
    with pytest.raises(SettingsError, match=r"already holds a run.*--overwrite"):
        train(config(seed=1), manifest, tmp_path)
    assert (tmp_path / "best.safetensors").read_bytes() == first
    train(config(seed=1), manifest, tmp_path, overwrite=True)
    assert (tmp_path / "best.safetensors").read_bytes() != first


def test_a_file_in_place_of_the_folder(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(SettingsError, match="is a file"):
        train(config(), manifest, tmp_path / "run")


@pytest.mark.parametrize(
    ("keep", "reason"),
    [
        (lambda s: s.split != "val", "no image in the split 'val'"),
        (lambda s: s.split != "train", "no image in the split 'train'"),
        (lambda s: s.split != "val" or s.label == 0, "no image of spot in the split 'val'"),
        (lambda s: s.split != "train" or s.label == 1, "no image of plain in the split 'train'"),
    ],
)
def test_missing_splits_and_classes(manifest: Manifest, tmp_path: Path, keep, reason: str) -> None:
    cut = Manifest(manifest.path, manifest.class_names, tuple(filter(keep, manifest.samples)))
    with pytest.raises(ManifestError, match=reason):
        train(config(), cut, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_classes_than_the_manifest(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="plain, spot"):
        train(config(class_names=("spot", "plain")), manifest, tmp_path / "run")


def test_no_test_split_gives_no_test_figures(manifest: Manifest, tmp_path: Path) -> None:
    cut = Manifest(manifest.path, manifest.class_names, manifest.split("train") + manifest.split("val"))
    assert train(config(), cut, tmp_path).metrics.keys() == {"val_auc"}


def test_inputs_too_small_for_the_network(manifest: Manifest, tmp_path: Path) -> None:
    small = Preprocessing(shorter_side=16)
    with pytest.raises(SettingsError, match="16 x 16 pixels are too small for squeezenet1_1"):
        train(config(architecture="squeezenet1_1", preprocessing=small), manifest, tmp_path / "run")


def test_starts_from_given_weights(finished, manifest: Manifest, tmp_path: Path) -> None:
    model = load_model(finished[1] / "best.safetensors")
    weights = tmp_path / "start.safetensors"
    save_model(model, weights)
    result = train(config(init=weights, learning_rate=1e-9), manifest, tmp_path / "run")
    started = load_model(result.checkpoint)
    assert torch.allclose(started.features.stem[0].weight, model.features.stem[0].weight, atol=1e-6)
    assert started.card.preprocessing.mean == IMAGENET_MEAN
    assert started.card.provenance["settings"]["init"] == "start.safetensors"
    with pytest.raises(CheckpointError, match="no such file"):
        train(config(init=tmp_path / "none.pth"), manifest, tmp_path / "other")


def test_last_batch_of_one_image_is_left_out(manifest: Manifest, tmp_path: Path) -> None:
    samples = manifest.split("train")[:9] + manifest.split("val")
    result = train(config(), Manifest(manifest.path, manifest.class_names, samples), tmp_path)
    assert math.isfinite(result.history[0].train_loss)


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "resnet19"},
        {"class_names": ("one",)},
        {"class_names": ("a", "a")},
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"learning_rate": math.nan},
        {"l1": -1},
        {"optimizer": "lion"},
        {"penalty_warmup": -1},
        {"penalty_warmup": 1, "epochs": 1},
        {"surprise": 1},
    ],
)
def test_settings_that_make_no_sense(changes) -> None:
    with pytest.raises(ValidationError):
        config(**changes)


def test_scores() -> None:
    rng = np.random.default_rng(0)
    logits, labels = torch.from_numpy(rng.normal(size=(40, 3))).float(), torch.from_numpy(rng.integers(0, 3, 40))
    scores = score(logits, labels)
    probabilities = torch.softmax(logits.double(), 1).numpy()
    each = [roc_auc_score(labels.numpy() == k, probabilities[:, k]) for k in range(3)]
    assert scores.auc == pytest.approx(np.mean(each))
    assert scores.accuracy == pytest.approx((probabilities.argmax(1) == labels.numpy()).mean())
    assert score(logits[labels > 0], labels[labels > 0]).auc is None
