"""Folders of models in the Hugging Face layout: found by path or name, offline unless said otherwise; never a pickle."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from remission.errors import SpecError, need

WANTED = ("*.json", "*.safetensors", "*.txt", "*.model")  # what is fetched: no pickles and no code
_WHOLE = 64 * 2**20  # bytes: larger files are told apart by some of their parts
_PART = 2**20
_LOUD = ("transformers", "diffusers", "peft", "accelerate", "huggingface_hub")


def folder_of(name: str, revision: str = "main", offline: bool = True, what: str = "model") -> Path:
    """The folder (or file) of a path, or of a model of the Hugging Face hub in the local cache.

    Args:
        name: a path, which comes first, or a name such as ``gpt2``.
        revision: of a name: branch, tag or commit.
        offline: look into the local cache only; else fetch what is missing.
        what: the field that held the name.

    Raises:
        SpecError: there is no such thing.
    """
    path = Path(name).expanduser()
    if path.exists():
        return path
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise SpecError(f"{what} = '{name}': there is no such folder. Give the folder that save_pretrained wrote.")
    need("hf", f"the {what} '{name}'", "huggingface_hub")
    from huggingface_hub import snapshot_download

    try:
        with quiet():
            return Path(
                snapshot_download(name, revision=revision, local_files_only=offline, allow_patterns=list(WANTED))
            )
    except Exception as error:
        if offline:
            raise SpecError(
                f"{what} = '{name}' is neither a folder here nor in the local cache of Hugging Face (revision "
                f"'{revision}'), and nothing is fetched. Fetch it once with: hf download {name} --revision {revision}. Or "
                f"give the path of a folder."
            ) from None
        said = str(error).strip().split("\n")[0]
        raise SpecError(f"{what} = '{name}' could not be fetched: {type(error).__name__}: {said}") from None


def configuration(folder: Path, file: str = "config.json") -> dict[str, Any]:
    """What a configuration file says. Raises SpecError when it is not there or no JSON object."""
    path = folder / file
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise SpecError(
            f"'{folder}' has no {file}: it is no model folder. Give the folder that save_pretrained wrote."
        ) from None
    except ValueError as error:
        raise SpecError(f"'{path}' is no JSON ({error}). Replace it by a fresh copy.") from None
    if not isinstance(found, dict):
        raise SpecError(f"'{path}' is no JSON object. Replace it by a fresh copy.")
    return found


def check_weights(folder: Path) -> None:
    """Raise SpecError unless a folder holds its weights as safetensors."""
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl"))
    if pickles:
        raise SpecError(
            f"'{folder}' holds its weights as a pickle ({pickles[0]}), which can run any code and is not read. Save them as "
            f"safetensors, on a machine where you trust the file: from_pretrained(folder).save_pretrained(other)."
        )
    raise SpecError(
        f"'{folder}' has a configuration but no weights (*.safetensors). Give the whole folder, or set weights = 'random'."
    )


def fingerprint(folder: Path) -> str:
    """A hash of all JSON and safetensors files of a folder: the same for a copy, another once it is trained further."""
    digest = hashlib.sha256()
    for path in sorted(one for one in folder.rglob("*") if one.suffix in (".json", ".safetensors", ".txt", ".model")):
        stat = path.stat()
        part = _hash(path.resolve(), stat.st_mtime_ns, stat.st_size)
        digest.update(f"{path.relative_to(folder).as_posix()} {part}\n".encode())
    return digest.hexdigest()


@cache
def _hash(path: Path, changed: int, size: int) -> str:
    digest = hashlib.sha256(f"{size}\n".encode())
    with open(path, "rb") as file:
        if size <= _WHOLE:
            digest.update(file.read())
        else:  # training changes every part of a file
            for number in range(_WHOLE // _PART):
                file.seek((size - _PART) * number // (_WHOLE // _PART - 1))
                digest.update(file.read(_PART))
    return digest.hexdigest()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what the libraries say on their own: warnings about themselves, logs below errors, progress bars."""
    loggers = [logging.getLogger(name) for name in _LOUD]
    before = [logger.level for logger in loggers]
    bars = [module for name in _LOUD[:2] if (module := sys.modules.get(f"{name}.utils.logging")) is not None]
    shown = [module for module in bars if getattr(module, "_tqdm_active", True)]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        for module in shown:
            module.disable_progress_bar()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
        for module in shown:
            module.enable_progress_bar()
