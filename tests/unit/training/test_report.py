import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
import yaml

from softcam_core.errors import SettingsError
from softcam_core.models.card import Conversion, ModelCard
from softcam_core.models.checkpoint import save_model
from softcam_core.models.softcam import SoftCAM
from softcam_core.notice import NOTICE
from softcam_core.training.config_files import make_config, to_yaml
from softcam_core.training.event_writer import EventWriter
from softcam_core.training.events import EndEvent, ErrorEvent, StartEvent, WarningEvent
from softcam_core.training.intervals import bootstrap_intervals
from softcam_core.training.metrics import measure
from softcam_core.training.model_cards import write_model_card
from softcam_core.training.predictions import read_predictions, write_predictions
from softcam_core.training.report import write_report

EVIL = "<script>alert('a')</script>"
NAMES = ("no & none", EVIL)


def start(time: float, resumed_from: int | None = None) -> StartEvent:
    fields = {"run": "a", "epochs": 3, "steps_per_epoch": 2, "device": "cpu", "pid": 1, "version": "0"}
    return StartEvent(time=time, resumed_from=resumed_from, **fields)


def make_run(folder: Path, names: tuple[str, ...] = NAMES, task: str = "single_label") -> Path:
    """Write what a run leaves, with fresh weights and made-up scores."""
    folder.mkdir()
    samples = {"train": {n: 100 + i for i, n in enumerate(names)}, "val": dict.fromkeys(names, 20), "test": {}}
    provenance = {"manifest": "labels.csv", "samples": samples}
    card = ModelCard(name=f"Run {EVIL}", architecture="compact", class_names=names, task=task, provenance=provenance)
    save_model(SoftCAM.from_card(card), folder / "best.safetensors")
    settings = {
        "data": {"path": "/home/jane/labels.csv", "label_column": EVIL},
        "model": {"architecture": "compact"},
        "loss": {"l1": 1e-5},
        "training": {"epochs": 3},
    }
    (folder / "config.yaml").write_text(to_yaml(make_config(settings)))
    (folder / "environment.json").write_text(json.dumps({"versions": {"torch": "9.9"}, "cuda": None, "cpus": 4}))
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["epoch", "learning_rate", "train_classification", "val_loss", "val_auc", "best"])
        writer.writeheader()
        for epoch in (1, 2, 3):
            writer.writerow({"epoch": epoch, "learning_rate": 1e-3, "train_classification": 0.5, "val_loss": 0.6,
                             "val_auc": 0.8, "best": int(epoch < 3)})  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    for split, count in (("val", 40), ("test", 50)):
        labels = torch.arange(count) % len(names)
        one_hot = torch.nn.functional.one_hot(labels, len(names))
        logits = torch.randn(count, len(names), generator=generator) + one_hot
        images = [f"/secret/{split}{i}&.png" for i in range(count)]
        truth = labels if task == "single_label" else one_hot
        write_predictions(folder / f"predictions_{split}.csv", images, truth, logits, names, task)
    with EventWriter(folder / "events.jsonl") as events:
        events.write(start(1000.0))
        events.write(WarningEvent(time=1060.0, message=f"skipped {EVIL}"))
        events.write(WarningEvent(time=1090.0, message=f"skipped {EVIL}"))
        events.write(start(9000.0, resumed_from=2))
        events.write(EndEvent(time=9040.0, status="finished", best_epoch=2))
    return folder


class Page(HTMLParser):
    """What a page shows and refers to; fails where tags do not match."""

    VOID = ("meta", "img", "br", "hr", "link")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        if data.strip() and self.open[-1] != "style":
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(tmp_path_factory.mktemp("runs") / "run")
    assert write_report(folder) == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    return Page((run / "report.html").read_text(encoding="utf-8"))


def test_the_page_stands_alone_and_runs_nothing(run: Path, page: Page) -> None:
    assert "script" not in page.tags
    assert len(page.links) == 5
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert "http" not in re.sub(r"base64,[^\"]*", "", (run / "report.html").read_text())
    assert sorted(file.name for file in (run / "plots").iterdir()) == [
        "calibration.png", "confusion.png", "curves.png", "pr.png", "roc.png",
    ]  # fmt: skip


def test_names_from_outside_are_text(page: Page) -> None:
    assert page.text.count(EVIL) >= 5
    assert f"Run {EVIL}" in page.words
    assert any("no & none" in words for words in page.words)


def test_the_page_names_no_folders(run: Path) -> None:
    html = (run / "report.html").read_text()
    assert not re.search(r"jane|/home|secret", html)
    assert "labels.csv" in html


def test_figures_with_their_intervals(run: Path, page: Page) -> None:
    assert NOTICE in page.words
    for split in ("val", "test"):
        table = read_predictions(run / f"predictions_{split}.csv")
        values = measure(table.logits, table.labels, table.task).values
        for name, (low, high) in bootstrap_intervals(table).items():
            assert f"{values[name]:.3f} {low:.3f} to {high:.3f}" in page.text
        assert f"{values['kappa']:.3f}" in page.words


def test_how_the_run_went(page: Page) -> None:
    assert "Best epoch 2, by validation AUROC" in page.text
    assert "Ended finished, resumed once Time 2 min 10 s" in page.text
    assert f"skipped {EVIL} (2 times)" in page.words
    assert "versions.torch 9.9" in page.text


def test_settings_that_are_not_the_defaults_come_first(run: Path, page: Page) -> None:
    before, after = page.text.split("All settings")
    changed = before.split("Setting Value Default")[1]
    assert "loss.l1 1.0e-05 0.0" in changed
    assert "training.epochs 3 10" in changed
    assert "data.path labels.csv" in changed
    assert "batch_size" not in changed
    assert "preprocessing" not in changed
    assert "batch_size: 16" in after
    assert yaml.safe_load((run / "config.yaml").read_text())["training"]["batch_size"] == 16


def test_counts_of_the_data_leave_out_empty_splits(page: Page) -> None:
    assert f"Class Training Validation no & none 100 20 {EVIL} 101 20" in page.text


def test_the_surest_mistakes_come_first(run: Path, page: Page) -> None:
    table = read_predictions(run / "predictions_test.csv")
    p = table.probabilities
    wrong = [i for i in range(50) if int(p[i].argmax()) != int(table.labels[i])]
    wrong.sort(key=lambda i: -float(p[i].max()))
    rows = re.findall(r"(test\d+&\.png) (?:no & none|<script>.*?</script>) .*? ([\d.]+) %", page.text)
    assert [row[0] for row in rows] == [table.images[i] for i in wrong[:10]]
    assert [float(row[1]) for row in rows] == pytest.approx([100 * float(p[i].max()) for i in wrong[:10]], abs=0.051)


def test_several_labels(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", ("mass", "edema", "nodule"), "multi_label")
    text = Page(write_report(folder).read_text()).text
    assert "Each class against the rest, test" in text
    table = read_predictions(folder / "predictions_test.csv")
    auc = measure(table.logits, table.labels, "multi_label").per_class["auc"]
    for k, name in enumerate(table.class_names):
        assert f"{name} {int(table.labels[:, k].sum())} {auc[k]:.3f}" in text
    distance = torch.where((table.logits > 0).long() != table.labels, (table.probabilities - 0.5).abs(), 0)
    i, k = divmod(int(distance.argmax()), 3)
    name, sure = table.class_names[k], 50 + 100 * float(distance.max())
    said = f"{name} not {name}" if table.labels[i, k] else f"not {name} {name}"
    assert f"Probability {table.images[i]} {said} {sure:.1f} %" in text


def test_a_run_that_failed_early(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(to_yaml(make_config({"data": {"path": "a.csv"}})))
    with EventWriter(tmp_path / "events.jsonl") as events:
        events.write(start(0.0))
        events.write(ErrorEvent(time=7.0, message="not enough memory", kind="out_of_memory"))
        events.write(EndEvent(time=8.0, status="failed"))
    page = Page(write_report(tmp_path).read_text())
    assert "not enough memory" in page.words
    assert "Ended failed Time 8 s" in page.text
    assert page.links == []


def test_a_run_that_was_killed(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    events = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(b"".join(events[:-1]))
    (folder / "predictions_test.csv").unlink()
    (folder / "best.safetensors").unlink()
    text = Page(write_report(folder).read_text()).text
    assert "Ended not yet, or not properly, resumed once" in text
    assert "Surest mistakes, validation" in text


@pytest.mark.parametrize("factor", [float("nan"), 0.0])
def test_a_model_that_decides_nothing(tmp_path: Path, factor: float) -> None:
    folder = make_run(tmp_path / "run")
    for split in ("val", "test"):
        table = read_predictions(folder / f"predictions_{split}.csv")
        logits = table.logits * factor
        write_predictions(folder / f"predictions_{split}.csv", table.images, table.labels, logits, NAMES, table.task)
    page = Page(write_report(folder).read_text())
    assert len(page.links) == 1
    assert "Loss" in page.words
    assert "Accuracy" not in page.words


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds no run\. Give the folder"):
        write_report(tmp_path)


def test_files_that_are_damaged_are_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "environment.json").write_text("{")
    with pytest.raises(SettingsError, match=r"environment\.json: cannot be read"):
        write_report(folder)


def test_a_model_card_tells_what_the_card_has(tmp_path: Path) -> None:
    card = ModelCard(
        name="A *model* |x|",
        architecture="compact",
        class_names=("a_b", "c|d"),
        metrics={"val_auc": 0.91234, "test_auc": 0.9, "test_kappa": 0.5},
        provenance={"samples": {"train": {"a_b": 3, "c|d": 4}, "val": {}}, "manifest": "x.csv"},
        conversion=Conversion(source="resnet.pt", exact=False),
    )
    write_model_card(card, tmp_path / "card.md")
    text = (tmp_path / "card.md").read_text()
    assert text.startswith(f"# A \\*model\\* \\|x\\|\n\n**{NOTICE}**\n")
    assert "| AUROC | 0.9123 | 0.9000 |" in text
    assert "| Quadratic kappa | – | 0.5000 |" in text
    assert "| c\\|d | 4 |" in text
    assert "    manifest: x.csv\n" in text
    assert "The head has fresh weights" in text
