import numpy as np
import pytest

from softcam_core.errors import SettingsError
from softcam_core.sweep.space import Range, Values, make_space, parse_axis, plan

NOTHING = Values(values=(0.0,))


def test_a_list_and_a_range_are_read() -> None:
    assert parse_axis("0,1e-6, 1e-5", "--l1") == Values(values=(0.0, 1e-6, 1e-5))
    assert parse_axis("1e-6:1e-3", "--l1") == Range(low=1e-6, high=1e-3)


@pytest.mark.parametrize("text", ["", "1e-5;2", "a", "1:2:3", "1e-3:1e-6", "0:1e-3", "-1", "nan", "inf", "1e-5,1e-5"])
def test_anything_else_is_refused_by_the_options_name(text: str) -> None:
    with pytest.raises(SettingsError, match="--l2"):
        parse_axis(text, "--l2")


def test_a_grid_has_all_combinations_with_all_seeds() -> None:
    axes = {"l1": Values(values=(0, 1e-5)), "l2": Values(values=(0, 1e-4, 1e-3))}
    trials = plan(make_space("x", **axes, search="grid", seeds=(3, 5)))
    assert [(t.l1, t.l2, t.seed) for t in trials] == [
        (l1, l2, seed) for l1 in (0, 1e-5) for l2 in (0, 1e-4, 1e-3) for seed in (3, 5)
    ]
    assert [t.number for t in trials] == list(range(1, 13))
    assert trials[8].name == "trial_009_l1_1e-05_l2_0.0001_seed_3"


def test_a_folder_names_its_coefficients() -> None:
    (trial,) = plan(make_space("x", l1=Values(values=(1e-5,)), l2=NOTHING, search="grid"))
    assert trial.name == "trial_001_l1_1e-05_l2_0"


def random_trials(count: int, **fields):
    fields = {"l1": Range(low=1e-6, high=1e-2), "l2": NOTHING, "search": "random"} | fields
    return plan(make_space("x", **fields, trials=count))


def test_draws_are_spread_over_the_logarithm() -> None:
    logs = np.log10([trial.l1 for trial in random_trials(400)])
    assert logs.min() >= -6
    assert logs.max() <= -2
    # Quarters of the range: a hundred each, give or take three standard deviations of 8.7.
    counts, _ = np.histogram(logs, bins=4, range=(-6, -2))
    assert (np.abs(counts - 100) < 27).all()


def test_a_drawn_coefficient_is_what_its_folder_says() -> None:
    for trial in random_trials(20):
        assert f"_l1_{trial.l1:g}_" in trial.name
        assert float(f"{trial.l1:g}") == trial.l1


def test_more_trials_start_with_the_same_ones() -> None:
    assert random_trials(12, seeds=(0, 1))[:10] == random_trials(5, seeds=(0, 1))
    lists = {"l1": Values(values=(0, 1, 2, 3)), "l2": Values(values=(0, 1, 2))}
    assert random_trials(9, **lists)[:4] == random_trials(4, **lists)


def test_another_search_seed_draws_others() -> None:
    assert random_trials(5)[0].l1 != random_trials(5, search_seed=1)[0].l1


def test_draws_from_lists_do_not_repeat() -> None:
    lists = {"l1": Values(values=(0, 1, 2, 3)), "l2": Values(values=(0, 1, 2))}
    assert len({(t.l1, t.l2) for t in random_trials(12, **lists)}) == 12


def test_a_range_and_a_list_are_drawn_from_together() -> None:
    trials = random_trials(40, l2=Values(values=(0, 1e-4)))
    assert {trial.l2 for trial in trials} == {0, 1e-4}
    assert len({trial.l1 for trial in trials}) > 30


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"search": "grid", "l1": Range(low=1e-6, high=1e-3)}, "a grid needs lists"),
        ({"search": "grid", "trials": 3}, "a grid tries all combinations"),
        ({"search": "random"}, "needs the number of trials"),
        ({"search": "random", "trials": 3}, "2 combinations, fewer than 3"),
        ({"search": "random", "trials": 0}, "trials: input should be greater"),
        ({"search": "grid", "seeds": (1, 1)}, "each seed is given once"),
        ({"search": "grid", "seeds": (-1,)}, "seeds: input should be greater"),
        ({"search": "sly"}, "search: input should be 'grid' or 'random'"),
    ],
)
def test_contradictions_are_refused(fields: dict, reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_space("softcam sweep", **({"l1": Values(values=(0, 1e-5)), "l2": NOTHING} | fields))
    assert reason in caught.value.reason
