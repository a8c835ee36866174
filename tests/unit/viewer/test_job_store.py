import os

import pytest

from softcam_core.errors import JobError
from softcam_viewer.model.job import Job, JobFacts
from softcam_viewer.model.job_store import JobStore, free_bytes, size_of


def job(number=1, **fields):
    return Job(id=f"{number:04}-0000000{number}", number=number, title="feedback", created=float(number), **fields)


@pytest.fixture
def store(tmp_path):
    return JobStore(tmp_path / "jobs")


def test_jobs_are_read_as_they_were_written_by_any_window(store, tmp_path):
    one = job(1, settings={"data": {"path": tmp_path}, "training": {"epochs": 2}}, device="cpu")
    two = job(2, facts=JobFacts(start=tmp_path / "a.safetensors", flags=3, cases=("file-1",), colour="blue"))
    assert store.read() == ({}, [])
    store.make(one, "seed: 1\n")
    store.make(two, "")
    store.write(one.but(state="finished", ended=3.0, decision="accepted"))
    found, problems = JobStore(store.path).read()
    assert problems == []
    assert found[two.id] == two
    settings = {"data": {"path": str(tmp_path)}, "training": {"epochs": 2}}
    assert found[one.id] == one.but(state="finished", ended=3.0, decision="accepted", settings=settings)
    assert store.folder(one.id).config.read_text() == "seed: 1\n"
    assert store.read()[0][one.id].is_over


def test_what_other_windows_write_is_seen(store):
    store.make(job(1), "")
    assert store.read()[0][job(1).id].state == "queued"
    other = JobStore(store.path)
    for state in ("running", "paused", "running", "failed"):
        other.write(job(1, state=state))
        assert store.read()[0][job(1).id].state == state
    other.remove(job(1).id)
    assert store.read() == ({}, [])
    assert not store.folder(job(1).id).path.exists()
    other.remove(job(1).id)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"{", "damaged"), (b"[]", "damaged"), (b"\xff\xfe", "damaged"), (b'{"id": "0001-00000001"}', "damaged")],
)
def test_a_damaged_job_is_left_out_with_a_message_and_the_others_are_there(store, content, words):
    store.make(job(1), "")
    store.make(job(2), "")
    store.folder(job(1).id).job.write_bytes(content)
    found, problems = store.read()
    assert list(found) == [job(2).id]
    assert len(problems) == 1
    assert words in problems[0]
    assert job(1).id in problems[0]
    assert store.folder(job(1).id).job.read_bytes() == content


def test_a_copied_folder_is_not_a_second_job(store):
    store.make(job(1), "")
    store.folder("0009-copy").path.mkdir()
    store.folder("0009-copy").job.write_bytes(store.folder(job(1).id).job.read_bytes())
    found, problems = store.read()
    assert list(found) == [job(1).id]
    assert "is that of another job" in problems[0]


def test_what_else_lies_there_is_no_job(store):
    store.make(job(1), "")
    (store.path / "notes").mkdir()
    (store.path / "0003-half").mkdir()
    (store.path / "0004-file").write_text("")
    found, problems = store.read()
    assert list(found) == [job(1).id]
    assert problems == []


def test_a_job_belongs_to_one_window_at_a_time(store):
    store.make(job(1), "")
    other = JobStore(store.path)
    lock = store.claim(job(1).id)
    assert lock is not None
    assert other.claim(job(1).id) is None
    assert other.claim("0002-another") is not None
    lock.unlock()
    assert other.claim(job(1).id) is not None


def test_one_window_starts_jobs_at_a_time(store, monkeypatch):
    monkeypatch.setattr("softcam_viewer.model.job_store._QUEUE_WAIT_MS", 10)
    store.path.mkdir()
    with store.queue() as first, JobStore(store.path).queue() as second:
        assert (first, second) == (True, False)
    with JobStore(store.path).queue() as third:
        assert third


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_nobody_may_write_is_an_error(store):
    store.path.mkdir(mode=0o500)
    with pytest.raises(JobError, match="cannot be made"):
        store.make(job(1), "")
    with pytest.raises(JobError, match="cannot be made"):
        store.claim("0001-a")


def test_a_file_in_place_of_the_folder_is_an_error(store):
    store.path.write_text("")
    with pytest.raises(JobError, match="cannot be made"):
        store.make(job(1), "")
    with pytest.raises(JobError, match="cannot be read"):
        store.read()


def test_space_and_sizes(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert size_of(tmp_path / "a") == 5
    assert size_of(tmp_path / "b") == size_of(None) == 0
    assert free_bytes(tmp_path / "not" / "there") == pytest.approx(free_bytes(tmp_path), rel=0.1)
