"""Decoded images kept, in memory or in a folder: bounded, shared between processes, noticed where damaged."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import struct
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from softcam_core.data.prepared import Prepared, Summary
from softcam_core.errors import ImageReadError, SettingsError
from softcam_core.imaging.geometry import Geometry
from softcam_core.imaging.preprocessing import Preprocessing

_FORMAT = 1  # part of every name: raise it when files are read or resized in another way than before
_MAGIC = b"softcam\0"
# Magic, channels, image size, field, resized, origin, input size, sums, squares, checksum of the pixels; then the
# header's own checksum.
_HEADER = struct.Struct("<8sI2I4I2I2I2I3Q3QI")
_CHECKSUM = struct.Struct("<I")
_HEADER_BYTES = _HEADER.size + _CHECKSUM.size

_ENTRY = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[0-9a-f]{64}\..*\.part")
_PART_IS_OLD = 3600.0  # seconds: nobody writes an image for that long
_ONE_TELLS = threading.Lock()
_LOOK_AGAIN = 0.05  # share of the room that one process fills before it looks what others have added


def entry_name(path: Path, preprocessing: Preprocessing, of_image: str = "") -> str:
    """Name under which a file is kept: it changes with the file and with how it is resized, and tells nothing of it.

    Parameters
    ----------
    path : Path
    preprocessing : Preprocessing
        `mean` and `std` do not matter: images are kept as they are before.
    of_image : str
        For a mask the name of its image, which decides how it is resized.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ImageReadError
        When there is no such file.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        reason = f"it could not be opened ({getattr(error, 'strerror', None) or error})"
        raise ImageReadError(path, reason, "Check the path and its access rights.") from error
    settings = preprocessing.model_dump(mode="json", exclude={"mean", "std"})
    known = [_FORMAT, os.fspath(path.absolute()), status.st_size, status.st_mtime_ns, settings, of_image]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


class ImageCache:
    """Prepared images by name.

    In memory they are shared with forked worker processes; spawned ones get none of them, and decode for themselves.
    In a folder they stay from one run to the next, one file an image, named by nothing but the hash; any number of
    processes may use the folder, and each looks what the others have added from time to time, so that the bound holds
    to within a twentieth for each of them.

    Parameters
    ----------
    max_bytes : int
        What may be kept. When that is full nothing more is added, but entries of a folder that this run does not
        use make room, those that were used longest ago first.
    folder : Path, optional
        None keeps images in memory.
    on_trouble : callable, optional
        Told, once and in this process alone, when images can no longer be written (a full disk, a folder that is
        gone): the run goes on with those that are there.

    Attributes
    ----------
    trouble : str
        What `on_trouble` was told, empty where all is well.

    Raises
    ------
    SettingsError
        When the folder cannot be made or written to.
    """

    def __init__(
        self, max_bytes: int, folder: Path | None = None, on_trouble: Callable[[str], object] | None = None
    ) -> None:
        self.folder = folder
        self.trouble = ""
        self._on_trouble = on_trouble
        self._process = os.getpid()
        self._store = _Memory(max_bytes) if folder is None else _Folder(max_bytes, folder)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_on_trouble": None}

    @property
    def bytes_used(self) -> int:
        """Size of what is kept, as far as this process knows."""
        return self._store.used

    def claim(self, names: Iterable[str]) -> None:
        """Say which entries this run uses; they do not make room for others."""
        try:
            self._store.claim(set(names))
        except OSError as error:
            self._stop(error)

    def summary(self, name: str) -> Summary | None:
        """What is known of an image without reading its pixels; None where it is not kept."""
        return self._store.summary(name)

    def get(self, name: str) -> Prepared | None:
        """Return an image; None where it is not kept, or damaged."""
        return self._store.get(name)

    def add(self, name: str, prepared: Prepared, *, make_room: bool = True) -> bool:
        """Keep an image if there is room.

        Parameters
        ----------
        name : str
        prepared : Prepared
        make_room : bool
            Whether entries that nobody claimed may be deleted for it.

        Returns
        -------
        bool
            Whether it is kept.
        """
        if self.trouble:
            return False
        try:
            return self._store.add(name, prepared, make_room)
        except OSError as error:
            self._stop(error)
            return False

    def _stop(self, error: OSError) -> None:
        with _ONE_TELLS:
            is_known = bool(self.trouble)
            reason = error.strerror or str(error)
            self.trouble = f"{self.folder}: no more images are kept here ({reason}); the others are decoded each time."
        if not is_known and self._on_trouble is not None and os.getpid() == self._process:
            self._on_trouble(self.trouble)


class _Memory:
    """Entries in this process."""

    def __init__(self, max_bytes: int) -> None:
        self.used = 0
        self._max_bytes = max_bytes
        self._kept: dict[str, Prepared] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[_Memory], tuple[int]]:
        # With no room either: each worker's own copy of everything is not what the bound means.
        return _Memory, (0,)

    def claim(self, names: set[str]) -> None:
        """Nothing is ever deleted."""

    def summary(self, name: str) -> Summary | None:
        kept = self._kept.get(name)
        return None if kept is None else kept.summary

    def get(self, name: str) -> Prepared | None:
        return self._kept.get(name)

    def add(self, name: str, prepared: Prepared, make_room: bool) -> bool:
        del make_room
        with self._lock:
            if name not in self._kept:
                if self.used + prepared.pixels.nbytes > self._max_bytes:
                    return False
                self._kept[name] = prepared
                self.used += prepared.pixels.nbytes
        return True


class _Folder:
    """Entries in files: a header, and the pixels as they are."""

    def __init__(self, max_bytes: int, folder: Path) -> None:
        self.used = 0
        self._folder, self._max_bytes = folder, max_bytes
        self._claimed: set[str] = set()
        self._idle: list[tuple[Path, int]] = []  # not claimed, with sizes; the one used longest ago is the last
        self._added = 0  # bytes since the last look
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            reason = f"decoded images cannot be kept in this folder ({error.strerror or error})"
            raise SettingsError(folder, reason, "Name one you may write to, or keep the images in memory.") from error
        self._look()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def claim(self, names: set[str]) -> None:
        with self._lock:
            self._claimed |= names
            self._look()

    def summary(self, name: str) -> Summary | None:
        path = self._folder / name
        try:
            with path.open("rb", buffering=0) as file:
                found = _parse(file.read(_HEADER_BYTES))
                if found is None or os.fstat(file.fileno()).st_size != _HEADER_BYTES + 2 * int(np.prod(found[0].shape)):
                    return None
            os.utime(path)  # used just now
        except OSError:
            return None
        return found[0]

    def get(self, name: str) -> Prepared | None:
        try:
            with (self._folder / name).open("rb", buffering=0) as file:
                found = _parse(file.read(_HEADER_BYTES))
                if found is None:
                    return None
                summary, checksum = found
                pixels = np.empty(summary.shape, "<u2")
                if file.readinto(pixels.data) != pixels.nbytes:
                    return None
        except OSError:
            return None
        return Prepared(pixels, summary) if zlib.crc32(pixels.data) == checksum else None

    def add(self, name: str, prepared: Prepared, make_room: bool) -> bool:
        size = _HEADER_BYTES + prepared.pixels.nbytes
        with contextlib.suppress(FileNotFoundError):  # one that is damaged gives its room back
            size -= (self._folder / name).stat().st_size
        with self._lock:
            if self._added > _LOOK_AGAIN * self._max_bytes:
                self._look()
            while self.used + size > self._max_bytes:
                if not (make_room and self._idle):
                    return False
                idle, freed = self._idle.pop()
                with contextlib.suppress(PermissionError):  # somebody else's stays
                    idle.unlink(missing_ok=True)
                    self.used -= freed
            self.used += size
            self._added += size
        try:
            self._write(name, prepared)
        except OSError:
            with self._lock:
                self.used -= size
            raise
        return True

    def _write(self, name: str, prepared: Prepared) -> None:
        # Only this user may read it: these are images of patients.
        handle, temporary = tempfile.mkstemp(prefix=f"{name}.", suffix=".part", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                pixels = np.ascontiguousarray(prepared.pixels, dtype="<u2")
                file.write(_header(prepared.summary, zlib.crc32(pixels.data)))
                file.write(pixels.data)
            Path(temporary).replace(self._folder / name)
        finally:
            with contextlib.suppress(OSError):  # it is there only where it was not renamed
                Path(temporary).unlink(missing_ok=True)

    def _look(self) -> None:
        """See what there is, and what of it may make room."""
        idle: list[tuple[float, Path, int]] = []
        self.used = self._added = 0
        for entry in os.scandir(self._folder):
            is_part = _PART.fullmatch(entry.name) is not None
            if not is_part and not _ENTRY.fullmatch(entry.name):
                continue  # not ours
            try:
                status = entry.stat()
            except FileNotFoundError:  # another process was faster
                continue
            if is_part and time.time() - status.st_mtime > _PART_IS_OLD:
                with contextlib.suppress(OSError):
                    Path(entry.path).unlink()
                continue
            self.used += status.st_size
            if not is_part and entry.name not in self._claimed:
                idle.append((status.st_mtime, Path(entry.path), status.st_size))
        self._idle = [(path, size) for _, path, size in sorted(idle, reverse=True)]


def _header(summary: Summary, checksum: int) -> bytes:
    geometry = summary.geometry
    spare = (0,) * (3 - summary.channels)
    packed = _HEADER.pack(
        _MAGIC,
        summary.channels,
        *geometry.image_size,
        *(round(edge) for edge in geometry.extent),
        *geometry.resized,
        *geometry.origin,
        *geometry.input_size,
        *(*summary.sums, *spare),
        *(*summary.squares, *spare),
        checksum,
    )
    return packed + _CHECKSUM.pack(zlib.crc32(packed))


def _parse(header: bytes) -> tuple[Summary, int] | None:
    """Summary and checksum of the pixels; None for what is no whole header."""
    if len(header) != _HEADER_BYTES:
        return None
    packed = header[: _HEADER.size]
    if not packed.startswith(_MAGIC) or _CHECKSUM.unpack(header[_HEADER.size :]) != (zlib.crc32(packed),):
        return None
    _, channels, *numbers, checksum = _HEADER.unpack(packed)
    rows, columns, top, left, bottom, right, *others = numbers[:12]
    field = None if (top, left, bottom, right) == (0, 0, rows, columns) else (top, left, bottom, right)
    resized, origin, input_size = ((others[i], others[i + 1]) for i in (0, 2, 4))
    geometry = Geometry((rows, columns), resized, origin, input_size, field=field)
    return Summary(channels, geometry, tuple(numbers[12:15][:channels]), tuple(numbers[15:18][:channels])), checksum
