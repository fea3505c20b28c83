"""Experiments on other engines: the same files byte for byte, or one clear message; Ray itself where it is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remission import Experiment, RemissionError, Run, StoreError
from remission.cli import _run as command_line
from remission.engines import ray as ray_engine
from remission.engines._units import none_lost
from remission.engines.limits import Limits, Lost, sentence
from remission.errors import MissingExtra
from remission.lab import execute as execution
from remission.lab.execute import execute, run_elsewhere
from tests.engines.ray_cluster import Cluster, two_nodes

ROOT = Path(__file__).resolve().parent.parent.parent
MISSING = importlib.util.find_spec("ray") is None

SWEEP = """
[experiment]
generations = 5
replicates = 17
samples = 60
seed = 3
[source]
kind = "gaussian"
dimensions = 3
[model]
kind = "gaussian"
[regime]
kind = "replace"
[[metric]]
kind = "moments"
[sweep]
samples = [40, 60]
"""


@dataclass
class Elsewhere:
    """An engine that gives out copies of everything, in an order of its own, and keeps count."""

    places: int = 3
    lose: bool = False
    forget: bool = False
    asked: int = 0
    given: list[tuple[int, int]] = field(default_factory=list)  # blocks and workers of each mapping

    def processors(self) -> int:
        self.asked += 1
        return self.places

    def map_units(self, function: Any, units: Any, workers: int) -> Iterator[Any]:
        self.given.append((len(units), workers))
        for place in np.random.default_rng(1).permutation(len(units)).tolist():
            done, unit = pickle.loads(pickle.dumps((function, units[place])))
            if self.lose and len(units) - place == 1:
                lost = Lost(unit, "killed", sentence("killed", Limits()))
                yield from none_lost([(unit, lost)])
            yield unit, execution.Done(0.0, ()) if self.forget else done(unit)


def files(folder: Path) -> dict[str, bytes]:
    """All results of a run."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in ("rows", "samples", "modules", "experiment.toml", "facts.json")
        for path in ([folder / name] if (folder / name).is_file() else sorted((folder / name).glob("*")))
    }


@pytest.mark.parametrize("workers", [None, 2])
def test_another_engine_writes_the_same_bytes(workers: int | None, tmp_path: Path) -> None:
    experiment = Experiment.from_toml(SWEEP)
    engine, seen = Elsewhere(), []
    there = execute(experiment, tmp_path / "there", workers, lambda *one: seen.append(one), engine=engine)
    here = execute(experiment, tmp_path / "here", workers or 3)
    assert files(there.folder) == files(here.folder)
    assert len(list((there.folder / "rows").iterdir())) == 2 * (workers or 3)
    assert engine.given == [(2 * (workers or 3), workers or 3)]
    assert engine.asked == (workers is None)
    assert (seen[0], seen[-1]) == ((0.0, 170.0), (170.0, 170.0))
    assert len(seen) == 2 * (workers or 3) + 1
    alone = execute(experiment, tmp_path / "alone")
    one, other = alone.values(), there.values()
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[key], other[key]) for key in one)


def test_a_lost_block_is_said_as_always_and_the_same_call_goes_on(tmp_path: Path) -> None:
    experiment = Experiment.from_toml(SWEEP)
    with pytest.raises(RemissionError, match="died 3 times on the same block"):
        execute(experiment, tmp_path / "run", 3, engine=Elsewhere(lose=True))
    half = Run(tmp_path / "run")
    assert not half.is_complete
    engine = Elsewhere()
    execute(experiment, tmp_path / "run", 3, engine=engine)
    assert Run(tmp_path / "run").is_complete
    idle = Elsewhere()
    execute(experiment, tmp_path / "run", None, engine=idle)  # finished: nobody is asked for anything
    assert (idle.asked, idle.given) == (0, [])
    whole = execute(experiment, tmp_path / "whole").values()
    assert all(np.array_equal(values, whole[key]) for key, values in Run(tmp_path / "run").values().items())


def test_folders_that_are_not_shared_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = Experiment.from_toml(SWEEP)
    with pytest.raises(StoreError, match=r"not all of them are in .*/run'\. The folder must be the same one"):
        execute(experiment, tmp_path / "run", 3, engine=Elsewhere(forget=True))
    store = Run(tmp_path / "run")
    block = execution.missing_blocks(store, experiment, 3)[0]
    execution._check_here.cache_clear()
    for other in (
        execution.Block(str(tmp_path / "none"), block.run, 0, 0, 1),  # it is not there
        execution.Block(block.folder, "0" * 12, 0, 0, 1),  # another run is
    ):
        with pytest.raises(StoreError, match="is not the folder of the run"):
            run_elsewhere(other)
    monkeypatch.setattr("remission.__version__", "0.0.1")
    with pytest.raises(StoreError, match=r"On the machine '.+', the experiment is another one"):
        run_elsewhere(block)
    assert list((store.folder / "rows").iterdir()) == []
    monkeypatch.undo()
    run_elsewhere(block)
    assert len(list((store.folder / "rows").iterdir())) == 1


def test_the_command_hands_over_engine_address_and_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP)
    made: list[Any] = []

    def cluster(address: str) -> Elsewhere:
        made.append((address, Elsewhere()))
        return made[-1][1]

    monkeypatch.setattr("remission.engines.ray.Cluster", cluster)
    monkeypatch.setattr("remission.errors.need", lambda *_: None)
    call = ["run", str(tmp_path / "sweep.toml"), "--json"]
    ray = ["--engine", "ray", "--address", "10.0.0.1:6379"]
    assert command_line([*call, "-o", str(tmp_path / "there"), *ray]) == 0
    there = json.loads(capsys.readouterr().out)
    assert (made[0][0], made[0][1].given) == ("10.0.0.1:6379", [(6, 3)])
    assert command_line([*call, "-o", str(tmp_path / "two"), "--engine", "ray", "--workers", "2"]) == 0
    assert (made[1][0], made[1][1].given) == ("auto", [(4, 2)])
    capsys.readouterr()
    assert command_line([*call, "-o", str(tmp_path / "here")]) == 0
    here = json.loads(capsys.readouterr().out)
    assert here | {"run": ""} == there | {"run": ""}
    assert len(made) == 2
    assert command_line([*call, "--address", "10.0.0.1:6379"]) == 2
    assert "add --engine ray" in capsys.readouterr().err


@pytest.mark.skipif(not MISSING, reason="Ray is installed")
def test_without_ray_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP)
    assert command_line(["run", str(tmp_path / "sweep.toml"), "-o", str(tmp_path / "out"), "--engine", "ray"]) == 2
    assert "remission[ray]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(MissingExtra, match=r"remission\[ray\]"):
        ray_engine.Cluster().processors()


class FakeRay:
    """As much of Ray as tasks need: they are done when somebody waits, and some lose their worker or their machine."""

    class exceptions:  # noqa: N801  (as Ray calls it)
        RayTaskError = type("RayTaskError", (Exception,), {})
        NodeDiedError = type("NodeDiedError", (Exception,), {})
        ObjectLostError = type("ObjectLostError", (Exception,), {})
        OutOfMemoryError = type("OutOfMemoryError", (Exception,), {})
        WorkerCrashedError = type("WorkerCrashedError", (Exception,), {})
        RaySystemError = type("RaySystemError", (Exception,), {})
        LocalRayletDiedError = type("LocalRayletDiedError", (Exception,), {})

    def __init__(self, trouble: dict[int, list[str]]) -> None:
        self.trouble, self.flying, self.highest, self.tasks = trouble, set[int](), 0, list[Any]()
        self.cancelled: list[int] = []

    def is_initialized(self) -> bool:
        return True

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 5.0}

    def remote(self, **_: Any) -> Any:
        def task(function: Any) -> Any:
            return type("Task", (), {"remote": lambda _self, *given: self._start(function, given)})()

        return task

    def _start(self, function: Any, given: Any) -> int:
        self.tasks.append((function, given))
        self.flying.add(len(self.tasks) - 1)
        self.highest = max(self.highest, len(self.flying))
        return len(self.tasks) - 1

    def wait(self, tasks: list[int], timeout: float) -> Any:
        return tasks[-1:], tasks[:-1]

    def get(self, task: int) -> Any:
        self.flying.remove(task)
        function, given = self.tasks[task]
        if self.trouble.get(given[1]):
            raise getattr(self.exceptions, self.trouble[given[1]].pop())
        return function(*given)

    def cancel(self, task: int, force: bool) -> None:
        self.cancelled.append(task)


def square(number: int) -> int:
    return number * number


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay({})
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_engine, "need", lambda *_: None)
    return ray


@pytest.mark.parametrize(("workers", "highest"), [(1, 1), (3, 3), (9, 5)])
def test_no_more_blocks_are_under_way_than_asked_for_and_than_processors(
    workers: int, highest: int, fake: FakeRay
) -> None:
    found = dict(ray_engine.Cluster().map_units(square, range(20), workers))
    assert found == {number: number * number for number in range(20)}
    assert fake.highest == highest


def test_a_machine_that_goes_is_no_strike_and_a_worker_is(fake: FakeRay) -> None:
    fake.trouble = {3: ["NodeDiedError"] * 5, 4: ["WorkerCrashedError"] * 2, 5: ["OutOfMemoryError"] * 2}
    found = dict(ray_engine.Cluster().map_units(square, range(8), 4))
    assert found == {number: number * number for number in range(8)}
    assert len(fake.tasks) == 8 + 5 + 2 + 2
    fake.trouble = {4: ["WorkerCrashedError"] * 3}
    with pytest.raises(RemissionError, match="died 3 times on the same block"):
        list(ray_engine.Cluster().map_units(square, range(8), 4))
    assert len(fake.cancelled) == len(fake.flying) > 0  # the others are not left behind
    fake.trouble = {4: ["OutOfMemoryError"] * 3}
    lost = dict(ray_engine.supervise(square, [3, 4]))[4]
    assert isinstance(lost, Lost)
    assert lost.why == "memory"


# --- on Ray -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="rr") as folder, two_nodes(Path(folder)) as found:
        yield found


def deadly(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.skipif(MISSING, reason="Ray is not installed")
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_sweep_on_two_nodes_of_which_one_goes(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # where a module of the user's is
    (tmp_path / "my_spread.py").write_text((ROOT / "examples" / "my_metric.py").read_text())
    own = SWEEP.replace("[sweep]", '[[metric]]\nkind = "my_spread:Spread"\n[sweep]')
    (tmp_path / "sweep.toml").write_text(own)
    call = ["run", "sweep.toml", "--json", "--workers"]
    ray = ["--engine", "ray", "--address", cluster.address]
    assert command_line([*call, "4", "-o", str(tmp_path / "ray"), *ray]) == 0
    told = json.loads(capsys.readouterr().out)
    assert command_line([*call, "4", "-o", str(tmp_path / "local")]) == 0
    assert json.loads(capsys.readouterr().out) | {"run": ""} == told | {"run": ""}
    assert files(tmp_path / "ray") == files(tmp_path / "local")
    assert sum(name.startswith("rows/") for name in files(tmp_path / "ray")) == 8
    assert "modules/my_spread.py" in files(tmp_path / "ray")
    # strikes are those of the local engine
    monkeypatch.chdir(ROOT)
    place = ray_engine.Cluster(cluster.address)
    assert place.processors() == 2
    with pytest.raises(RemissionError, match="died 3 times on the same block"):
        list(place.map_units(deadly, [0, 1, 2], 2))
    # all processors when no number is given; half of them go away under way
    experiment = Experiment.from_toml(SWEEP.replace("samples = [40, 60]", f"samples = {[*range(40, 64)]}"))
    gone = threading.Event()

    def watch(done: float, _of: float) -> None:
        if done > 200 and not gone.is_set():
            gone.set()
            threading.Thread(target=cluster.remove_other).start()

    execute(experiment, tmp_path / "gone", None, watch, engine=place)
    assert gone.is_set()
    execute(experiment, tmp_path / "here", 2)
    assert files(tmp_path / "gone") == files(tmp_path / "here")
    assert len(files(tmp_path / "gone")) > 48
