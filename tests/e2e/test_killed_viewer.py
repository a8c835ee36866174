"""Viewers that are killed while their users annotate, two of them on one store."""

import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from softcam_core.annotations.annotation import Annotation, Edit, Review
from softcam_core.annotations.query import Query
from softcam_core.annotations.store import AnnotationStore
from softcam_core.annotations.stored_records import name_of

REVIEWER = Path(__file__).parents[1] / "support" / "random_reviewer.py"
EDITS = 1000
PATIENCE = 60

Records = dict[str, Annotation | Review]


class Victim:
    """A viewer at work, which is killed in the middle; read on a thread, so that nothing of ours slows it down.

    Attributes
    ----------
    edits : list of Edit
        That were handed over to be saved.
    saved : int
        How many of them were said to be saved.
    told : list of str
        Messages to the user.
    """

    def __init__(self, store: Path, model: Path, images: Path, name: str, seed: int, pace: str) -> None:
        self.name, self.edits, self.saved, self.told = name, list[Edit](), 0, list[str]()
        self._lines: list[str] = []
        self._moment = random.Random(seed)
        arguments = (store, model, images, name, seed, pace)
        self._process = subprocess.Popen(
            [sys.executable, REVIEWER, *map(str, arguments)], stdout=subprocess.PIPE, text=True
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        until = self._moment.randrange(30, EDITS // 6)
        assert self._process.stdout is not None
        with self._process:
            for line in self._process.stdout:
                self._lines.append(line)
                if line.startswith("saved ") and int(line[6:]) >= until:
                    time.sleep(self._moment.uniform(0, 0.1))
                    self._process.kill()
                    until = 2 * EDITS

    def die(self) -> None:
        """Wait until it has been killed."""
        self._thread.join(PATIENCE)
        self._process.kill()
        for line in self._lines:
            first, _, rest = line.rstrip("\n").partition(" ")
            if first == "saved":
                self.saved = int(rest)
            elif first == "told":
                self.told.append(rest)
            elif line.startswith("{") and line.endswith("}\n"):
                self.edits.append(Edit.model_validate_json(line))

    def left(self, count: int) -> Records:
        """What there is of its user's after the first edits."""
        records: Records = {}
        for edit in self.edits[:count]:
            for change in edit.changes:
                if change.before is not None:
                    assert records.pop(name_of(change.before)) == change.before
                if change.after is not None:
                    records[name_of(change.after)] = change.after
        return records


@pytest.fixture
def images(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(4):
        film = generator.integers(0, 60, (64, 64), dtype=np.uint8)
        film[20:40, 15:45] = 200
        cv2.imwrite(str(folder / f"film_{number}.png"), film)
    return folder


def test_at_most_the_edit_in_flight_is_missing_and_another_viewer_on_the_store_loses_nothing(
    tmp_path, images, signed_model_file, monkeypatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    path = tmp_path / "annotations.sqlite"
    patient, hasty = (
        Victim(path, signed_model_file, images, name, seed, pace)
        for name, seed, pace in (("patient", 4, "one by one"), ("hasty", 2, "in bursts"))
    )
    for victim in (patient, hasty):
        victim.die()
        assert 30 <= victim.saved < EDITS
        assert not [message for message in victim.told if "somebody else" in message or "saved" in message]
    made = {edit.title.partition(" ")[0] for victim in (patient, hasty) for edit in victim.edits}
    assert made >= {"Draw", "Flag", "Change", "Move", "Delete"}
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    with AnnotationStore(path) as store:
        there = {name_of(record): record for record in (*store.find(Query()), *store.reviews())}
    found = {
        victim.name: {name: record for name, record in there.items() if record.reviewer == victim.name}
        for victim in (patient, hasty)
    }
    assert sum(map(len, found.values())) == len(there)
    # Who waits for each edit to be saved has one in flight at most; nothing that was said to be saved is missing.
    assert len(patient.edits) - patient.saved <= 1
    for victim in (patient, hasty):
        possible = range(victim.saved, len(victim.edits) + 1)
        assert any(found[victim.name] == victim.left(count) for count in possible)
