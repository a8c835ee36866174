from softcam_viewer.model.last_used import LastUsed


def test_the_result_not_used_for_longest_is_forgotten_first():
    kept: LastUsed[int] = LastUsed(limit=2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)
    assert ("a" in kept, "b" in kept, "c" in kept) == (True, False, True)
    assert kept.get("b") is None


def test_a_result_put_again_is_the_newer_one_and_takes_no_more_room():
    kept: LastUsed[int] = LastUsed(limit=2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        kept.put(key, value)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (3, None, 4)
