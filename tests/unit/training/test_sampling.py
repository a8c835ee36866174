from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softcam_core.training.sampling import Steps, epoch_order, network_seed, with_flagged

labels_of = st.lists(st.integers(0, 3), min_size=1, max_size=60)
seeds = st.integers(0, 2**32 - 1)


@given(labels=labels_of, seed=seeds, epoch=st.integers(0, 50))
def test_shuffling_has_each_image_once(labels, seed, epoch) -> None:
    assert sorted(epoch_order(labels, "shuffle", seed, epoch, 51)) == list(range(len(labels)))


@given(labels=labels_of, seed=seeds, sampler=st.sampled_from(["shuffle", "balanced", "progressive"]))
def test_order_follows_from_seed_and_epoch(labels, seed, sampler) -> None:
    first, again = (epoch_order(labels, sampler, seed, 3, 9) for _ in range(2))
    assert first.tolist() == again.tolist()
    assert len(first) == len(labels)


def test_epochs_and_seeds_differ() -> None:
    orders = {tuple(epoch_order([0] * 40, "shuffle", seed, epoch, 9)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


@given(labels=labels_of, seed=seeds)
def test_balanced_has_each_class_equally_often_to_one(labels, seed) -> None:
    drawn = Counter(labels[i] for i in epoch_order(labels, "balanced", seed, 0, 2))
    counts = [drawn[label] for label in set(labels)]
    assert max(counts) - min(counts) <= 1


@given(labels=labels_of, seed=seeds)
def test_balanced_uses_the_images_of_a_class_evenly(labels, seed) -> None:
    drawn = Counter(epoch_order(labels, "balanced", seed, 0, 2).tolist())
    for label in set(labels):
        counts = [drawn[i] for i, own in enumerate(labels) if own == label]
        assert max(counts) - min(counts) <= 1


def test_progressive_moves_from_the_data_to_balance() -> None:
    labels = [0] * 90 + [1] * 10
    rare = [sum(labels[i] for i in epoch_order(labels, "progressive", 0, epoch, 5)) for epoch in range(5)]
    assert rare == [10, 20, 30, 40, 50]


def plan(count: int, rank: int = 0, **options) -> Steps:
    fields = {"batch_size": 4, "accumulate": 1, "processes": 1, "seed": 5, "epoch": 2} | options
    return Steps(np.arange(count)[::-1].copy(), rank=rank, **fields)


@given(
    count=st.integers(1, 70),
    batch_size=st.integers(1, 6),
    accumulate=st.integers(1, 3),
    processes=st.integers(1, 4),
)
def test_processes_share_each_step_and_leave_nothing_but_a_small_rest(count, batch_size, accumulate, processes) -> None:
    options = {"batch_size": batch_size, "accumulate": accumulate, "processes": processes}
    parts = [list(plan(count, rank, **options).batches()) for rank in range(processes)] if count >= processes else []
    sizes = plan(count, **options).sizes() if parts else []
    for number, size in enumerate(sizes):
        drawn = [draw.index for part in parts for batch in part[number] for draw in batch]
        first = count - 1 - sum(sizes[:number])
        assert drawn == list(range(first, first - size, -1))
        assert all(1 <= len(batch) <= batch_size for part in parts for batch in part[number])
    left = count - sum(plan(count, **options).sizes())
    assert left < max(2, 2 * processes)


def test_the_order_of_images_does_not_depend_on_the_number_of_processes() -> None:
    one = [draw for [batch] in plan(40, batch_size=8).batches() for draw in batch]
    steps = zip(*(plan(40, rank, batch_size=4, processes=2).batches() for rank in range(2)), strict=True)
    two = [draw for step in steps for [batch] in step for draw in batch]
    assert one == two


def test_a_resumed_epoch_goes_on_with_the_same_draws() -> None:
    whole = list(plan(30).batches())
    assert list(plan(30, start=12).batches()) == whole[3:]
    assert len(plan(30, start=12)) == len(whole) - 3
    assert len(plan(30, start=30)) == 0


@pytest.mark.parametrize(
    ("count", "options", "sizes"),
    [
        (9, {}, [4, 4]),
        (10, {}, [4, 4, 2]),
        (1, {}, [1]),
        (9, {"batch_size": 1}, [1] * 9),
        (11, {"processes": 2}, [8]),
        (12, {"processes": 2}, [8, 4]),
    ],
)
def test_a_rest_too_small_for_batch_normalisation_is_left_out(count, options, sizes) -> None:
    assert plan(count, **options).sizes() == sizes


def test_batches_of_a_step_have_nearly_one_size() -> None:
    assert [[len(batch) for batch in step] for step in plan(21, batch_size=4, accumulate=3).batches()] == [
        [4, 4, 4],
        [3, 3, 3],
    ]


def test_seeds_of_places_differ() -> None:
    draws = [draw.seed for [batch] in plan(40).batches() for draw in batch]
    other = [draw.seed for [batch] in plan(40, epoch=3).batches() for draw in batch]
    network = [network_seed(5, step, rank) for step in range(20) for rank in range(2)]
    assert len(set(draws) | set(other) | set(network)) == 120


@given(
    count=st.integers(2, 80),
    flagged=st.sets(st.integers(0, 79), min_size=1, max_size=10),
    share=st.floats(0.05, 0.9),
    seed=seeds,
)
def test_flagged_images_are_among_the_others_evenly(count, flagged, share, seed) -> None:
    chosen = np.array(sorted(i for i in flagged if i < count))
    if not len(chosen):
        return
    order = epoch_order([0] * count, "shuffle", seed, 0, 1)
    mixed = with_flagged(order, chosen, share, seed, 2)
    assert mixed.tolist() == with_flagged(order, chosen, share, seed, 2).tolist()
    assert len(mixed) == count
    if len(chosen) == count:
        return
    is_flagged = np.isin(mixed, chosen)
    # However the epoch is cut into steps, each has its share, to one.
    for size in (1, 3, 8):
        starts = range(0, count - size + 1)
        assert all(abs(is_flagged[i : i + size].sum() - share * size) < 1 + 1e-6 for i in starts)
    # Each comes as often as any other, to one; the others in their own order, none twice before all came.
    often = Counter(mixed[is_flagged].tolist())
    assert not often or max(often.values()) - min(often.get(int(i), 0) for i in chosen) <= 1
    others = order[~np.isin(order, chosen)]
    rest = mixed[~is_flagged]
    assert rest.tolist() == np.resize(others, len(rest)).tolist()
