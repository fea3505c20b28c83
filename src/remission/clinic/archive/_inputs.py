"""What is read to be added: only plain files, row by row, as often as wanted, never all at once."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from remission.corpus._files import expand
from remission.corpus.accounting import Accounting
from remission.corpus.reading import Fields, Takes, _found, _Reader
from remission.corpus.spans import stamp_of
from remission.errors import DataError


class Input:
    """The rows of files, folders and patterns, or files of pictures.

    Attributes:
        pictures: the files themselves are the items.
        places: file -> its path within the folder that was given.
    """

    def __init__(self, paths: Sequence[str | Path], fields: Fields, pictures: bool, paragraphs: bool) -> None:
        """Look up the files. Raises DataError: there are none, or something that is no plain file."""
        check_paths(paths)
        self.fields, self.pictures, self.paragraphs = fields, pictures, paragraphs
        self._files, self._ignored = expand(paths, "file" if pictures else "text")
        self.places = _places(paths, pictures)
        self._stamps = [stamp_of(str(file)) for file in self._files]

    def account(self) -> Accounting:
        """A new account of these files."""
        return Accounting(files=len(self._files), ignored=self._ignored)

    def rows(self, account: Accounting) -> Iterator[tuple[Any, dict[str, str]]]:
        """Every usable row: its text or file, and its columns, ``id`` and ``label`` among them; the others go to the account.

        Raises:
            DataError: a file that was changed since the first look, a field that no row has, no usable row at all.
        """
        takes: Takes = "file" if self.pictures else "text"
        some = False
        reader = _Reader(self.fields, takes, account)
        for file, stamp in zip(self._files, self._stamps, strict=True):
            for line, row in _found(file, self.fields, takes, self.paragraphs):
                reader.add(str(file), line, _named(row, self.fields.id))
                if reader.items:
                    some = True
                    yield reader.items.pop(), {name: listed.pop() for name, listed in reader.kept.items()}
            if stamp_of(str(file)) != stamp:
                raise DataError(f"'{file}' was changed while it was being read. Run the command again.")
        if some:
            reader.items.append("")  # only fields that no row has are left to be complained about
        reader._check()


def _named(row: dict[str, Any] | str, field: str) -> dict[str, Any] | str:
    """The row, or why it is none: what is no name would get one that nobody wrote, such as ``True`` or ``inf``."""
    given = None if isinstance(row, str) else row.get(field)
    if isinstance(given, (bool, list, dict)) or (isinstance(given, float) and math.isinf(given)):
        return f"'{field}' is a text or a number, not {json.dumps(given, default=str)[:60]}"
    return row


def _places(paths: Sequence[str | Path], pictures: bool) -> dict[str, str]:
    """File -> its path within the folder that was given."""
    found: dict[str, str] = {}
    for given in paths:
        root = Path(given).expanduser()
        for file in expand([given], "file" if pictures else "text")[0]:
            found[str(file)] = file.relative_to(root).as_posix() if root.is_dir() else file.name
    return found


def check_paths(paths: Sequence[str | Path]) -> None:
    """Refuse what is no plain file: devices, pipes, sockets, links that lead elsewhere. Raises DataError."""
    for given in paths:
        path = Path(given).expanduser()
        if not os.path.lexists(path):
            continue  # a pattern, or nothing; the reader says so
        root = path if path.is_dir() and not path.is_symlink() else path.parent
        for one in [path, *(_below(path) if path.is_dir() and not path.is_symlink() else ())]:
            _plain_file(one, root, one == path)


def _below(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"'{folder}' cannot be read: {error.strerror}.") from None
    for entry in entries:
        yield Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path))


def _plain_file(path: Path, root: Path, given: bool) -> None:
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            target = path.resolve(strict=True)
            if not given and (target.is_dir() or root.resolve() not in target.parents):
                raise DataError(
                    f"'{path}' is a link that leads to '{target}'. Name that itself; links are not followed."
                )
            mode = target.stat().st_mode
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it leads in a circle"
        raise DataError(f"'{path}' cannot be read: {reason}.") from None
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
        raise DataError(f"'{path}' is {kinds.get(stat.S_IFMT(mode), 'no file')}. Only files are taken.")
