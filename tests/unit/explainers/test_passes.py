import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from softcam_core.errors import OutOfMemoryError
from softcam_core.explainers.passes import backward_pixels, forward_pixels, in_passes, sum_of_passes
from softcam_core.explainers.watch import CancelledError, Watch


class Memory:
    """Runs up to so many inputs at once, and remembers what it was asked for."""

    def __init__(self, holds: int) -> None:
        self.holds, self.asked = holds, []

    def run(self, rows: slice) -> Tensor:
        self.asked.append((rows.start, rows.stop))
        if rows.stop - rows.start > self.holds:
            raise torch.OutOfMemoryError
        return torch.arange(rows.start, rows.stop, dtype=torch.float64)[:, None].expand(-1, 2)


@given(count=st.integers(1, 40), pixels=st.integers(1, 30), limit=st.integers(1, 200), holds=st.integers(1, 40))
def test_gives_all_results_in_order_whatever_fits(count: int, pixels: int, limit: int, holds: int) -> None:
    memory = Memory(holds)
    results = in_passes(memory.run, count, pixels, limit=limit)
    assert torch.equal(results, torch.arange(count, dtype=torch.float64)[:, None].expand(-1, 2))
    sizes = [stop - start for start, stop in memory.asked]
    assert max(sizes) == min(count, max(1, limit // pixels))
    worked = [(start, stop) for start, stop in memory.asked if stop - start <= holds]
    assert [start for start, _ in worked] == [0, *(stop for _, stop in worked[:-1])]  # nothing twice


@given(count=st.integers(1, 40), limit=st.integers(1, 50), holds=st.integers(1, 40))
def test_sums_are_over_all_inputs(count: int, limit: int, holds: int) -> None:
    memory = Memory(holds)
    total = sum_of_passes(lambda rows: memory.run(rows).sum(0), count, 1, limit=limit)
    assert total.tolist() == [count * (count - 1) / 2] * 2


def test_halves_until_it_fits_and_stays_there() -> None:
    memory = Memory(3)
    in_passes(memory.run, 20, 1, limit=16)
    assert memory.asked[:4] == [(0, 16), (0, 8), (0, 4), (0, 2)]
    assert memory.asked[4:] == [(start, start + 2) for start in range(2, 20, 2)]


def test_says_so_where_one_input_is_too_large() -> None:
    memory = Memory(0)
    with pytest.raises(OutOfMemoryError, match="too small to explain one image"):
        in_passes(memory.run, 5, 1, limit=4)
    assert memory.asked == [(0, 4), (0, 2), (0, 1)]


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def run(rows: slice) -> Tensor:
        raise RuntimeError("CUDA error")

    with pytest.raises(RuntimeError, match="CUDA error"):
        in_passes(run, 4, 1, limit=4)


def test_tells_its_progress_and_can_be_stopped_between_passes() -> None:
    told: list[float] = []
    in_passes(Memory(9).run, 8, 1, limit=2, watch=Watch(told.append))
    assert told == [0, 0.25, 0.5, 0.75, 1]
    memory = Memory(9)
    with pytest.raises(CancelledError):
        in_passes(memory.run, 8, 1, limit=2, watch=Watch(should_stop=lambda: len(memory.asked) == 2))
    assert memory.asked == [(0, 2), (2, 4)]


@pytest.mark.parametrize("pixels", [forward_pixels, backward_pixels])
def test_a_graphics_card_takes_more_at_once_than_a_processor(pixels) -> None:
    assert pixels(torch.device("cuda")) > pixels(torch.device("cpu")) > 0
