"""Finished generations of a block that is under way, kept on disk so that a killed run goes on where it was.

::

    work/<block>/first.npz                       the real items of fit 1
    work/<block>/generation-0003/state.safetensors   the fitted model; only the first and those still needed
    work/<block>/generation-0003/batch.npz       what arrived, for as long as a later fit may need it
    work/<block>/generation-0003/done.npz        what was measured; written last: the generation is finished
    work/<block>/generation-0003/fit/            half-done work of the fit itself

Everything else of a block is made again from named randomness. Only models whose fits take long are kept
(:class:`~remission.interfaces.LongModel`); the others are back in a moment.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remission.aside import written
from remission.data import Array, Dataset, Floats, Integers, Space
from remission.desk import Desk, read_tensors, write_tensors
from remission.errors import StoreError
from remission.interfaces import Regime, State

_FIELDS = ("items", "origin", "weight", "truth")


@dataclass(frozen=True, eq=False)
class Finished:
    """What is kept of a finished generation.

    Attributes:
        rows: metric row -> values, shape (r,).
        examples: items shown in the report, or None.
        notes: things a reader must know.
        cursor: real items handed out so far, shape (r,).
        wrapped: whether real items were used again.
    """

    rows: dict[str, Floats]
    examples: Array | None
    notes: tuple[str, ...]
    cursor: Integers
    wrapped: bool


class Progress:
    """The folder of one block; without a folder nothing is kept."""

    def __init__(self, folder: Path | None, keep_all: bool = False) -> None:
        """``keep_all``: the model of every generation stays, not only the first and those still needed."""
        self.folder = folder
        self.keep_all = keep_all

    def _at(self, t: int) -> Path:
        assert self.folder is not None
        return self.folder / f"generation-{t:04d}"

    def desk(self, t: int) -> Desk:
        """Where fit t keeps half-done work."""
        return Desk() if self.folder is None else Desk(self._at(t) / "fit")

    def state(self, t: int) -> State | None:
        """The model of fit t, if it is there."""
        if self.folder is None or not (self._at(t) / "state.safetensors").is_file():
            return None
        return read_tensors(self._at(t) / "state.safetensors")

    def keep_state(self, t: int, state: State) -> None:
        """Keep the model of fit t; its half-done work is not needed any more."""
        if self.folder is not None:
            write_tensors(self._at(t) / "state.safetensors", state)
            shutil.rmtree(self._at(t) / "fit", ignore_errors=True)

    def keep_batch(self, t: int, data: Dataset) -> None:
        """Keep what arrived in generation t."""
        if self.folder is None:
            return
        arrays = {name: getattr(data, name) for name in _FIELDS if getattr(data, name) is not None}
        write_arrays(self._at(t) / "batch.npz", arrays)
        if t == 1:
            write_arrays(self.folder / "first.npz", {"items": data.items})

    def batch(self, t: int, space: Space) -> Dataset | None:
        """What arrived in generation t, if it is still kept."""
        if self.folder is None or not (self._at(t) / "batch.npz").is_file():
            return None
        arrays = read_arrays(self._at(t) / "batch.npz")
        return Dataset(space, **{name: arrays.get(name) for name in _FIELDS})  # type: ignore[arg-type]

    def first(self) -> Array | None:
        """The real items of fit 1, if generation 1 is finished."""
        if self.folder is None or not (self.folder / "first.npz").is_file():
            return None
        return read_arrays(self.folder / "first.npz")["items"]

    def finish(self, t: int, done: Finished, regime: Regime) -> None:
        """Mark generation t as finished, then forget what no later one of this regime needs."""
        if self.folder is None:
            return
        arrays: dict[str, Array] = {f"row {name}": values for name, values in done.rows.items()}
        if done.examples is not None:
            arrays["examples"] = done.examples
        words = json.dumps({"notes": done.notes, "wrapped": done.wrapped})
        arrays |= {"cursor": done.cursor, "words": np.frombuffer(words.encode(), np.uint8)}
        write_arrays(self._at(t) / "done.npz", arrays)
        for old in range(1, t + 1):
            if old < regime.first_batch(t) and not (old == 1 and regime.pins_first):
                (self._at(old) / "batch.npz").unlink(missing_ok=True)
            if 1 < old <= t - regime.oldest_model and not self.keep_all:
                (self._at(old) / "state.safetensors").unlink(missing_ok=True)

    def finished(self, t: int) -> Finished | None:
        """What was measured in generation t, or None when it is not finished."""
        if self.folder is None or not (self._at(t) / "done.npz").is_file():
            return None
        arrays = read_arrays(self._at(t) / "done.npz")
        words = json.loads(arrays["words"].tobytes().decode())
        rows = {name.removeprefix("row "): values for name, values in arrays.items() if name.startswith("row ")}
        return Finished(rows, arrays.get("examples"), tuple(words["notes"]), arrays["cursor"], words["wrapped"])

    def states(self) -> dict[int, Path]:
        """The files of the models that are kept."""
        if self.folder is None:
            return {}
        found = sorted(self.folder.glob("generation-*/state.safetensors"))
        return {int(path.parent.name.rpartition("-")[2]): path for path in found}


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """An .npz file without pickles, written aside and renamed."""
    try:
        with written(path) as beside, open(beside, "wb") as file:
            np.savez(file, **arrays)
    except OSError as error:
        raise StoreError(
            f"'{path}' cannot be written ({error.strerror}). Finished generations are safe: make room and run the same "
            f"command again."
        ) from None


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an .npz file. Raises StoreError when it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"'{path}' is damaged ({error}). Delete the folder 'work' of the run and run again.") from None
