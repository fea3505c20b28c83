"""Waiting for the disk is left out; that files are on it in the right order is tested in test_crash.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("cryptography")
pytest.importorskip("zstandard")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small archive of several batches, its key and a witness of the last checkpoint."""
    from .archive_tools import make_whole

    place = tmp_path_factory.mktemp("faults")
    make_whole(place)
    return place
