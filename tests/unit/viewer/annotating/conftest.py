"""A session whose annotations go to a store."""

from pathlib import Path

import pytest


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where annotations are to be kept; nothing is there yet."""
    return tmp_path / "annotations.sqlite"


@pytest.fixture
def session(opened, store, settle):
    """Three classes, two cases, the first in view, and a store that is not there yet."""
    opened.annotating.book.use_store(store)
    settle()
    opened.messages = []
    opened.annotating.failed.connect(opened.messages.append)
    return opened


@pytest.fixture
def annotating(session):
    return session.annotating
