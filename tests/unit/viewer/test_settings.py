import json
import sys

import pytest
from pydantic import ValidationError

from softcam_viewer.model.kept import read_kept, write_kept
from softcam_viewer.model.settings import Settings, SettingsStore
from softcam_viewer.model.user_folders import UserFolders


@pytest.fixture
def lane(lanes):
    return lanes.model


def test_settings_are_written_as_readable_json_and_read_back(tmp_path, lane, qapp):
    path = tmp_path / "deep" / "settings.json"
    store = SettingsStore(path, lane)
    store.change(theme="light", reviewer="Dr. Ä", shortcuts={"fit": ("F",)}, windows={"CR": "All values"})
    assert not path.exists()  # the lane writes, not this thread
    lane.run_all()
    assert json.loads(path.read_text("utf-8"))["reviewer"] == "Dr. Ä"
    assert path.read_text("utf-8").count("\n") > 5
    again = SettingsStore(path, lane)
    assert again.settings == store.settings
    assert again.problem == ""


def test_what_was_not_written_yet_is_written_at_the_end(tmp_path, lane, qapp):
    store = SettingsStore(tmp_path / "settings.json", lane)
    store.change(autosave=False)
    store.close()
    assert not SettingsStore(tmp_path / "settings.json", lane).settings.autosave


def test_without_a_file_nothing_is_written(lane, qapp):
    store = SettingsStore(None, lane)
    store.change(theme="dark")
    store.close()
    assert not lane.waiting


def test_unknown_names_of_a_later_version_are_kept(tmp_path, lane, qapp):
    path = tmp_path / "settings.json"
    path.write_text('{"theme": "dark", "holograms": {"on": true}}', "utf-8")
    store = SettingsStore(path, lane)
    store.change(theme="light")
    lane.run_all()
    assert json.loads(path.read_text("utf-8"))["holograms"] == {"on": True}


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_is_set_aside_with_a_message(tmp_path, content):
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    settings, problem = read_kept(path, Settings)
    assert settings == Settings()
    assert "settings.json" in problem
    assert "settings.json.damaged" in problem
    assert (tmp_path / "settings.json.damaged").read_bytes() == content
    assert not path.exists()


def test_of_values_that_cannot_be_used_the_others_are_kept_and_the_message_names_them(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"theme": "pink", "layout": "9x9", "reviewer": "R"}', "utf-8")
    settings, problem = read_kept(path, Settings)
    assert (settings.theme, settings.layout, settings.reviewer) == ("system", "1x1", "R")
    assert "layout, theme" in problem


def test_settings_refuse_what_they_cannot_have(lane, qapp):
    store = SettingsStore(None, lane)
    with pytest.raises(ValidationError):
        store.change(layout="9x9")
    assert store.settings.layout == "1x1"


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path, lane, qapp):
    (tmp_path / "file").write_text("", "utf-8")
    store, messages = SettingsStore(tmp_path / "file" / "settings.json", lane), []
    store.failed.connect(messages.append)
    store.change(theme="dark")
    lane.run_all()
    assert len(messages) == 1
    assert str(tmp_path / "file") in messages[0]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other rules")
def test_the_users_folders_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folders = UserFolders.of_user()
    assert folders.settings == tmp_path / "config" / "softcam-viewer" / "settings.json"
    assert folders.window.parent == folders.settings.parent
    assert folders.recovery == tmp_path / "data" / "softcam-viewer" / "recovery.softcam"
    assert folders.recent.parent == folders.recovery.parent


def test_writing_leaves_no_other_file(tmp_path):
    write_kept(tmp_path / "settings.json", Settings())
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
