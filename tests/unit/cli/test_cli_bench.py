"""softcam bench."""

from pathlib import Path

import pytest

from softcam_core.errors import SettingsError


def test_bench(capsys, accepted) -> None:
    accepted("bench", "models", "--arch", "compact,resnet18", "--classes", "2", "--size", "64", "--repeats", "3",
             "--device", "cpu")  # fmt: skip
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["compact", "resnet18"]
    for row in rows:
        assert 0.1 < float(row[6]) < 10


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--arch", "resnet19"), "no architecture 'resnet19'"),
        (("--arch", "vgg11"), "no black box computes what this model does"),
        (("--classes", "five"), "is no list of numbers"),
        (("--size", "3"), "3 is too small"),
        (("--repeats", "1"), "1 is too small"),
    ],
)
def test_bench_refuses(options, reason: str, refused) -> None:
    assert reason in refused("bench", "models", "--device", "cpu", *options)


def rows_below(printed: str, head: str) -> list[str]:
    lines = printed.splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.startswith(head)) + 1 :]


def test_bench_training(spot_table: Path, capsys, accepted) -> None:
    options = ("--arch", "compact", "--shorter-side", "32", "--batch-size", "4", "--device", "cpu")
    accepted("bench", "training", spot_table, "--rounds", "3", "--steps", "2", *options)
    printed = capsys.readouterr().out
    assert "compact, 32 x 32 pixels, batches of 4\nmedians of 3 rounds of 2 steps\n" in printed
    rows = rows_below(printed, "images from")
    titles = ("tensors in memory", "warm cache on disk", "files, no cache")
    assert [row[:24].strip() for row in rows] == list(titles)
    speeds = [row[24:].split() for row in rows]
    assert float(speeds[0][1]) == 1
    for speed, ratio, low, _, high in speeds:
        assert float(speed) > 0
        assert float(low) <= float(ratio) <= float(high)


def test_bench_training_takes_squeezenet_at_320_pixels_and_what_train_takes(
    spot_table: Path, monkeypatch: pytest.MonkeyPatch, refused
) -> None:
    seen = []

    def measure(config, *_: object) -> None:
        seen.append(config)
        raise SettingsError("bench", "was only looked at")

    monkeypatch.setattr("softcam_core.training.throughput.training_throughput", measure)
    refused("bench", "training", spot_table)
    refused("bench", "training", spot_table, "--arch", "compact", "--set", "training.batch_size=3")
    assert (seen[0].model.architecture, seen[0].preprocessing.shorter_side) == ("squeezenet1_1", 320)
    assert (seen[0].training.batch_size, seen[0].data.path) == (16, spot_table)
    assert (seen[1].model.architecture, seen[1].training.batch_size) == ("compact", 3)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--rounds", "2"), "rounds: 2 is too small"),
        (("--steps", "0"), "steps: 0 is too small"),
        (("--arch", "resnet19"), "resnet19"),
    ],
)
def test_bench_training_refuses(options, reason: str, spot_table: Path, refused) -> None:
    assert reason in refused("bench", "training", spot_table, *options)


def test_bench_methods(capsys, accepted) -> None:
    options = ("--arch", "compact", "--classes", "2", "--size", "64", "--repeats", "1", "--device", "cpu")
    methods = ("evidence", "gradcam", "scorecam:top=4")
    accepted("bench", "methods", *options, *(o for m in methods for o in ("--method", m)), "--rivals", "--fidelity")
    printed = capsys.readouterr().out
    assert "compact, 64 x 64 pixels, 2 classes, medians of 1 pairs\n" in printed
    rows = rows_below(printed, "method")
    assert [(row[:28].strip(), row[28:38].strip()) for row in rows[:5]] == [
        ("evidence", "softcam"),
        ("gradcam", "softcam"),
        ("", "torch-cam"),
        ("", "grad-cam"),
        ("scorecam:top=4", "softcam"),
    ]
    for row in rows[:6]:
        milliseconds, _, ratio, low, _, high, memory, _, memory_ratio = row[38:].split()
        assert float(milliseconds) > 0
        assert float(low) <= float(ratio) <= float(high)
        assert float(memory) > 0
        assert float(memory_ratio) > 0
    assert -1 <= float(rows[6].split("channels: ")[1].split()[0]) <= 1


def test_bench_methods_takes_a_model_file_and_cheap_methods(signed_model_file: Path, capsys, accepted) -> None:
    accepted("bench", "methods", "--model", signed_model_file, "--size", "64", "--repeats", "1", "--device", "cpu")
    printed = capsys.readouterr().out
    assert "2 classes" in printed
    names = {row.split()[0] for row in rows_below(printed, "method")}
    assert {"evidence", "gradcam", "random"} <= names
    assert not {"scorecam", "rise", "ig"} & names


def test_bench_methods_says_why_a_method_has_no_row_of_figures(capsys, accepted, monkeypatch) -> None:
    monkeypatch.setattr("softcam_core.evaluation.rivals.find_spec", lambda name: None)
    monkeypatch.setattr("softcam_core.explainers.cam.LayerCAM.refusal", lambda self, model: "it is a test")
    accepted("bench", "methods", "--arch", "compact", "--size", "64", "--repeats", "1", "--device", "cpu", "--rivals",
             "--method", "gradcam", "--method", "layercam")  # fmt: skip
    rows = rows_below(capsys.readouterr().out, "method")
    assert [row.split()[1:] for row in rows[1:3]] == [["-", "not", "installed"]] * 2
    assert rows[3].split() == ["layercam", "softcam", "-", "it", "is", "a", "test"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--arch", "resnet19"), "no architecture 'resnet19'"),
        (("--method", "gradcamm"), "is not a method"),
        (("--size", "3"), "3 is too small"),
        (("--classes", "0"), "0 is too small"),
        (("--repeats", "0"), "0 is too small"),
    ],
)
def test_bench_methods_refuses(options, reason: str, refused) -> None:
    assert reason in refused("bench", "methods", "--device", "cpu", *options)
