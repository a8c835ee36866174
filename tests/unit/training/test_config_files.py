from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from softcam_core.errors import SettingsError
from softcam_core.imaging.preprocessing import IMAGENET_MEAN
from softcam_core.training.config import TrainingConfig
from softcam_core.training.config_files import (
    _attributes,
    load_preset,
    load_settings,
    make_config,
    merged,
    parse_setting,
    preset_names,
    to_yaml,
    with_absolute_paths,
)

DATA = {"data": {"path": "table.csv"}}


def made(*settings: dict) -> TrainingConfig:
    return make_config(merged([DATA, *settings]))


def test_settings_lie_on_top_of_each_other_section_by_section() -> None:
    layers = [{"training": {"lr": 1, "epochs": 2}, "seed": 1}, {"training": {"lr": 3}}, {"loss": {"l1": 4}}]
    assert merged(layers) == {"training": {"lr": 3, "epochs": 2}, "seed": 1, "loss": {"l1": 4}}
    assert layers[0]["training"] == {"lr": 1, "epochs": 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training.lr=0.001", {"training": {"lr": 0.001}}),
        ("seed=3", {"seed": 3}),
        ("model.options.output_stride=null", {"model": {"options": {"output_stride": None}}}),
        ("preprocessing.crop=[24, 28]", {"preprocessing": {"crop": [24, 28]}}),
        ("data.path=a=b.csv", {"data": {"path": "a=b.csv"}}),
    ],
)
def test_single_settings(text: str, expected: dict) -> None:
    assert parse_setting(text) == expected


def test_numbers_may_be_written_as_people_write_them() -> None:
    assert made(parse_setting("training.lr=1e-3")).training.lr == 1e-3  # YAML takes 1e-3 for a word


@pytest.mark.parametrize("text", ["training.lr", "=3", "a..b=1", "seed=[1", "training lr=3"])
def test_single_settings_that_are_none(text: str) -> None:
    with pytest.raises(SettingsError, match="--set"):
        parse_setting(text)


def test_a_configuration_survives_its_file(tmp_path: Path) -> None:
    config = made(
        {"loss": {"l1": 1e-5, "class_weights": [1, 2.5]}, "augmentation": {"rotation": 30}, "seed": 4},
        {"model": {"init": tmp_path / "w.pth"}, "preprocessing": {"crop": [224, 200]}},
        {"data": {"labels": {"0": "no", "1": "ja: ß"}, "files": {"train": "a.csv"}}},
    )
    for explained in (False, True):
        file = tmp_path / "config.yaml"
        file.write_text(to_yaml(config, explained=explained), encoding="utf-8")
        assert make_config(load_settings(file)) == config


def test_every_setting_is_explained() -> None:
    def sections(section: BaseModel) -> Iterator[BaseModel]:
        yield section
        for name in type(section).model_fields:
            if isinstance(value := getattr(section, name), BaseModel):
                yield from sections(value)

    text = to_yaml(made(), explained=True).replace("# ", "").split()
    for section in sections(made()):
        meanings = _attributes(type(section))
        for name in type(section).model_fields:
            is_section = isinstance(getattr(section, name), BaseModel)
            meaning = (type(section).__doc__ if is_section else meanings[name]).split()
            assert meaning
            if not is_section:
                assert any(text[i : i + len(meaning)] == meaning for i in range(len(text))), name


def test_normalisation_follows_the_architecture_where_it_is_not_given() -> None:
    assert made().preprocessing.mean == IMAGENET_MEAN
    assert made({"model": {"architecture": "inception_v3"}}).preprocessing.mean == (0.5, 0.5, 0.5)
    given = made({"model": {"architecture": "inception_v3"}, "preprocessing": {"mean": [0.1, 0.2, 0.3]}})
    assert given.preprocessing.mean == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"training": {"learning_rate": 1}}, ("training.learning_rate", "no such setting")),
        ({"training": {"lr": -1}}, ("training.lr", "greater than 0")),
        ({"training": {"lr": "fast"}}, ("training.lr", "number")),
        ({"training": {"lr": float("nan")}}, ("training.lr",)),
        ({"training": {"epochs": 0}}, ("training.epochs",)),
        ({"training": {"optimizer": "lion"}}, ("training.optimizer", "sgd")),
        ({"training": {"select": "dice"}}, ("training.select", "kappa")),
        ({"training": {"epochs": 2}, "loss": {"penalty_warmup": 2, "l1": 1}}, ("penalty_warmup",)),
        ({"model": {"architecture": "resnet19"}}, ("model.architecture", "resnet19")),
        ({"loss": {"l1": -1e-5}}, ("loss.l1",)),
        ({"loss": {"class_weights": [1, 0]}}, ("loss.class_weights",)),
        ({"augmentation": {"flip_horizontal": 2}}, ("augmentation.flip_horizontal",)),
        ({"preprocessing": {"std": [0, 1, 1]}}, ("preprocessing", "std")),
        ({"surprise": 1}, ("surprise", "no such setting")),
        ({"training": 3}, ("training",)),
        ({"preprocessing": 3}, ("settings",)),
        ({"training": {"lr": -1, "epochs": -1}}, ("training.lr", "training.epochs")),
    ],
)
def test_settings_that_make_no_sense_are_named(settings: dict, words: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError) as caught:
        made(settings)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"a: [1", "not YAML (line"), (b"- 1\n", "no settings"), (b"", "no settings"), (b"\xff\xfe", "UTF-8")],
)
def test_files_that_are_no_settings(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert reason in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_file_of_settings_is_never_executed(tmp_path: Path) -> None:
    file, marker = tmp_path / "config.yaml", tmp_path / "marker"
    file.write_text(f"seed: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{marker}']]")
    with pytest.raises(SettingsError):
        load_settings(file)
    assert not marker.exists()


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load_settings(tmp_path / "none.yaml")


def test_paths_mean_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = with_absolute_paths(
        made({"data": {"root": "images"}, "model": {"init": Path("w.pth")}, "hardware": {"cache": "c"}})
    )
    paths = (config.data.path, config.data.root, config.model.init, config.hardware.cache)
    assert paths == tuple(tmp_path / name for name in ("table.csv", "images", "w.pth", "c"))
    assert with_absolute_paths(made({"model": {"init": "imagenet"}})).model.init == "imagenet"


def test_presets_are_the_papers() -> None:
    assert {"fundus", "oct", "rsna"} <= set(preset_names())
    for name, side, epochs, mean in (
        ("fundus", 512, 50, (0.41327, 0.27236, 0.18591)),
        ("oct", 496, 30, (0.19076,) * 3),
        ("rsna", 512, 50, (0.48897,) * 3),
    ):
        config = made(load_preset(name))
        training, preprocessing = config.training, config.preprocessing
        assert (preprocessing.shorter_side, preprocessing.crop) == (side, (side, side))
        assert preprocessing.mean == mean
        assert not config.measures_normalisation
        assert (training.optimizer, training.lr, training.momentum, training.weight_decay) == ("sgd", 1e-3, 0.9, 5e-4)
        assert (training.schedule, training.lr_min, training.lr_warmup) == ("cosine", 1e-4, 0)
        assert (training.epochs, training.batch_size, training.select) == (epochs, 12, "accuracy")
        assert (config.seed, config.model.init) == (0, "imagenet")
        assert yaml.safe_load(to_yaml(config))["loss"]["l2_form"] == "norm"


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(SettingsError, match="fundus, "):
        load_preset("brain")
