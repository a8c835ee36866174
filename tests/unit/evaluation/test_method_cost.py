import time

import pytest
import torch
from torch import nn

from softcam_core.evaluation.method_cost import method_costs, peak_memory
from softcam_core.evaluation.method_inputs import bench_networks, phantom_input, top_fidelity
from softcam_core.explainers.methods import parse_method
from softcam_core.models.black_box import BlackBox

CPU = torch.device("cpu")


def test_memory_is_that_of_tensors_held_at_once() -> None:
    def job() -> None:
        first = torch.empty(1000, 1000)
        del first
        second, third = torch.empty(500, 1000), torch.empty(250, 1000)
        assert len(second) == 2 * len(third)

    assert peak_memory(job, CPU) == pytest.approx(4_000_000, rel=0.01)


def test_memory_of_what_a_way_back_keeps() -> None:
    layers = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(8)))
    x = torch.zeros(1, 4, 128, 128)
    one = x.numel() * x.element_size()

    def forward() -> None:
        with torch.inference_mode():
            layers(x)

    def backward() -> None:
        layers(x.clone().requires_grad_()).sum().backward()

    assert peak_memory(backward, CPU) - peak_memory(forward, CPU) > 5 * one


def test_nothing_takes_nothing() -> None:
    assert peak_memory(lambda: None, CPU) == 0


def test_costs_are_ratios_to_the_forward_pass_beside() -> None:
    runs: list[str] = []

    def job(name: str, seconds: float):
        def run() -> torch.Tensor:
            runs.append(name)
            time.sleep(seconds)
            return torch.empty(1000 if name == "f" else 3000)

        return run

    rounds: list[int] = []
    costs = method_costs({"a": job("a", 0.03), "b": job("b", 0.01)}, job("f", 0.01), CPU, repeats=3,
                         on_round=lambda: rounds.append(len(runs)))  # fmt: skip
    assert runs == [*"fab", *"fafb", *"afbf", *"fafb"]
    assert rounds == [7, 11, 15]
    assert costs["a"].seconds >= 0.03
    assert costs["a"].ratio > 1.3 * costs["b"].ratio
    for cost in costs.values():
        assert cost.ratio_quartiles[0] <= cost.ratio <= cost.ratio_quartiles[1]
        assert (cost.memory, cost.memory_ratio) == (12_000, 3.0)


def test_networks_share_their_weights() -> None:
    softcam, black_box = bench_networks("squeezenet1_1", 3, CPU)
    assert isinstance(black_box, BlackBox)
    assert next(black_box.parameters()).data_ptr() == next(softcam.parameters()).data_ptr()
    image = phantom_input(softcam, 64)
    with torch.inference_mode():
        torch.testing.assert_close(black_box.logits(image), softcam.logits(image))
    assert image.shape == (1, 3, 64, 64)
    assert float(image.std()) > 0.1


def test_without_a_black_box_the_softcam_stands_in() -> None:
    softcam, other = bench_networks("mobilenet_v3_small", 2, CPU)
    assert other is softcam


def test_fidelity_of_some_channels() -> None:
    _, black_box = bench_networks("compact", 2, CPU)
    image = phantom_input(black_box, 64)
    assert top_fidelity(parse_method("scorecam"), black_box, image) is None
    assert top_fidelity(parse_method("gradcam"), black_box, image) is None
    channels = black_box.features(image).shape[1]
    assert top_fidelity(parse_method(f"scorecam:top={channels},relu=no"), black_box, image) == pytest.approx(1)
    few = top_fidelity(parse_method("scorecam:top=2,relu=no"), black_box, image)
    assert few is not None
    assert few < 0.999
