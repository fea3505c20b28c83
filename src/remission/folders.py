"""Where downloaded and prepared data is kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder named by ``REMISSION_DATA``, else the user's cache folder."""
    named = os.environ.get("REMISSION_DATA")
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("remission"))
