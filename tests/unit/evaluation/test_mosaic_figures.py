from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from softcam_core.data.manifest import read_manifest
from softcam_core.evaluation.cases import read_cases
from softcam_core.evaluation.metrics import parse_metrics
from softcam_core.evaluation.mosaic_figures import _assembled, judge_mosaics
from softcam_core.evaluation.plan import Plan, make_contenders, make_networks
from softcam_core.explainers.methods import parse_method
from softcam_core.explainers.watch import UNWATCHED
from softcam_core.models.checkpoint import load_model


@pytest.fixture
def plan(spots: Path, model_file: Callable[..., Path]) -> Plan:
    model = load_model(model_file(0))
    softcams, explained, _ = make_networks({"one": model}, None)
    contenders = make_contenders(softcams, explained, [parse_method("evidence"), parse_method("edges")])
    manifest = read_manifest(spots)
    cases = read_cases(manifest, manifest.samples, [model.card.preprocessing])
    return Plan(contenders, parse_metrics(["grid_pointing:mosaics=5"]), cases, "test")


def test_images_are_where_their_numbers_are() -> None:
    images = torch.arange(4.0)[:, None, None, None].expand(-1, 3, 2, 3)
    (mosaic,) = _assembled(images, torch.tensor([[[3, 0], [1, 2]]]))
    assert mosaic.shape == (3, 4, 6)
    assert mosaic[0, ::2, ::3].tolist() == [[3, 0], [1, 2]]


def test_without_two_classes_that_networks_know_there_is_no_game(plan: Plan) -> None:
    with torch.no_grad():
        head = plan.contenders[0].network.model.head
        head.bias.copy_(torch.tensor([100.0, 0.0]))
    rows, notes = judge_mosaics(plan, UNWATCHED)
    assert not len(rows.table())
    assert "it needs images of two classes that all networks classify rightly" in notes[0]


def test_every_mosaic_has_a_figure_of_every_method(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softcam_core.evaluation.mosaic_figures._chosen", lambda plan, watch: list(plan.cases.chosen))
    rows, notes = judge_mosaics(plan, UNWATCHED)
    table = rows.table()
    assert notes == ()
    assert len(table) == 2 * 5
    assert set(table["label"].to_pylist()) == {"spot"}  # the lowest class, here "plain", is never the target
    assert min(table["case"].to_pylist()) == len(plan.cases.chosen)
    edges = [v for v, m in zip(table["value"].to_pylist(), table["method"].to_pylist(), strict=True) if m == "edges"]
    assert all(0 < share < 1 for share in edges)
