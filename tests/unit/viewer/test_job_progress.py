import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from softcam_core.training.events import (
    CheckpointEvent,
    EndEvent,
    EpochEvent,
    ErrorEvent,
    HeartbeatEvent,
    PauseEvent,
    StartEvent,
    StepEvent,
    WarningEvent,
)
from softcam_viewer.model.job_progress import MOST_POINTS, Curve, ProgressKeeper


def start(resumed=None, epochs=2, each=3):
    return StartEvent(
        run="a", epochs=epochs, steps_per_epoch=each, device="cpu", resumed_from=resumed, pid=7, version="1"
    )


def step(number, loss=0.5, each=3, **terms):
    return StepEvent(
        epoch=1 + (number - 1) // each,
        step=number,
        steps=6,
        loss=loss,
        terms=terms,
        learning_rate=0.1,
        seconds_left=9.0,
    )


def epoch(number, **metrics):
    return EpochEvent(epoch=number, metrics=metrics, seconds=1, is_best=True)


def kept(*events):
    keeper = ProgressKeeper()
    keeper.take(events)
    return keeper


@given(st.integers(1, 6000))
@example(499)
@example(500)
@example(1997)
@example(2000)
def test_a_curve_is_short_and_keeps_the_mean(count):
    values = np.random.default_rng(count).normal(size=count)
    curve = Curve()
    for number, value in enumerate(values, start=1):
        curve.add(number, float(value))
    x, y = np.array(curve.points).T
    assert len(x) <= MOST_POINTS
    assert (np.diff(x) > 0).all()
    assert 1 <= x[0] <= x[-1] <= count
    # All points but the last are means of equally many, one after another.
    each = next(2**k for k in range(20) if count // 2**k < MOST_POINTS)
    whole = count // each * each
    np.testing.assert_allclose(y[: whole // each], values[:whole].reshape(-1, each).mean(1), atol=1e-12)
    np.testing.assert_allclose(x[: whole // each], np.arange(1, whole + 1).reshape(-1, each).mean(1))
    if whole < count:
        np.testing.assert_allclose(y[-1], values[whole:].mean(), atol=1e-12)


def test_steps_and_epochs_make_curves_of_their_own():
    progress = kept(
        start(), step(1, 3.0, wrong=0.5), step(2, None, wrong=0.4), step(3, 1.0, wrong=0.3),
        epoch(1, val_auc=0.75, evidence_wrong=0.2, val_kappa=None, step=3, seconds=1.5),
    ).progress  # fmt: skip
    assert progress.curves == {
        "loss": ((1, 3.0), (3, 1.0)),
        "wrong": ((1, 0.5), (2, 0.4), (3, 0.3)),
        "val_auc": ((1, 0.75),),
        "evidence_wrong": ((1, 0.2),),
    }
    assert (progress.epoch, progress.epochs, progress.step, progress.steps) == (1, 2, 3, 6)
    assert progress.share == 0.5
    assert progress.seconds_left == 9.0
    assert progress.latest("wrong") == 0.3
    assert progress.latest("val_kappa") is None


def test_a_run_that_goes_on_makes_its_last_steps_again():
    keeper = kept(start(), *(step(n, float(n)) for n in (1, 2, 3)), epoch(1, val_auc=0.5), step(4, 4.0), step(5, 5.0))
    keeper.take([start(resumed=4)])
    assert keeper.progress.step == 4
    assert keeper.progress.seconds_left is None
    keeper.take([step(5, 50.0), step(6, 60.0), epoch(2, val_auc=0.75)])
    assert keeper.progress.curves["loss"] == ((1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 50.0), (6, 60.0))
    assert keeper.progress.curves["val_auc"] == ((1, 0.5), (2, 0.75))


def test_a_run_that_goes_on_from_before_an_epoch_ended_judges_it_again():
    keeper = kept(start(), step(3), epoch(1, val_auc=0.5), start(resumed=2))
    assert keeper.progress.curves["val_auc"] == ()
    assert keeper.progress.latest("val_auc") is None


def test_a_run_from_the_start_forgets_the_one_before():
    keeper = kept(
        start(), step(1), WarningEvent(message="old"), CheckpointEvent(kind="resume", path="r", epoch=1, step=1)
    )
    keeper.take([start()])
    assert keeper.progress.curves == {}
    assert keeper.progress.warnings == ()
    assert (keeper.kept, keeper.progress.step) == (None, 0)


def test_what_tells_how_a_process_ends_is_of_the_last_one():
    keeper = kept(
        start(), PauseEvent(is_paused=True), ErrorEvent(message="bad", kind="data"), EndEvent(status="failed"),
        CheckpointEvent(kind="resume", path="resume.pt", epoch=1, step=2),
        CheckpointEvent(kind="best", path="best.safetensors", epoch=1, step=3),
    )  # fmt: skip
    assert keeper.has_begun
    assert keeper.is_paused
    assert (keeper.last_error.message, keeper.last_end.status, keeper.kept.step) == ("bad", "failed", 2)
    keeper.expect_start()
    assert (keeper.last_error, keeper.last_end, keeper.is_paused, keeper.has_begun) == (None, None, False, False)
    assert keeper.kept.step == 2


def test_heartbeats_tell_how_long_a_step_takes_already():
    keeper = kept(start(), step(1), HeartbeatEvent(epoch=1, step=1, seconds_since_progress=12.5, memory=None))
    assert keeper.progress.seconds_since_step == 12.5
    keeper.take([step(2)])
    assert keeper.progress.seconds_since_step is None


def test_the_last_warnings_are_kept():
    keeper = kept(*(WarningEvent(message=str(n)) for n in range(80)))
    assert keeper.progress.warnings == tuple(str(n) for n in range(30, 80))
