"""Models that take long go on inside a block, and inside a fit, after a run was stopped; disk stays bounded."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from remission import Experiment, FitError, Run, run
from remission.desk import read_tensors
from remission.identity import search_also
from remission.lab.execute import execute
from remission.lab.rerun import rerun
from tests import long_parts

search_also(Path(__file__).resolve().parent.parent)

REGIMES = {
    "replace": 'kind = "replace"',
    "accumulate": 'kind = "accumulate"',
    "window": 'kind = "accumulate"\nwindow = 2',
    "lag": 'kind = "replace"\nlag = 2',
    "fresh": 'kind = "fresh"\nshare = 0.3',
    "fixed-real": 'kind = "fixed-real"',
    "subsample": 'kind = "accumulate-subsample"',
    "web": 'kind = "web"\nsynthetic = 0.5',
}

TEXT = """
[experiment]
generations = 5
replicates = 2
samples = 30
seed = 3
start = "{start}"
keep = "{keep}"
[source]
kind = "digits"
[model]
kind = "tests.long_parts:Slow"
[regime]
{regime}
[[metric]]
kind = "moments"
[[metric]]
kind = "authenticity"
{rest}
"""


def experiment(regime: str = "replace", keep: str = "last", start: str = "scratch", rest: str = "") -> Experiment:
    return Experiment.from_toml(TEXT.format(regime=REGIMES[regime], keep=keep, start=start, rest=rest))


@pytest.fixture(autouse=True)
def _clean() -> None:
    for record in (long_parts.fitted, long_parts.break_at, long_parts.fail_at):
        record.clear()


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key], equal_nan=True) for key in one)


@pytest.mark.parametrize("regime", REGIMES)
def test_a_run_stopped_in_any_fit_goes_on_there_and_gives_the_same_table(regime: str, tmp_path: Path) -> None:
    trial = experiment(regime)
    whole = execute(trial, tmp_path / "whole")
    steps = len(long_parts.fitted)
    long_parts.fitted.clear()
    long_parts.break_at[:] = [(1, 2), (3, 0), (5, 3)]
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            execute(trial, tmp_path / "broken")
    execute(trial, tmp_path / "broken")
    assert len(long_parts.fitted) == steps, "no step was done twice"
    assert same(Run(tmp_path / "broken").values(), whole.values())
    for t, items in Run(tmp_path / "broken").samples[0].items():
        assert np.array_equal(items, whole.samples[0][t])
    assert not (tmp_path / "broken" / "work").exists()


def test_a_run_without_refill_goes_on_replicate_by_replicate(tmp_path: Path) -> None:
    trial = experiment(rest='[[curator]]\nkind = "random"\nkeep = 0.9')
    import dataclasses

    trial = dataclasses.replace(trial, refill=False)
    whole = execute(trial, tmp_path / "whole")
    long_parts.break_at[:] = [(2, 1), (4, 0)]
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            execute(trial, tmp_path / "broken")
    assert same(execute(trial, tmp_path / "broken").values(), whole.values())


def test_only_models_that_are_still_needed_are_on_disk_while_it_runs(tmp_path: Path) -> None:
    seen = []
    for generation in run(experiment(), [0], work=tmp_path / "work"):
        folders = sorted((tmp_path / "work").glob("generation-*/state.safetensors"))
        seen.append([int(path.parent.name[-4:]) for path in folders])
        batches = sorted((tmp_path / "work").glob("generation-*/batch.npz"))
        assert [int(path.parent.name[-4:]) for path in batches] == [generation.t]
    assert seen == [[1], [1, 2], [1, 3], [1, 4], [1, 5]]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [("none", []), ("first", [1]), ("last", [5]), ("first-last", [1, 5]), ("all", [1, 2, 3, 4, 5])],
)
def test_models_that_are_to_be_kept_stay_as_safetensors(keep: str, expected: list[int], tmp_path: Path) -> None:
    store = execute(experiment(keep=keep), tmp_path / "run")
    names = sorted(path.name for path in (store.folder / "models").glob("*"))
    assert names == [
        f"point-0000-replicates-{number:06d}-{number:06d}-generation-{t:04d}.safetensors"
        for number in range(2)
        for t in expected
    ]
    for name in names:
        assert read_tensors(store.folder / "models" / name)["mean"].shape == (1, 64)


@pytest.mark.parametrize(("start", "fits"), [("scratch", 1), ("base", 2), ("previous", 5), ("warm", 5)])
def test_a_fit_starts_where_the_experiment_says(start: str, fits: int, tmp_path: Path) -> None:
    store = execute(experiment(start=start), tmp_path / "run")
    kept = read_tensors(next((store.folder / "models").glob("*.safetensors")))
    assert int(kept["fits"]) == fits


def test_a_failed_fit_keeps_the_generations_before_it(tmp_path: Path) -> None:
    long_parts.fail_at.append(4)
    with pytest.raises(FitError, match="Generation 4: The loss became NaN"):
        execute(experiment(), tmp_path / "run")
    work = tmp_path / "run" / "work" / "point-0000-replicates-000000-000000"
    assert (work / "generation-0003" / "done.npz").is_file()
    assert (work / "generation-0003" / "state.safetensors").is_file()
    values = Run(tmp_path / "run").values()[0, "moments.variance"]
    assert np.isfinite(values[0, :3]).all()
    assert np.isnan(values[0, 3:]).all()
    long_parts.fail_at.clear()
    long_parts.fitted.clear()
    execute(experiment(), tmp_path / "run")
    assert (1, 0) in long_parts.fitted, "replicate 1 was not begun"
    assert long_parts.fitted[0] == (4, 0), "replicate 0 goes on with generation 4"


def test_a_stored_run_is_recreated_and_blocks_do_not_depend_on_workers(tmp_path: Path) -> None:
    store = execute(experiment(), tmp_path / "one")
    assert rerun(store, 1).same
    names = [path.name for path in sorted((store.folder / "rows").glob("*"))]
    assert names == [f"point-0000-replicates-00000{i}-00000{i}.parquet" for i in range(2)]


def test_a_damaged_state_is_one_message(tmp_path: Path) -> None:
    from remission import StoreError

    long_parts.break_at[:] = [(3, 1)]
    with pytest.raises(KeyboardInterrupt):
        execute(experiment(), tmp_path / "run")
    state = tmp_path / "run" / "work" / "point-0000-replicates-000000-000000" / "generation-0002" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:40])
    with pytest.raises(StoreError, match="is damaged"):
        execute(experiment(), tmp_path / "run")


NETWORK = """
[experiment]
generations = 3
replicates = 2
samples = 200
reference = 100
seed = 3
[source]
kind = "digits"
[model]
kind = "vae"
hidden = 32
latent = 4
steps = 200
precision = "float32"
[regime]
kind = "accumulate"
[[metric]]
kind = "moments"
"""


def test_a_network_killed_inside_its_fits_gives_the_same_table(tmp_path: Path) -> None:
    """kill -9, three times, each time once half-done work of a fit is on disk that was not there before."""
    whole = execute(Experiment.from_toml(NETWORK), tmp_path / "whole")
    file, folder = tmp_path / "network.toml", tmp_path / "killed"
    file.write_text(NETWORK)
    script = (
        "import sys; from remission import desk; desk.Desk.__init__.__defaults__ = (None, 0.01); "
        "from remission.cli import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", script, "run", str(file), "-o", str(folder)]
    killed = 0
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        before, deadline = half_done(folder), time.monotonic() + 120
        while process.poll() is None and half_done(folder) <= before and time.monotonic() < deadline:
            time.sleep(0.01)
        killed += process.poll() is None
        process.kill()
        process.communicate()
    assert killed == 3
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert same(Run(folder).values(), whole.values())
    kept = [read_tensors(path) for path in sorted((folder / "models").glob("*"))]
    for one, path in zip(kept, sorted((whole.folder / "models").glob("*")), strict=True):
        other = read_tensors(path)
        assert one.keys() == other.keys()
        assert all(one[name].equal(other[name]) for name in one)


def half_done(folder: Path) -> tuple[int, float]:
    """Finished generations, and when half-done work was last saved."""
    done = len(list(folder.glob("work/*/generation-*/done.npz")))
    times = []
    for path in folder.glob("work/*/generation-*/fit/**/work.safetensors"):
        with contextlib.suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return done, max(times, default=0.0)
