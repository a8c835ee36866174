import pytest

from softcam_core.cli.exits import process_rank


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 0),
        ({"RANK": "3", "LOCAL_RANK": "1"}, 3),
        ({"LOCAL_RANK": "1", "SLURM_PROCID": "0"}, 1),
        ({"SLURM_PROCID": "2"}, 2),
    ],
)
def test_launchers_say_which_process_this_is(environment: dict[str, str], expected: int) -> None:
    assert process_rank(environment) == expected
