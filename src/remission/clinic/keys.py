"""Files of secret keys: written for their owner alone, refused when others can read them, never shown."""

from __future__ import annotations

import json
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from remission.aside import written
from remission.errors import DataError, SpecError, StoreError
from remission.watermarking import Key, Watermark

_SCHEMA = "remission/watermark-keys/1"
_DEMO = (
    654, 400, 836, 123, 340, 443, 597, 160, 57, 29, 590, 639, 13, 715, 468,
    990, 966, 226, 324, 585, 118, 504, 421, 521, 129, 669, 732, 225, 90, 960,
)  # fmt: skip

#: Keys of documentation and examples. Whoever uses them marks text that everybody can find, and fake.
PUBLIC: tuple[Key, ...] = (
    Key("public-kgw", (15485863,)),  # the default of KGW, in transformers and the authors' repository
    Key("public-vllm", (42,)),  # the example of vLLM's documentation
    Key("public-unigram", (0,)),  # the default of Unigram
    Key("public-synthid-30", _DEMO),  # the demonstration of synthid-text
    Key("public-synthid-9", _DEMO[:9]),  # the example of transformers' documentation
)


def load_keys(given: Sequence[str | Path]) -> list[Key]:
    """The keys of some files; ``public`` names the well-known ones.

    Raises:
        StoreError: a file that is missing, or that others may read or write.
        DataError: a file that is no key file, or two keys of one name.
        SpecError: what looks like a key instead of a file.
    """
    found: list[Key] = []
    for one in given:
        found += PUBLIC if str(one) == "public" else _loaded(Path(one).expanduser())
    names = [key.name for key in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"The key name '{twice[0]}' comes twice. Rename one of them in its file.")
    return found


def new_key(path: Path, name: str, mark: Watermark) -> Key:
    """Make a key for a scheme and add it to a file, which is made (for its owner alone) if it is not there.

    Raises:
        SpecError: a name that cannot be used. DataError: a name that is taken. StoreError: see :func:`load_keys`.
    """
    if not name or name.startswith("public") or len(name) > 100 or not name.isprintable():
        raise SpecError(f"A key needs a name of up to 100 characters that does not begin with 'public'. Got '{name}'.")
    kept = _loaded(path) if path.exists() else []
    if any(key.name == name for key in kept):
        raise DataError(f"'{path}' has a key '{name}' already. A key is never written over; choose another name.")
    key = mark.random_key(np.random.Generator(np.random.PCG64(secrets.randbits(256))), name)
    mark.check_key(key)
    _write(path, [*kept, key])
    return key


def _write(path: Path, keys: list[Key]) -> None:
    """Aside, for the owner alone from the first byte on, then renamed."""
    text = json.dumps({"schema": _SCHEMA, "keys": {key.name: list(key.values) for key in keys}}, indent=1)
    try:
        with written(path, mode=0o600) as beside:
            beside.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"'{path}' cannot be written: {error.strerror or error}.") from None


def _loaded(path: Path) -> list[Key]:
    _check_file(path)
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"'{path}' is no file of keys: {type(error).__name__}. `watermark keys new` makes one."
        ) from None
    table = content.get("keys") if isinstance(content, dict) and content.get("schema") == _SCHEMA else None
    if not isinstance(table, dict) or not all(_values(values) for values in table.values()):
        raise DataError(
            f"""'{path}' is no file of keys. It holds {{"schema": "{_SCHEMA}", "keys": {{"name": [numbers]}}}}; """
            "`watermark keys new` makes one."
        )
    return [Key(name, tuple(values)) for name, values in table.items()]


def _values(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(type(one) is int and one >= 0 for one in values)


def _check_file(path: Path) -> None:
    """It is there, and nobody else may read it."""
    if not path.exists():
        if str(path).replace(",", "").replace(" ", "").isdigit():
            raise SpecError(
                "A key is not given on the command line, where the history of the shell keeps it. Put it into a file: "
                "`remission watermark keys new`."
            )
        raise StoreError(
            f"There is no file of keys '{path}'. `remission watermark keys new` makes one; 'public' names known ones."
        )
    if path.is_dir():
        raise StoreError(f"'{path}' is a folder. Give the file of keys.")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise StoreError(
            f"Others may read or change the keys in '{path}' (mode {mode:o}). A key that is known marks nothing. Try: "
            f"chmod 600 '{path}', and make new keys if somebody may have seen them."
        )
