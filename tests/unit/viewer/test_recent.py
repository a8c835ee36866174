import json
import os
from pathlib import Path

import pytest

from softcam_viewer.model.recent import MOST, RecentPath, RecentStore


@pytest.fixture
def lane(lanes):
    return lanes.model


@pytest.fixture
def store(tmp_path, lane, qapp) -> RecentStore:
    store = RecentStore(tmp_path / "data" / "recent.json", tmp_path / "data" / "recovery.softcam", lane)
    lane.run_all()
    return store


def names(store: RecentStore) -> list[str]:
    return [entry.path.name for entry in store.recent.paths]


def test_what_was_opened_last_comes_first_and_the_oldest_are_forgotten(store, lane, tmp_path):
    for number in range(MOST + 2):
        store.note("model", tmp_path / f"m{number}")
    store.note("model", tmp_path / "m5")
    assert names(store)[:3] == ["m5", "m11", "m10"]
    assert len(names(store)) == len(set(names(store))) == MOST


def test_it_is_kept_for_the_next_run(store, lane, tmp_path):
    store.note("model", tmp_path / "m")
    store.note_command("fit")
    store.note_command("quit")
    store.note_command("fit")
    lane.run_all()
    again = RecentStore(tmp_path / "data" / "recent.json", None, lane)
    lane.run_all()
    assert again.recent.paths == (RecentPath(kind="model", path=tmp_path / "m"),)
    assert again.recent.commands == ("fit", "quit")


def test_what_is_noted_before_the_file_was_read_comes_first(store, lane, tmp_path):
    store.note("model", tmp_path / "old")
    lane.run_all()
    again = RecentStore(tmp_path / "data" / "recent.json", None, lane)
    again.note("model", tmp_path / "new")
    lane.run_all()
    assert names(again) == ["new", "old"]
    assert [Path(e["path"]).name for e in json.loads((tmp_path / "data" / "recent.json").read_text())["paths"]] == [
        "new",
        "old",
    ]


def test_what_is_gone_is_marked(store, lane, tmp_path):
    (tmp_path / "there.softcam").write_text("", "utf-8")
    store.note("session", tmp_path / "there.softcam")
    store.note("model", tmp_path / "gone")
    store.refresh()
    lane.run_all()
    assert store.gone == {tmp_path / "gone"}


def test_the_last_session_is_the_newest_with_or_without_a_name(store, lane, tmp_path):
    assert store.last_session is None
    recovery, named = tmp_path / "data" / "recovery.softcam", tmp_path / "s.softcam"
    recovery.parent.mkdir(exist_ok=True)
    for number, path in enumerate((recovery, named)):
        path.write_text("", "utf-8")
        os.utime(path, (1000 + number, 1000 + number))
    store.note("session", named)
    lane.run_all()
    assert store.last_session == named
    os.utime(recovery, (2000, 2000))
    store.refresh()
    lane.run_all()
    assert store.last_session == recovery


def test_of_several_images_their_folder_is_noted_and_of_one_the_image(store, lane, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    store.note_images([tmp_path / "a.png", tmp_path / "b.png"])
    lane.run_all()
    assert store.recent.paths[0] == RecentPath(kind="folder", path=tmp_path)
    store.note_images([tmp_path / "a.png"])
    lane.run_all()
    assert store.recent.paths[0] == RecentPath(kind="file", path=tmp_path / "a.png")
    store.note_images([tmp_path])
    lane.run_all()
    assert [entry.kind for entry in store.recent.paths] == ["folder", "file"]


def test_all_can_be_forgotten(store, lane, tmp_path):
    store.note("model", tmp_path / "m")
    store.forget_paths()
    lane.run_all()
    assert store.recent.paths == ()


def test_a_damaged_file_is_told_and_forgotten(lane, tmp_path, qapp):
    path, messages = tmp_path / "recent.json", []
    path.write_text('{"paths": [{"kind": "spaceship", "path": "x"}]}', "utf-8")
    store = RecentStore(path, None, lane)
    store.failed.connect(messages.append)
    lane.run_all()
    assert store.recent.paths == ()
    assert "recent.json" in messages[0]
