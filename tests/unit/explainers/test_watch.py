from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.explainers.watch import UNWATCHED, CancelledError, Watch


def test_tells_shares_of_the_whole() -> None:
    told: list[float] = []
    watch = Watch(told.append)
    for done in range(5):
        watch.report(done, 4)
    watch.report(0.5)
    assert told == [0, 0.25, 0.5, 0.75, 1, 0.5]


@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_parts_of_parts_follow_one_another(counts: list[int]) -> None:
    told: list[float] = []

    def work(watch: Watch, depth: int) -> None:
        if depth == len(counts):
            watch.report(0)
            watch.report(1)
            return
        for number in range(counts[depth]):
            work(watch.part(number, counts[depth]), depth + 1)

    work(Watch(told.append), 0)
    assert told[0] == 0
    assert told[-1] == pytest.approx(1)
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(told))


def test_a_part_has_its_share_and_can_be_stopped() -> None:
    told: list[float] = []
    stops: list[bool] = [False]
    part = Watch(told.append, lambda: stops[0]).part(1, 4)
    part.report(1, 2)
    assert told == [0.375]
    stops[0] = True
    with pytest.raises(CancelledError):
        part.report(1)
    assert told == [0.375]


def test_nobody_need_watch() -> None:
    UNWATCHED.report(1, 2)
    assert UNWATCHED.part(0, 2) == Watch(end=0.5)
