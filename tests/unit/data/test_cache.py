import errno
import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from softcam_core.data.cache import ImageCache, entry_name
from softcam_core.data.prepared import Prepared, Summary, prepare
from softcam_core.errors import ImageReadError, SettingsError
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.preprocessing import Preprocessing

SETTINGS = Preprocessing(shorter_side=32)


def make(seed: int, channels: int = 1, size: tuple[int, int] = (20, 30)) -> Prepared:
    pixels = np.random.default_rng(seed).integers(0, 65536, (channels, *size), dtype=np.uint16)
    numbers = tuple(int(n) for n in pixels.reshape(channels, -1).sum(1))
    return Prepared(
        pixels, Summary(channels, Geometry.plan(size, None, (16, 16)), numbers, tuple(n * 60000 for n in numbers))
    )


def name_of(number: int) -> str:
    return f"{number:064x}"


def same(one: Prepared | None, other: Prepared) -> bool:
    return one is not None and one.summary == other.summary and np.array_equal(one.pixels, other.pixels)


def room_for(count: int) -> int:
    """Bytes of so many entries of `make`."""
    return count * (20 * 30 * 2 + 300)


@pytest.fixture(params=["memory", "folder"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> ImageCache:
    return ImageCache(2**20, tmp_path / "new" / "cache" if request.param == "folder" else None)


def test_gives_back_what_was_added(cache: ImageCache) -> None:
    grey, colour = make(0), make(1, 3)
    assert cache.get(name_of(0)) is None
    assert cache.summary(name_of(0)) is None
    assert cache.add(name_of(0), grey)
    assert cache.add(name_of(1), colour)
    assert same(cache.get(name_of(0)), grey)
    assert same(cache.get(name_of(1)), colour)
    assert cache.summary(name_of(1)) == colour.summary
    assert grey.pixels.nbytes + colour.pixels.nbytes <= cache.bytes_used < room_for(4)


def test_nothing_is_added_beyond_the_bound(cache: ImageCache, tmp_path: Path) -> None:
    small = ImageCache(room_for(3), cache.folder)
    small.claim(name_of(i) for i in range(9))
    kept = [small.add(name_of(i), make(i)) for i in range(9)]
    assert kept == [True] * 3 + [False] * 6
    assert [small.get(name_of(i)) is not None for i in range(9)] == kept
    assert small.bytes_used <= room_for(3)
    assert not ImageCache(0, cache.folder and tmp_path / "none").add(name_of(0), make(0))


def test_a_folder_is_kept_from_run_to_run_and_in_copies_for_workers(tmp_path: Path) -> None:
    ImageCache(2**20, tmp_path).add(name_of(5), make(5, 3))
    again = ImageCache(2**20, tmp_path, on_trouble=lambda text: None)
    assert again.bytes_used > 0
    assert same(again.get(name_of(5)), make(5, 3))
    copy = pickle.loads(pickle.dumps(again))  # noqa: S301
    assert same(copy.get(name_of(5)), make(5, 3))
    assert copy.add(name_of(6), make(6))
    assert same(again.get(name_of(6)), make(6))


def test_pixels_in_memory_are_not_copied_to_spawned_workers() -> None:
    cache = ImageCache(2**20)
    cache.add(name_of(0), make(0))
    pickled = pickle.dumps(cache)
    assert len(pickled) < 500
    copy = pickle.loads(pickled)  # noqa: S301
    assert copy.get(name_of(0)) is None
    assert not copy.add(name_of(0), make(0))


def test_a_fundus_field_is_kept(tmp_path: Path) -> None:
    pixels = make(0, 3, (32, 32)).pixels
    geometry = Geometry.plan((100, 80), 32, (30, 30), (10, 5, 70, 65))
    entry = Prepared(pixels, Summary(3, geometry, (1, 2, 3), (2**63, 2**64 - 1, 5)))
    cache = ImageCache(2**20, tmp_path)
    cache.add(name_of(1), entry)
    assert same(cache.get(name_of(1)), entry)


# Names


def test_a_name_changes_with_the_file_and_how_it_is_resized_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"first")
    name = entry_name(path, SETTINGS)
    assert entry_name(path, SETTINGS.model_copy(update={"mean": (0, 0, 0), "std": (1, 1, 1)})) == name
    others = {entry_name(path, SETTINGS.model_copy(update=change)) for change in
              ({"shorter_side": 33}, {"crop": (32, 32)}, {"fundus_crop": True})}  # fmt: skip
    others.add(entry_name(path, SETTINGS, of_image="b"))
    moment = path.stat().st_mtime_ns
    path.write_bytes(b"other words")
    os.utime(path, ns=(moment, moment))
    others.add(entry_name(path, SETTINGS))
    os.utime(path, ns=(moment, moment + 1))
    others.add(entry_name(path, SETTINGS))
    (tmp_path / "b.png").write_bytes(b"other words")
    os.utime(tmp_path / "b.png", ns=(moment, moment + 1))
    others.add(entry_name(tmp_path / "b.png", SETTINGS))
    assert len(others | {name}) == 8


@pytest.mark.parametrize("name", ["none.png", "nu\0l.png"])
def test_a_file_that_is_not_there_has_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageReadError, match="it could not be opened"):
        entry_name(tmp_path / name, SETTINGS)


def test_neither_names_nor_files_tell_whose_image_it_is(tmp_path: Path) -> None:
    path = tmp_path / "Jane_Doe.png"
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(path)
    cache = ImageCache(2**20, tmp_path / "cache")
    assert cache.add(entry_name(path, SETTINGS), prepare(path, SETTINGS))
    (file,) = (tmp_path / "cache").iterdir()
    assert set(file.name) <= set("0123456789abcdef")
    assert b"Jane" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0


# Damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:50],
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: bytes([content[0] ^ 1]) + content[1:],
        lambda content: content[:12] + bytes([content[12] ^ 1]) + content[13:],
    ],
)
def test_a_file_of_the_wrong_length_or_header_counts_as_missing(tmp_path: Path, damage) -> None:
    cache = ImageCache(2**20, tmp_path)
    cache.add(name_of(0), make(0))
    file = tmp_path / name_of(0)
    file.write_bytes(damage(file.read_bytes()))
    assert cache.summary(name_of(0)) is None


@pytest.mark.parametrize("place", [200, 700, -1])
def test_pixels_that_changed_count_as_missing_and_are_replaced(tmp_path: Path, place: int) -> None:
    cache = ImageCache(room_for(1), tmp_path)
    cache.add(name_of(0), make(0))
    file = tmp_path / name_of(0)
    content = bytearray(file.read_bytes())
    content[place] ^= 4
    file.write_bytes(content)
    assert cache.get(name_of(0)) is None
    assert cache.add(name_of(0), make(0), make_room=False)
    assert same(cache.get(name_of(0)), make(0))
    assert cache.bytes_used == file.stat().st_size


# Room


def test_entries_this_run_does_not_use_make_room_the_oldest_first(tmp_path: Path) -> None:
    earlier = ImageCache(room_for(4), tmp_path)
    for i in range(4):
        earlier.add(name_of(i), make(i))
        os.utime(tmp_path / name_of(i), (1000 + i, 1000 + i))
    (tmp_path / "notes.txt").write_text("x" * 5000)
    cache = ImageCache(room_for(4), tmp_path)
    cache.claim([name_of(1), name_of(10), name_of(11), name_of(12), name_of(13)])
    assert cache.summary(name_of(1)) == make(1).summary
    assert not cache.add(name_of(10), make(10), make_room=False)

    def there() -> set[int]:
        return {int(file.name, 16) for file in tmp_path.iterdir() if file.suffix != ".txt"}

    assert cache.add(name_of(10), make(10))
    assert there() == {1, 2, 3, 10}
    assert cache.add(name_of(11), make(11))
    assert cache.add(name_of(12), make(12))
    assert there() == {1, 10, 11, 12}
    assert not cache.add(name_of(13), make(13))
    assert there() == {1, 10, 11, 12}
    assert (tmp_path / "notes.txt").exists()


def test_an_entry_that_was_used_is_young_again(tmp_path: Path) -> None:
    earlier = ImageCache(room_for(2), tmp_path)
    for i in range(2):
        earlier.add(name_of(i), make(i))
        os.utime(tmp_path / name_of(i), (1000 + i, 1000 + i))
    earlier.summary(name_of(0))
    cache = ImageCache(room_for(2), tmp_path)
    cache.add(name_of(2), make(2))
    assert cache.get(name_of(0)) is not None
    assert cache.get(name_of(1)) is None


def test_leftovers_of_a_killed_run_are_cleared_when_they_are_old(tmp_path: Path) -> None:
    for name, age in (("old", 7200), ("new", 10)):
        part = tmp_path / f"{name_of(0)}.{name}.part"
        part.write_bytes(b"half")
        os.utime(part, (time.time() - age,) * 2)
    ImageCache(2**20, tmp_path)
    assert [file.name.split(".")[1] for file in tmp_path.iterdir()] == ["new"]


def test_processes_that_share_a_folder_neither_harm_each_other_nor_exceed_the_bound_by_much(tmp_path: Path) -> None:
    # Caches of their own share nothing but the files, as processes do.
    caches = [ImageCache(room_for(40), tmp_path) for _ in range(3)]

    def fill(number: int) -> None:
        for i in range(30):
            caches[number].add(name_of(i + 20 * number), make(i + 20 * number))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(fill, range(3)))
    files = list(tmp_path.iterdir())
    assert 38 <= len(files) <= 48
    assert all(same(caches[0].get(file.name), make(int(file.name, 16))) for file in files)


# Trouble


def test_a_full_disk_ends_the_caching_and_not_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    cache = ImageCache(2**20, tmp_path, told.append)
    cache.add(name_of(0), make(0))

    def full(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(lambda i: cache.add(name_of(i), make(i)), range(1, 9)))
    assert told == [cache.trouble]
    assert "No space left on device" in cache.trouble
    assert str(tmp_path) in cache.trouble
    assert [file.name for file in tmp_path.iterdir()] == [name_of(0)]
    assert same(cache.get(name_of(0)), make(0))
    assert cache.bytes_used == (tmp_path / name_of(0)).stat().st_size


def test_a_folder_that_vanishes_ends_the_caching_and_not_the_run(tmp_path: Path) -> None:
    told: list[str] = []
    cache = ImageCache(2**20, tmp_path / "cache", told.append)
    (tmp_path / "cache").rmdir()
    cache.claim([name_of(0)])
    assert not cache.add(name_of(0), make(0))
    assert cache.get(name_of(0)) is None
    assert len(told) == 1
    assert "No such file or directory" in told[0]


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SettingsError, match="decoded images cannot be kept in this folder") as caught:
            ImageCache(2**20, folder)
        assert str(folder) in str(caught.value)
    assert (tmp_path / "file").read_text() == "precious"
