"""Shared fixtures: the folder of real data beside the repository, quiet property tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None, max_examples=30)
settings.load_profile("steady")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data and reference vectors; tests that need it are skipped without it."""
    folder = Path(os.environ.get("REMISSION_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("no shared data folder beside the repository (set REMISSION_SHARED)")
    return folder
