from types import SimpleNamespace

import numpy as np
import pytest

from softcam_viewer.model.answers import Answer, AnswerCache, Question


def question(name: str) -> Question:
    return Question(("image", 0), "model", name, (0, None))


def answer(kilobytes: int) -> Answer:
    return Answer(SimpleNamespace(grid=np.zeros(kilobytes * 256, np.float32)))


def test_what_was_not_used_for_longest_is_forgotten_first():
    cache = AnswerCache(limit=3 * 1024)
    for name in "abc":
        cache.put(question(name), answer(1))
    assert cache.get(question("a")) is not None
    cache.put(question("d"), answer(1))
    assert cache.get(question("b")) is None
    assert all(cache.get(question(name)) is not None for name in "acd")
    assert cache.size == 3 * 1024


def test_maps_that_are_ready_to_be_drawn_count():
    overlays = {view: SimpleNamespace(nbytes=1024) for view in ((0, None), (1, 0))}
    assert Answer(answer(1).explanation, overlays).nbytes == 3 * 1024


def test_large_answers_push_out_several_and_too_large_ones_are_not_kept():
    cache = AnswerCache(limit=3 * 1024)
    for name in "abc":
        cache.put(question(name), answer(1))
    cache.put(question("large"), answer(2))
    assert len(cache) == 2
    cache.put(question("too large"), answer(4))
    assert cache.get(question("too large")) is None
    assert cache.get(question("large")) is not None
    assert cache.size <= 3 * 1024


def test_an_answer_given_again_is_counted_once():
    cache = AnswerCache(limit=10 * 1024)
    cache.put(question("a"), answer(1))
    cache.put(question("a"), answer(2))
    assert (len(cache), cache.size) == (1, 2 * 1024)


@pytest.mark.parametrize(
    "other",
    [
        Question(("image", 1), "model", "a", (0, None)),
        Question(("image", 0), "other", "a", (0, None)),
        Question(("image", 0), "model", "a:layer=x", (0, None)),
        Question(("image", 0), "model", "a", (1, None)),
        Question(("image", 0), "model", "a", (0, "rest")),
    ],
)
def test_image_model_options_and_class_tell_questions_apart(other):
    cache = AnswerCache()
    cache.put(question("a"), answer(1))
    assert cache.get(other) is None
    assert cache.get(question("a")) is not None
