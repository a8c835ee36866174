"""Splits drawn by patient."""

from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from softcam_core.data.splits import draw_splits

SPLITS = ("train", "val", "test")


def draw(labels, patients, names, val=0.15, test=0.15, seed=0):
    return draw_splits(labels, patients, names, val_share=val, test_share=test, seed=seed)


@st.composite
def studies(draw_from, label):
    """Labels, patients and names of images, in any order; patients have one to four images."""
    sizes = draw_from(st.lists(st.integers(1, 4), min_size=1, max_size=40))
    patients = [f"p{number}" for number, size in enumerate(sizes) for _ in range(size)]
    labels = [draw_from(label) for _ in patients]
    names = [f"{i}.png" for i in draw_from(st.permutations(range(len(patients))))]
    return labels, patients, names


single = st.integers(0, 2)
multi = st.tuples(*[st.integers(0, 1)] * 3)
shares = st.sampled_from([(0.15, 0.15), (0.5, 0.0), (0.0, 0.3), (0.1, 0.2), (0.0, 0.0)])


@settings(max_examples=60)
@given(st.one_of(studies(single), studies(multi)), shares, st.integers(0, 5))
def test_a_patient_is_in_one_split_and_each_image_in_a_wished_one(study, share, seed) -> None:
    labels, patients, names = study
    splits = draw(labels, patients, names, *share, seed)
    assert len(splits) == len(names)
    assert set(splits) <= {"train", *(s for s, part in zip(SPLITS[1:], share, strict=True) if part)}
    assert len(set(zip(patients, splits, strict=True))) == len(set(patients))


@settings(max_examples=60)
@given(st.one_of(studies(single), studies(multi)), st.randoms(use_true_random=False))
def test_the_order_of_the_images_does_not_matter(study, random) -> None:
    names = study[2]
    by_name = dict(zip(names, draw(*study), strict=True))
    order = list(range(len(names)))
    random.shuffle(order)
    shuffled = [[column[i] for i in order] for column in study]
    assert dict(zip(shuffled[2], draw(*shuffled), strict=True)) == by_name


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=60), st.integers(0, 3))
def test_shares_are_met_and_each_class_is_in_each_split(people, seed) -> None:
    """Patients of one class each: a class misses its shares by less than two patients' images."""
    images = [(label, f"p{number}") for number, (label, size) in enumerate(people) for _ in range(size)]
    labels, patients = ([image[i] for image in images] for i in (0, 1))
    splits = draw(labels, patients, [str(i) for i in range(len(images))], 0.2, 0.2, seed)
    counts = Counter(zip(labels, splits, strict=True))
    for label, total in Counter(labels).items():
        sizes = [size for other, size in people if other == label]
        for split, share in zip(SPLITS, (0.6, 0.2, 0.2), strict=True):
            assert abs(counts[label, split] - share * total) < 2 * max(sizes)
            if len(sizes) >= len(SPLITS):
                assert counts[label, split]


def test_large_sets_meet_their_shares_to_an_image_or_two() -> None:
    labels = [0] * 700 + [1] * 250 + [2] * 50
    counts = Counter(zip(labels, draw(labels, [""] * 1000, [f"{i:04d}" for i in range(1000)]), strict=True))
    for label, total in enumerate((700, 250, 50)):
        for split, share in zip(SPLITS, (0.7, 0.15, 0.15), strict=True):
            assert counts[label, split] == pytest.approx(share * total, abs=1)


def test_each_class_of_several_labels_is_met_though_combinations_are_rare() -> None:
    labels = [(i % 2, int(i % 5 == 0), int(i % 7 == 0), int(i % 30 == 0)) for i in range(600)]
    patients = [f"p{i // 3}" for i in range(600)]
    splits = draw(labels, patients, [f"{i:03d}" for i in range(600)])
    for index in range(4):
        total = sum(label[index] for label in labels)
        for split, share in zip(SPLITS, (0.7, 0.15, 0.15), strict=True):
            count = sum(label[index] for label, where in zip(labels, splits, strict=True) if where == split)
            assert count == pytest.approx(share * total, abs=3)


def test_the_seed_chooses() -> None:
    labels, names = [0, 1] * 30, [f"{i:02d}" for i in range(60)]
    first, again, other = (draw(labels, [""] * 60, names, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
