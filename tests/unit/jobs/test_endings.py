import pytest

from softcam_core.training.events import EndEvent, ErrorEvent
from softcam_viewer.jobs.endings import explain_ending
from softcam_viewer.jobs.processes import MARK

TRACEBACK = ("Traceback (most recent call last):", '  File "a.py", line 1', "    x = 1 / 0", "ZeroDivisionError: zero")
REFUSAL = "softcam: error: data.csv: cannot be read: No such file. Check the path."


def explain(exit_code, end=None, error=None, log=(), **how):
    return explain_ending(
        exit_code,
        end=None if end is None else EndEvent(status=end),
        error=None if error is None else ErrorEvent(message=error, kind="disk"),
        log=log,
        **how,
    )


@pytest.mark.parametrize("exit_code", [0, None])
def test_a_run_that_came_to_its_end_is_finished(exit_code):
    assert explain(exit_code, "finished") == ("finished", "")
    state, message = explain(exit_code, "stopped_early")
    assert state == "finished"
    assert "early" in message


def test_a_model_is_complete_when_only_the_report_failed():
    state, message = explain(2, "finished", log=["softcam: error: plots: cannot be made: No space. Check it."])
    assert state == "finished"
    assert message == ("The model is complete; what comes after it is not: plots: cannot be made: No space. Check it.")
    assert "killed (signal 9)" in explain(-9, "finished").message


@pytest.mark.parametrize("how", [{"was_stopped": True}, {"was_stopped": True, "was_killed": True}])
@pytest.mark.parametrize("exit_code", [130, -15, -9, None, 1])
def test_what_was_asked_to_end_is_cancelled_however_it_ended(exit_code, how):
    state, message = explain(exit_code, **how)
    assert state == "cancelled"
    assert ("killed" in message) == ("was_killed" in how)


def test_what_others_stopped_is_cancelled_too_and_says_so():
    for ending in (explain(130), explain(None, "interrupted")):
        assert ending == ("cancelled", "It was stopped from outside this window.")


def test_a_job_that_was_done_before_it_could_be_stopped_is_finished():
    assert explain(0, "finished", was_stopped=True).state == "finished"


def test_what_the_run_says_itself_goes_before_exit_codes_and_logs():
    assert explain(2, "failed", "the disk is full. Make room.", [REFUSAL]) == ("failed", "the disk is full. Make room.")


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (-9, "killed (signal 9), by the system, perhaps for want of memory"),
        (-11, "a segmentation fault (SIGSEGV)"),
        (-6, "an abort (SIGABRT)"),
        (-7, "a bus error (SIGBUS)"),
        (-15, "ended by SIGTERM"),
        (-63, "signal 63"),
        (0xC0000005, "crashed (0xC0000005)"),
        (3, "exit code 3"),
        (0, "without saying how"),
    ],
)
def test_exit_codes_in_words(exit_code, words):
    state, message = explain(exit_code)
    assert state == "failed"
    assert words.replace("signal 63", "") in message
    assert message.endswith(".")


def test_a_refusal_before_the_first_event_is_the_last_word_of_the_log():
    log = [f"{MARK}today ---", "read 1 of 2 images", "softcam: error: two", "lines."]
    assert explain(2, log=log) == ("failed", "two lines.")
    assert explain(None, log=[REFUSAL]) == ("failed", REFUSAL.removeprefix("softcam: error: "))


def test_a_defect_is_told_as_one_with_the_exception():
    state, message = explain(1, log=[*TRACEBACK, ""])
    assert state == "failed"
    assert message == "Internal error: ZeroDivisionError: zero. Please report it, with the log."


def test_what_an_earlier_process_said_is_not_this_ones():
    log = [f"{MARK}yesterday ---", REFUSAL, *TRACEBACK, f"{MARK}today ---"]
    assert "exit code 1" in explain(1, log=log).message
    assert explain(None, log=log).state == "lost"


def test_a_signal_goes_before_a_traceback_in_the_log():
    assert "killed" in explain(-9, log=TRACEBACK).message


def test_a_process_that_is_gone_without_a_word_is_lost():
    state, message = explain(None)
    assert state == "lost"
    assert "without a word" in message
