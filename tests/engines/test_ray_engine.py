"""The same parts, with the same hashes, on a Ray cluster of two nodes of which one goes away."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remission import RemissionError
from remission.clinic.census.manifest import verify
from remission.clinic.census.running import Config, run_census
from remission.engines import ray as ray_engine
from remission.engines.limits import Limits, Lost
from remission.errors import MissingExtra
from tests.clinic.census.scorers import LENGTHS
from tests.clinic.census.test_census import inline
from tests.clinic.census.test_faults import corpus
from tests.engines.ray_cluster import Cluster, two_nodes
from tests.engines.test_local_engine import square

MISSING = importlib.util.find_spec("ray") is None
needs_ray = pytest.mark.skipif(MISSING, reason="Ray is not installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with (
        tempfile.TemporaryDirectory(prefix="rr") as folder,
        two_nodes(Path(folder)) as found,
    ):  # sockets need short paths
        yield found


def slowly(task: Any) -> Any:
    from remission.clinic.census.process import step

    time.sleep(0.1)
    return step(task)


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_two_nodes_of_which_one_goes(cluster: Cluster, tmp_path: Path) -> None:
    documents = corpus(tmp_path / "in", 40)
    config = Config(by=("source",), size=3000)

    def engine(function: Any, tasks: Any) -> Any:
        gone = False
        for number, (task, result) in enumerate(ray_engine.supervise(slowly, tasks, cluster.address)):
            if number == 30 and not gone:
                gone = True
                threading.Thread(target=cluster.remove_other).start()
            yield task, result
        assert gone

    census = run_census([tmp_path / "in"], LENGTHS, tmp_path / "out", config, engine)
    assert census.receipt.kept == documents
    run_census([tmp_path / "in"], LENGTHS, tmp_path / "local", config, inline)
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (tmp_path / "local" / "manifest.json").read_bytes()
    assert verify(tmp_path / "out") == []
    before = Path.cwd()
    try:  # relative paths mean the same there
        os.chdir(tmp_path)
        (found,) = ray_engine.supervise(os.path.abspath, ["in"], cluster.address)
    finally:
        os.chdir(before)
    assert found == ("in", str(tmp_path / "in"))
    # what is left of the cluster: strikes, deadlines, exceptions as in the local engine
    found = dict(ray_engine.supervise(square, [("kill", 0), ("", 3)], cluster.address))
    assert found["", 3] == 9
    assert isinstance(found["kill", 0], Lost)
    assert found["kill", 0].why == "killed"
    found = dict(ray_engine.supervise(square, [("hang", 0), ("", 3)], cluster.address, Limits(seconds=2)))
    assert (found["", 3], found["hang", 0].why) == (9, "hung")
    with pytest.raises(ValueError, match="as asked"):
        list(ray_engine.supervise(square, [("raise", 1)], cluster.address))


@needs_ray
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_cluster_is_one_clear_message() -> None:
    with pytest.raises(RemissionError, match="No Ray cluster answers"):
        list(ray_engine.supervise(square, [("", 1)], "127.0.0.1:1"))


@pytest.mark.skipif(not MISSING, reason="Ray is installed")
def test_without_ray_it_is_said_how_to_get_it() -> None:
    with pytest.raises(MissingExtra, match=r"remission\[ray\]"):
        list(ray_engine.supervise(square, [("", 1)]))
