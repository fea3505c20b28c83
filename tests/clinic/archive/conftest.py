"""Waiting for the disk is left out; that files are on it in the right order is tested in test_crash.py."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("cryptography")
pytest.importorskip("zstandard")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
