"""The pinned files of public data sets: from a mirror folder, from the cache, or from their addresses.

``REMISSION_DATA`` names the cache folder (default: the cache folder of the platform). ``REMISSION_MIRROR`` names a
folder laid out as ``<set>/<file>`` that is read instead of the network; a file may lie there packed, as
``<file>.gz``. What is read is checked against its SHA-256 at every load; a download is written under a temporary name
and renamed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remission.aside import written
from remission.errors import DataError
from remission.folders import cache_folder
from remission.sources._catalogue import COLLECTIONS, Collection, Pinned

_TIMEOUT = 60.0  # seconds without an answer


@dataclass(frozen=True)
class Entry:
    """One offered data set: what it is called, under which licence, how large, and whether it is here already."""

    name: str
    licence: str
    credit: str
    size: int  # bytes to download
    cached: bool


def catalogue() -> list[Entry]:
    """The public data sets that can be fetched, by name.

    >>> [entry.name for entry in catalogue()][:3]
    ['adult', 'emoji', 'fashion-mnist']
    """
    return [
        Entry(
            name,
            collection.licence,
            collection.credit,
            sum(pinned.size for pinned in collection.files),
            all(_local(collection, pinned) is not None for pinned in collection.files),
        )
        for name, collection in sorted(COLLECTIONS.items())
    ]


def fetch(name: str, file: str) -> bytes:
    """The verified bytes of a file of a data set, as its address serves them.

    Raises:
        DataError: a copy whose checksum is wrong, a file that is neither here nor can be fetched, a folder that
            cannot be written.
    """
    collection = COLLECTIONS[name]
    pinned = collection.pinned(file)
    path = _local(collection, pinned)
    if path is None:
        path = cache_folder() / collection.folder / file
        mirror = _mirror()
        if mirror is not None or not pinned.urls:
            other = f"unset REMISSION_MIRROR to fetch {pinned.urls[0]}" if pinned.urls else "name a folder that has it"
            where = f"neither in the mirror folder {mirror / collection.folder} nor" if mirror is not None else "not"
            raise DataError(
                f"'{name}' needs {file}, which is {where} in the cache {path.parent}. "
                f"Put {file} (or {file}.gz) there, or {other}{'.' if pinned.urls else f' with REMISSION_MIRROR. {pinned.how}'}"
            )
        _download(name, pinned, path)
    return _verified(name, pinned, path)


def unpack(data: bytes, limit: int, what: str) -> bytes:
    """The content of a gzip file, refused beyond ``limit`` bytes."""
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            content = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{what} is no complete gzip file: {error}. Replace it by a fresh copy.") from None
    if len(content) > limit:
        raise DataError(f"{what} unpacks to more than {limit} bytes. Replace it by a fresh copy.")
    return content


def _mirror() -> Path | None:
    named = os.environ.get("REMISSION_MIRROR")
    return Path(named).expanduser() if named else None


def _local(collection: Collection, pinned: Pinned) -> Path | None:
    """The copy on this machine, plain or packed: in the mirror first, then in the cache."""
    for root in (_mirror(), cache_folder()):
        for suffix in ("", ".gz"):
            if root is not None and (root / collection.folder / (pinned.file + suffix)).is_file():
                return root / collection.folder / (pinned.file + suffix)
    return None


def _verified(name: str, pinned: Pinned, path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"'{name}' cannot read {path}: {error.strerror}. Check the rights of the file.") from None
    if path.name != pinned.file:
        data = unpack(data, pinned.size, str(path))
    found = hashlib.sha256(data).hexdigest()
    if found != pinned.sha256:
        raise DataError(
            f"'{name}': {path} is not the published file. Expected SHA-256 {pinned.sha256} ({pinned.size} bytes), "
            f"got {found} ({len(data)} bytes). Delete that copy"
            + (f"; it is then fetched again from {pinned.urls[0]}." if pinned.urls else f". {pinned.how}")
        )
    return data


def _downloader() -> Any:
    import pooch

    return pooch.HTTPDownloader(timeout=_TIMEOUT)


def _download(name: str, pinned: Pinned, path: Path) -> None:
    """Fetch from the first address that serves the pinned bytes (pooch checks, then renames)."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(name, path, error) from None
    reasons = []
    for url in pinned.urls:
        try:
            pooch.retrieve(url, f"sha256:{pinned.sha256}", path.name, path.parent, downloader=_downloader())
            return
        except PermissionError as error:
            raise _unwritable(name, path, error) from None
        except (OSError, ValueError) as error:  # no connection, refused, cut off, or other bytes
            reasons.append(f"{url}: {_reason(error)}")
    raise DataError(
        f"'{name}' needs {pinned.file} ({pinned.size} bytes), which could not be fetched. {'; '.join(reasons)}. "
        f"Without a network, put the file at {path}, or name another cache folder with REMISSION_DATA, or a folder "
        f"that holds {path.parent.name}/{pinned.file} with REMISSION_MIRROR."
    )


def _unwritable(name: str, path: Path, error: OSError) -> DataError:
    return DataError(
        f"'{name}' cannot write to {path.parent}: {error.strerror}. Name a folder you may write to with REMISSION_DATA."
    )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text if len(text) <= 160 else text[:157] + '...'}"


def store(name: str, file: str, data: bytes, what: str) -> Path:
    """Put bytes that were made here into the cache. Raises DataError when they are not the pinned ones."""
    collection = COLLECTIONS[name]
    pinned, path = collection.pinned(file), cache_folder() / collection.folder / file
    found = hashlib.sha256(data).hexdigest()
    if found != pinned.sha256:
        raise DataError(
            f"{what} does not give the published {file}: SHA-256 {found}, not {pinned.sha256}. {pinned.how}"
        )
    try:
        with written(path) as beside:
            beside.write_bytes(data)
    except OSError as error:
        raise _unwritable(name, path, error) from None
    return path
