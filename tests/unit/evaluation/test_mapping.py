from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from softcam_core.evaluation.mapping import Wanted, make_maps, thumbnail_map
from softcam_core.evaluation.plan import Contender, Network
from softcam_core.explainers.evidence import SoftCAMEvidence
from softcam_core.explainers.methods import parse_method
from softcam_core.explainers.targets import Target
from softcam_core.explainers.watch import UNWATCHED
from softcam_core.models.checkpoint import load_model


@pytest.fixture(scope="module")
def evidence(model_file: Callable[..., Path]) -> Contender:
    model = load_model(model_file(0))
    return Contender(Network("it", model, model, "softcam"), parse_method("evidence"))


def test_each_image_gets_the_maps_that_it_needs(evidence: Contender, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randn(4, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    zero, one = Target(0, 1), Target(1, 0)
    wanted = [Wanted(one, None, one), Wanted(None, None, zero), Wanted(one, one, zero), Wanted(None, None, None)]
    asked: list[tuple[int, int]] = []
    run = SoftCAMEvidence._maps

    def counted(self, model, images: Tensor, weights: Tensor, watch):
        asked.append(tuple(weights.shape[:2]))
        return run(self, model, images, weights, watch)

    monkeypatch.setattr(SoftCAMEvidence, "_maps", counted)
    found = make_maps(evidence, images, wanted, UNWATCHED)
    assert asked == [(2, 1), (1, 2)]  # nothing is explained that nobody looks at
    assert set(found.on_input) == set(found.grids) == {(0, one), (1, zero), (2, one), (2, zero)}
    assert set(found.seconds) == {0, 1, 2}
    assert found.peak_memory == {}
    for (place, target), values in found.on_input.items():
        expected = evidence.explainer(evidence.network.model, images[place : place + 1], target).on_input((48, 48))
        torch.testing.assert_close(values, expected[0, 0])


def test_maps_that_are_no_numbers_are_lost_alone(evidence: Contender, monkeypatch: pytest.MonkeyPatch) -> None:
    run = SoftCAMEvidence._maps

    def broken(self, model, images: Tensor, weights: Tensor, watch):
        maps = run(self, model, images, weights, watch)
        maps.values[0, 0, 1, 1] = torch.inf
        return maps

    monkeypatch.setattr(SoftCAMEvidence, "_maps", broken)
    target = Target(1, 0)
    found = make_maps(evidence, torch.randn(2, 3, 48, 48), [Wanted(None, None, target)] * 2, UNWATCHED)
    assert found.on_input[0, target].isnan().all()
    assert found.on_input[1, target].isfinite().all()
    assert found.lost == 1


def test_small_maps_keep_signs_and_places() -> None:
    values = torch.zeros(256, 512)
    values[:64, :64], values[-64:, -64:] = 2.0, -4.0
    small = thumbnail_map(values)
    assert small.dtype == torch.int8
    assert small.shape == (64, 128)
    assert (int(small[0, 0]), int(small[-1, -1]), int(small[32, 64])) == (64, -127, 0)
    assert not thumbnail_map(torch.full((8, 8), torch.nan)).any()
