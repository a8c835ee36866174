import gc
from itertools import cycle, islice
from pathlib import Path

import pytest

from softcam_core.explainers.methods import METHODS, make_explainer

WARM_UP, EXPLANATIONS = 5 * len(METHODS), 500
MIB = 2**20


def resident_bytes() -> int:
    """Memory that the process holds now."""
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("needs /proc, where Linux tells a process's memory")
    lines = status.read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) * 1024


@pytest.mark.slow
def test_500_explanations_of_mixed_methods_hold_no_memory(make_network, make_images, cheap_options) -> None:
    model, images = make_network("resnet18"), make_images(2, 96, 96).float()
    methods = cycle([make_explainer(name, **cheap_options[name]) for name in METHODS])
    for explainer in islice(methods, WARM_UP):
        explainer(model, images)
    gc.collect()
    before = resident_bytes()
    for explainer in islice(methods, EXPLANATIONS):
        explainer(model, images)
    gc.collect()
    grown = resident_bytes() - before
    print(f"{EXPLANATIONS} explanations: {grown / MIB:+.1f} MiB")  # noqa: T201
    assert grown < 80 * MIB
