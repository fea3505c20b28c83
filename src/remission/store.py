"""Run folders: everything that is needed to read a run again, and to re-create it.

::

    experiment.toml    the resolved experiment
    provenance.json    versions, machine, command, content hashes of inputs and own modules
    facts.json         points, item space, directions of rows, closed forms and why others do not apply
    rows/*.parquet     point, replicate, generation, metric, value; one part per finished block
    modules/*.py       the user's own modules as they were run, if there are any
    samples/*.npz      examples per generation of replicate 0
    models/            fitted networks that were to be kept, as safetensors
    work/              blocks of networks that are under way, see progress.py; gone when the run is complete
    log.jsonl          what happened when

Every file is written aside and renamed; a part under its final name is complete. A run may be killed at
any moment and loses at most the blocks in flight.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import re
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from remission.aside import written
from remission.data import Array, Floats, Integers
from remission.errors import StoreError
from remission.identity import own_files, own_modules, search_also
from remission.loop import Generation
from remission.progress import Progress
from remission.spec import Experiment

_PART = re.compile(r"point-(\d+)-replicates-(\d+)-(\d+)\.parquet")


class Run:
    """A run folder, for writing and for reading."""

    def __init__(self, folder: Path) -> None:
        """Open an existing run folder; see :meth:`create`."""
        self.folder = folder
        if not (folder / "experiment.toml").is_file():
            raise StoreError(f"'{folder}' is not a run folder: it has no experiment.toml. Give the folder of a run.")

    @classmethod
    def create(cls, folder: Path, experiment: Experiment, facts: dict[str, Any], provenance: dict[str, Any]) -> Run:
        """Make a run folder, or open the one of the same experiment to go on with it.

        Raises:
            StoreError: the folder holds another experiment or other files, or cannot be written.
        """
        with _explained(folder):
            if (folder / "provenance.json").is_file():
                run = cls(folder)
                if run.id == experiment.id:
                    return run
                if run._parts():
                    raise StoreError(
                        f"'{folder}' holds the run {run.id} of another experiment (or of another version of the package or "
                        f"of your modules); this one is {experiment.id}. Choose another folder with -o."
                    )
                run._forget()  # nothing was finished: a failed attempt does not stand in the way
            if folder.exists() and not folder.is_dir():
                raise StoreError(f"'{folder}' is a file. Choose another folder with -o.")
            if folder.exists() and any(path.name not in _OURS for path in folder.iterdir()):
                raise StoreError(f"'{folder}' is not empty and not a run folder. Choose another folder with -o.")
            for name in ("rows", "samples"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            for name, file in own_files(experiment).items():
                kept = folder / "modules" / Path(*name.split(".")).with_suffix(".py")
                kept.parent.mkdir(parents=True, exist_ok=True)
                write_text(kept, file.read_text(encoding="utf-8"))
            write_text(folder / "experiment.toml", experiment.to_toml())
            write_text(folder / "facts.json", json.dumps(facts, indent=1, allow_nan=True))
            write_text(folder / "provenance.json", json.dumps(provenance | {"id": experiment.id}, indent=1))
            return cls(folder)

    def _forget(self) -> None:
        """Remove the files of a run in which no block was finished."""
        with self.writing():
            for path in (self.folder / "samples").glob("*.npz"):
                path.unlink()
            for name in ("modules", "models", "work"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
            for name in ("provenance.json", "facts.json", "experiment.toml", "log.jsonl"):
                (self.folder / name).unlink(missing_ok=True)

    # --- writing ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for writing; a second writer is told so. The lock dies with the process."""
        with _explained(self.folder):
            handle = open(self.folder / ".lock", "w", encoding="ascii")  # noqa: SIM115  (held until the end)
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreError(
                    f"Another process is writing to '{self.folder}'. Wait for it, or choose another -o."
                ) from None
            self._sweep()
            try:
                yield
            finally:
                self._sweep()  # what workers had begun when they were ended

    def _sweep(self) -> None:
        """Remove half-written files; only who holds the folder may."""
        for path in self.folder.rglob("*.aside"):
            path.unlink(missing_ok=True)

    def missing(self, point: int) -> list[int]:
        """Replicates of a grid point that no finished part holds."""
        done: set[int] = set()
        for number, first, last in self._parts():
            if number == point:
                done |= set(range(first, last + 1))
        return [replicate for replicate in range(self.facts["sizes"][point][0]) if replicate not in done]

    def write_block(self, point: int, generations: Sequence[Generation]) -> None:
        """Store a finished block of consecutive replicates: examples first, rows last (the completion mark)."""
        numbers = generations[0].replicates
        self._write_samples(point, generations)
        name = f"point-{point:04d}-replicates-{numbers[0]:06d}-{numbers[-1]:06d}.parquet"
        _write_aside(self.folder / "rows" / name, lambda path: _write_rows(path, point, generations))

    def work(self, point: int, first: int, last: int) -> Path:
        """Where the block of these replicates keeps its progress."""
        return self.folder / "work" / f"point-{point:04d}-replicates-{first:06d}-{last:06d}"

    def keep_models(self, point: int, first: int, last: int, keep: str) -> None:
        """Move the models of a finished block that are to be kept into ``models``, and drop its progress."""
        work = self.work(point, first, last)
        if not work.is_dir():
            return
        with _explained(work):
            for folder in (work, *sorted(path for path in work.iterdir() if path.name.isdigit())):
                states = Progress(folder).states()
                chosen = {"none": [], "all": [*states], "first": [*states][:1], "last": [*states][-1:]}
                chosen["first-last"] = sorted({*chosen["first"], *chosen["last"]})
                name = work.name if folder is work else f"point-{point:04d}-replicate-{int(folder.name):06d}"
                for t in chosen[keep]:
                    (self.folder / "models").mkdir(exist_ok=True)
                    os.replace(states[t], self.folder / "models" / f"{name}-generation-{t:04d}.safetensors")
            shutil.rmtree(work)

    def forget_work(self) -> None:
        """Remove what is left of blocks that were under way: all are finished."""
        shutil.rmtree(self.folder / "work", ignore_errors=True)

    def _write_samples(self, point: int, generations: Sequence[Generation]) -> None:
        shown = {f"generation-{one.t}": one.examples for one in generations if one.examples is not None}
        if not shown:
            return
        real = generations[0].real_examples
        arrays = ({} if real is None else {"generation-0": real}) | shown

        def save(path: Path) -> None:
            with open(path, "wb") as file:
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

        _write_aside(self.folder / "samples" / f"point-{point:04d}.npz", save)

    def log(self, event: str, **details: Any) -> None:
        """Append a line to the log."""
        line = json.dumps({"time": round(time.time(), 3), "event": event} | details)
        with _explained(self.folder), open(self.folder / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    # --- reading ------------------------------------------------------------------------------------------------

    def _parts(self) -> list[tuple[int, int, int]]:
        names = sorted(path.name for path in (self.folder / "rows").glob("*.parquet"))
        found = [match for match in map(_PART.fullmatch, names) if match]
        return [(int(match[1]), int(match[2]), int(match[3])) for match in found]

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError(
                f"'{path}' cannot be read ({error}). The run folder is damaged; run again elsewhere."
            ) from None

    @cached_property
    def toml(self) -> str:
        """The resolved experiment as text."""
        return (self.folder / "experiment.toml").read_text(encoding="utf-8")

    @cached_property
    def tables(self) -> dict[str, Any]:
        """The resolved experiment as nested tables; imports nothing."""
        try:
            return tomllib.loads(self.toml)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise StoreError(
                f"'{self.folder / 'experiment.toml'}' cannot be read ({error}). The run folder is damaged; run again elsewhere."
            ) from None

    @property
    def level(self) -> float:
        """Of all intervals."""
        return float(self.tables["experiment"]["level"])

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment. Modules of the user's are found where they were, or as kept in the folder."""
        search_also(self.folder / "modules")
        return Experiment.from_toml(self.toml)

    def changed_modules(self) -> list[str]:
        """Modules of the user's whose code is no longer what was run."""
        now = own_modules(self.experiment)
        return [name for name, digest in self.provenance["modules"].items() if now.get(name) != digest]

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Versions, machine, command, hashes."""
        return self._json("provenance.json")

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Points, space, directions, theory."""
        return self._json("facts.json")

    @property
    def notes(self) -> list[str]:
        """What fits and metrics said of themselves: the device, the precision, batches that were cut, each once."""
        path = self.folder / "log.jsonl"
        if not path.is_file():
            return []
        told = []
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # a line that was cut off by a kill
                told.append(json.loads(line))
        return list(dict.fromkeys(one["text"] for one in told if one.get("event") == "note"))

    @property
    def id(self) -> str:
        """The id of the experiment that was run."""
        return str(self.provenance["id"])

    @property
    def is_complete(self) -> bool:
        """Whether every block is there."""
        return not any(self.missing(point) for point in range(len(self.facts["points"])))

    def values(self) -> dict[tuple[int, str], Floats]:
        """(point, metric) -> values of shape (replicates, generations); NaN where nothing is there yet.

        Of networks that are under way, or whose fit failed, the finished generations are there. Raises StoreError when
        a part is damaged.
        """
        import pyarrow.parquet as parquet

        replicates, generations = self.facts["replicates"], self.facts["generations"]
        out: dict[tuple[int, str], Floats] = {}
        for path in sorted((self.folder / "rows").glob("*.parquet")):
            try:
                table = parquet.read_table(path, page_checksum_verification=True)
            except Exception as error:
                raise StoreError(
                    f"'{path}' is damaged ({error}). Delete it and run again: only this block is redone."
                ) from None
            metric = table["metric"].combine_chunks()
            names, codes = metric.dictionary.to_pylist(), metric.indices.to_numpy()
            point = int(table["point"][0].as_py()) if table.num_rows else 0
            replicate, generation = table["replicate"].to_numpy(), table["generation"].to_numpy()
            value = table["value"].to_numpy()
            for code, name in enumerate(names):
                here = codes == code
                array = out.setdefault((point, name), np.full((replicates, generations), math.nan))
                array[replicate[here], generation[here] - 1] = value[here]
        for point, replicate, t, rows in self._under_way():
            for name, row in rows.items():
                array = out.setdefault((point, name), np.full((replicates, generations), math.nan))
                array[replicate, t - 1] = row
        return out

    def _under_way(self) -> Iterator[tuple[int, Integers, int, dict[str, Floats]]]:
        """(point, replicates, generation, rows) of finished generations of blocks that are not."""
        for path in sorted((self.folder / "work").glob("point-*/**/done.npz")):
            match = _PART.fullmatch(f"{path.relative_to(self.folder / 'work').parts[0]}.parquet")
            t = int(path.parent.name.rpartition("-")[2])
            done = Progress(path.parent.parent).finished(t)
            if match is None or done is None:
                continue
            alone = path.parent.parent.name
            first, last = (int(alone), int(alone)) if alone.isdigit() else (int(match[2]), int(match[3]))
            yield int(match[1]), np.arange(first, last + 1), t, done.rows

    @cached_property
    def samples(self) -> dict[int, dict[int, Array]]:
        """Point -> generation -> examples (k, *item); generation 0 is real."""
        out: dict[int, dict[int, Array]] = {}
        for path in sorted((self.folder / "samples").glob("point-*.npz")):
            with np.load(path, allow_pickle=False) as arrays:
                found = {int(name.rpartition("-")[2]): arrays[name] for name in arrays.files}
            out[int(path.stem.rpartition("-")[2])] = dict(sorted(found.items()))
        return out


_OURS = {"rows", "samples", "modules", "models", "work", "experiment.toml", "facts.json", "log.jsonl", ".lock"}


def _write_rows(path: Path, point: int, generations: Sequence[Generation]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    metrics = sorted({name for generation in generations for name in generation.rows})
    codes = {name: code for code, name in enumerate(metrics)}
    columns: dict[str, list[Any]] = {"replicate": [], "generation": [], "metric": [], "value": []}
    for generation in generations:
        count = generation.replicates.size
        for name, values in sorted(generation.rows.items()):
            columns["replicate"].append(generation.replicates.astype(np.int32))
            columns["generation"].append(np.full(count, generation.t, np.int32))
            columns["metric"].append(np.full(count, codes[name], np.int32))
            columns["value"].append(values)
    joined = {name: np.concatenate(arrays) if arrays else np.empty(0) for name, arrays in columns.items()}
    table = pa.table(
        {
            "point": np.full(joined["value"].size, point, np.int32),
            "replicate": joined["replicate"],
            "generation": joined["generation"],
            "metric": pa.DictionaryArray.from_arrays(
                pa.array(joined["metric"], pa.int32()), pa.array(metrics, pa.string())
            ),
            "value": joined["value"],
        }
    )
    parquet.write_table(table, path, compression="zstd", write_page_checksum=True)


def _write_aside(path: Path, write: Callable[[Path], None]) -> None:
    """Write to a name aside, flush to disk, rename: the file is there whole or not at all."""
    with _explained(path), written(path) as beside:  # a machine thought dead may write the same block
        write(beside)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""

    def save(aside: Path) -> None:
        aside.write_text(text, encoding="utf-8")

    _write_aside(path, save)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn the usual troubles of writing into one clear message."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"No space left to write '{path}'. Finished blocks are safe: free space and run the same command again."
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StoreError(f"'{path}' cannot be written ({error.strerror}). Choose another folder with -o.") from None
        if error.errno in (errno.ENOTDIR, errno.ENOENT, errno.ENAMETOOLONG):
            raise StoreError(f"'{path}' cannot be made ({error.strerror}). Choose another folder with -o.") from None
        raise
