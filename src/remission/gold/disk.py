"""Every change of the disk that an archive makes, so that each can be made to fail in tests. No link is ever followed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from remission.errors import StoreError

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe in place of a file must not hang us
_WRITE = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_PIECE = 1 << 20  # bytes written at a time


@contextlib.contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Errors of the operating system as StoreError."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"The archive '{folder}' cannot be used: {error.strerror or error} ({error.filename or folder}). What was "
            "acknowledged before is kept."
        ) from None


def write_new(path: Path, content: bytes) -> None:
    """Make a file that is not there yet, and have it on the disk before going on."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        _write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)


def overwrite(path: Path, start: int, content: bytes) -> None:
    """Write over part of a file, on the disk before going on. Raises OSError, also for a link, a pipe, a device."""
    handle = _opened_to_overwrite(path)
    try:
        os.lseek(handle, start, os.SEEK_SET)
        _write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)


def blank(path: Path) -> None:
    """Write zeros over a whole file, on the disk before going on: removing takes only the name. What is no file has no bytes."""
    try:
        handle = _opened_to_overwrite(path)
    except FileNotFoundError:
        return
    except OSError:
        if path.is_file() and not path.is_symlink():
            raise
        return
    try:
        left = os.fstat(handle).st_size
        while left > 0:
            _write(handle, bytes(min(left, _PIECE)))
            left -= _PIECE
        os.fsync(handle)
    finally:
        os.close(handle)


def _opened_to_overwrite(path: Path) -> int:
    handle = os.open(path, _WRITE)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "no regular file lies there", str(path))
    return handle


def _write(handle: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)  # of file systems where a file has one name only


def publish(part: Path, path: Path) -> None:
    """Give a file its name for good, on the disk before going on; never that of a file that is there.

    Raises:
        FileExistsError: something has that name. A renaming would have taken its place.
    """
    try:
        os.link(part, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        rename(part, path)
        return
    sync_folder(path.parent)
    remove(part)


def rename(old: Path, new: Path) -> None:
    """Give a file another name, on the disk before going on."""
    os.rename(old, new)
    sync_folder(new.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> bool:
    """Make a folder in one that is there; whether it is new."""
    try:
        os.mkdir(path)
    except FileExistsError:
        return False
    return True


def remove(path: Path) -> None:
    """Remove a file that may be gone already. Raises StoreError for a folder: no command makes one there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError:
        if not path.is_dir() or path.is_symlink():
            raise
        raise StoreError(
            f"'{path}' is a folder, where only files belong. Take it away, then run the command again."
        ) from None


def read(path: Path, start: int = 0, length: int | None = None, most: int = 1 << 32) -> bytes:
    """Bytes of a regular file. Raises OSError, also for a link, a device, a pipe, or a file longer than ``most``."""
    handle = os.open(path, _READ)
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(f"{path.name} is no regular file")
        if length is None and about.st_size > most:
            raise OSError(f"{path.name} has {about.st_size:,} bytes, more than it can have")
        file.seek(start)
        return file.read(-1 if length is None else length)


def read_given(path: Path, most: int = 1 << 20) -> bytes:
    """A file that somebody named: links to it are followed, anything but a regular file is refused. Raises OSError."""
    return read(Path(os.path.realpath(path.expanduser())), most=most)


@contextlib.contextmanager
def locked(path: Path, alone: bool, wait: float = 60.0) -> Iterator[None]:
    """Hold the lock of an archive: alone to write, together with others to read. It dies with the process.

    Raises:
        StoreError: somebody else holds it longer than ``wait`` seconds.
    """
    handle = _lock_of(path, alone)
    if handle is None:
        yield
        return
    try:
        until = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise StoreError(
                        f"Another process works on '{path.parent}' and did not finish within {wait:g} s. Wait for it, or "
                        "give it longer with --wait."
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def alone(path: Path, wait: float = 60.0) -> Iterator[Callable[[], bool]]:
    """Hold the lock of an archive to write, as :func:`locked`; what is yielded says whether its file is still the one that is held.

    Who removes the file lets a second writer in. It is the one that is held when it was the same before and after it was taken.
    """
    for _ in range(100):
        before = _which(path)
        with locked(path, True, wait):
            if before is not None and _which(path) == before:
                yield functools.partial(_is, path, before)
                return
    raise StoreError(
        f"The lock '{path}' is taken away again and again. Something removes it; nothing may while commands run."
    )


def _is(path: Path, known: tuple[int, int]) -> bool:
    return _which(path) == known


def _which(path: Path) -> tuple[int, int] | None:
    try:
        about = os.lstat(path)
    except FileNotFoundError:
        return None
    return about.st_dev, about.st_ino


def _lock_of(path: Path, alone: bool) -> int | None:
    """The lock, open; None where nobody can write, so that nobody is to be kept out: a copy without one, or something else there."""
    try:
        flags = (os.O_RDWR | os.O_CREAT) if alone else os.O_RDONLY
        handle = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    except FileNotFoundError:
        if alone:
            raise
        return None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):  # a link, a folder, a socket
            raise
    else:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return handle
        os.close(handle)
    if alone:
        raise StoreError(
            f"The lock '{path}' is no plain file, and no command made it so. Take it away; it is made anew."
        )
    return None
