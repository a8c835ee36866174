from hypothesis import given
from hypothesis import strategies as st

from softcam_viewer.commands import COMMAND, COMMANDS, NEEDS
from softcam_viewer.shortcuts import FIXED, changed_only, keys_in_use, owner_of

KEYS = ["N", "P", "I", "Ctrl+O", "Ctrl+J", "Space", "F9", "="]


def test_without_changes_all_keys_are_the_standard_ones_and_no_two_commands_share_one():
    keys = keys_in_use({})
    assert keys == {command.name: command.keys for command in COMMANDS}
    assert changed_only(keys) == {}


def test_a_chosen_key_is_taken_from_the_command_whose_standard_it_is():
    keys = keys_in_use({"fit": ("N",)})
    assert keys["fit"] == ("N",)
    assert keys["next_case"] == ("PgDown",)
    assert owner_of("N", keys) == "fit"
    assert owner_of("F9", keys) is None


def test_a_command_may_have_no_key():
    assert keys_in_use({"fit": ()})["fit"] == ()


def test_commands_that_are_not_there_are_passed_over():
    assert keys_in_use({"no_such_command": ("F9",)}) == keys_in_use({})


chosen = st.dictionaries(
    st.sampled_from([command.name for command in COMMANDS][:20]), st.lists(st.sampled_from(KEYS), max_size=2).map(tuple)
)


@given(chosen)
def test_no_key_ever_does_two_things_and_what_is_kept_gives_the_same_keys(chosen):
    keys = keys_in_use(chosen)
    given_keys = [key for own in keys.values() for key in own]
    assert len(given_keys) == len(set(given_keys))
    assert not set(given_keys) & set(FIXED)
    assert keys_in_use(changed_only(keys)) == keys


def test_every_need_has_a_reason_for_people():
    assert all(NEEDS[command.needs] for command in COMMANDS if command.needs != "nothing")
    assert len(COMMAND) == len(COMMANDS)
