"""Run folders: bit-identical whatever the blocks and workers, resumable at any moment, re-creatable."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from remission import Experiment, Run, StoreError, run
from remission.cli import _run as command_line
from remission.identity import search_also
from remission.lab import execute as execution
from remission.lab.execute import execute
from remission.lab.rerun import rerun
from tests.battery import measure

ROOT = Path(__file__).resolve().parent.parent
search_also(ROOT)

BASE = """
[experiment]
generations = 6
replicates = 9
samples = 40
seed = 3
[source]
{source}
[model]
{model}
[regime]
{regime}
{rest}
"""

WORLDS = {
    "gaussian": ('kind = "gaussian"', 'kind = "gaussian"', 'kind = "replace"', ""),
    "subsample": ('kind = "gaussian"\ndimensions = 3', 'kind = "gaussian"', 'kind = "accumulate-subsample"', ""),
    "web-oracle": (
        'kind = "gaussian"',
        'kind = "gaussian"',
        'kind = "web"\nsynthetic = 0.7',
        '[[curator]]\nkind = "oracle"\ntpr = 0.7\nfpr = 0.2',
    ),
    "no-refill": (
        'kind = "gaussian"',
        'kind = "gaussian"',
        'kind = "replace"',
        '[[curator]]\nkind = "random"\nkeep = 0.9',
    ),
    "web-one-sided": (
        'kind = "gaussian"',
        'kind = "gaussian"',
        'kind = "web"\nsynthetic = 0.6',
        '[[curator]]\nkind = "random"\nkeep = 0.5\non = "synthetic"\n[[curator]]\nkind = "random"\nkeep = 0.8\non = "real"',
    ),
    "mixture": ('kind = "blobs"\ncomponents = 3', 'kind = "gmm"\ncomponents = 3', 'kind = "fresh"', ""),
    "kernel": ('kind = "moons"', 'kind = "kde"\nbandwidth = 0.2', 'kind = "accumulate"', ""),
    "unigram": ('kind = "zipf"\ntypes = 50', 'kind = "unigram"', 'kind = "fixed-real"', ""),
    "text": ('kind = "prose"\nlength = 16', 'kind = "ngram"\norder = 2', 'kind = "replace"', ""),
    "digits": (
        'kind = "digits"',
        'kind = "gmm"\ncomponents = 2\ncovariance = "diagonal"\nfloor = 0.01',
        'kind = "fresh"',
        "",
    ),
    "linear": ('kind = "linear-world"', 'kind = "linear"\nnoise = 1.0', 'kind = "accumulate"\nwindow = 2', ""),
    "logistic": ('kind = "classes"', 'kind = "logistic"\nridge = 1.0', 'kind = "replace"', ""),
    "own": (
        'kind = "tests.own_parts:Uniform"',
        'kind = "tests.own_parts:Laplace"',
        'kind = "tests.own_parts:Alternate"',
        '[[curator]]\nkind = "tests.own_parts:Positive"\nlevel = -1.0\n[[metric]]\nkind = "tests.own_parts:Range"',
    ),
    "estimator": (
        'kind = "moons"',
        'kind = "sklearn.mixture:GaussianMixture"\nn_components = 2',
        'kind = "replace"',
        "",
    ),
}


def text_of(world: str) -> str:
    source, model, regime, rest = WORLDS[world]
    text = BASE.format(source=source, model=model, regime=regime, rest=rest)
    return (
        text.replace("refill", "refill")
        if world != "no-refill"
        else text.replace("seed = 3", "seed = 3\nrefill = false")
    )


def table(folder: Path) -> dict[tuple[int, str], np.ndarray]:
    return Run(folder).values()


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key], equal_nan=True) for key in one)


@pytest.mark.parametrize("world", WORLDS)
def test_blocks_of_any_size_give_bit_identical_trajectories(world: str) -> None:
    experiment = execution.resolved(Experiment.from_toml(text_of(world)))
    whole = list(run(experiment))
    for start, stop in ((0, 1), (1, 4), (4, 9)):
        for generation, part in zip(whole, run(experiment, range(start, stop)), strict=True):
            for name, values in part.rows.items():
                assert np.array_equal(values, generation.rows[name][start:stop], equal_nan=True), (name, part.t)


@pytest.mark.parametrize("world", ["gaussian", "mixture", "text", "own"])
def test_every_stored_run_can_be_recreated(world: str, tmp_path: Path) -> None:
    store = execute(Experiment.from_toml(text_of(world)), tmp_path / "run")
    outcome = rerun(Run(store.folder), 7)
    assert outcome.same
    assert outcome.compared > 0


def test_a_changed_number_is_found_by_rerun(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    store = execute(Experiment.from_toml(text_of("gaussian")), tmp_path / "run")
    part = next((store.folder / "rows").glob("*.parquet"))
    rows = parquet.read_table(part)
    values = rows["value"].to_numpy().copy()
    values[0] = np.nextafter(values[0], np.inf)
    parquet.write_table(rows.set_column(4, "value", pa.array(values)), part)
    replicate = int(rows["replicate"][0].as_py())
    outcome = rerun(Run(store.folder), replicate)
    assert not outcome.same
    assert outcome.where
    assert command_line(["rerun", str(store.folder), "--replicate", str(replicate)]) == 1


def test_one_worker_and_two_give_the_same_table(tmp_path: Path) -> None:
    experiment = Experiment.from_toml(text_of("mixture") + "[sweep]\nregime = ['replace', 'fresh']")
    alone = execute(experiment, tmp_path / "one")
    both = execute(experiment, tmp_path / "two", workers=2)
    assert len(list((both.folder / "rows").iterdir())) > len(list((alone.folder / "rows").iterdir()))
    assert same(table(alone.folder), table(both.folder))


def test_adding_a_metric_changes_nothing() -> None:
    few = measure(text_of("gaussian") + "[[metric]]\nkind = 'moments'\n", 5)
    many = measure(
        text_of("gaussian")
        + "[[metric]]\nkind = 'sliced-wasserstein'\n[[metric]]\nkind = 'mmd'\n[[metric]]\nkind = 'moments'\n",
        5,
    )
    assert all(np.array_equal(values, many[name]) for name, values in few.items())


def test_adding_a_sweep_point_changes_nothing(tmp_path: Path) -> None:
    few = execute(Experiment.from_toml(text_of("gaussian") + "[sweep]\nsamples = [40, 60]"), tmp_path / "few")
    more = execute(Experiment.from_toml(text_of("gaussian") + "[sweep]\nsamples = [20, 40, 60]"), tmp_path / "more")
    one, other = table(few.folder), table(more.folder)
    assert all(np.array_equal(values, other[point + 1, name]) for (point, name), values in one.items())


SLOW = """
[experiment]
generations = 12
replicates = 36
samples = 2000
seed = 3
[source]
kind = "gaussian"
dimensions = 4
[model]
kind = "gaussian"
[regime]
kind = "accumulate"
[[metric]]
kind = "moments"
[[metric]]
kind = "sliced-wasserstein"
[sweep]
"model.estimator" = ["mle", "unbiased"]
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_random_moments_and_resumed_gives_the_identical_table(
    workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "BLOCK_BYTES", 1 << 20)
    file = tmp_path / "slow.toml"
    file.write_text(SLOW)
    whole = execute(Experiment.from_file(file), tmp_path / "whole")
    script = (
        "import sys; from remission.lab import execute as e; e.BLOCK_BYTES = 1 << 20; "
        "from remission.cli import main; main(sys.argv[1:])"
    )
    command = [
        sys.executable,
        "-c",
        script,
        "run",
        str(file),
        "-o",
        str(tmp_path / "killed"),
        "--workers",
        str(workers),
        "--json",
    ]
    dice, rows, kills = random.Random(workers), tmp_path / "killed" / "rows", 0
    for _ in range(4):  # each time at some moment after another block was finished
        before = len(list(rows.glob("*.parquet")))
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 60
        while process.poll() is None and len(list(rows.glob("*.parquet"))) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.2 * dice.random())
        if process.poll() is None:
            kills += 1
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert kills > 0, "the run was over before it could be killed"
    assert Run(tmp_path / "killed").is_complete
    assert same(table(whole.folder), table(tmp_path / "killed"))
    assert not list((tmp_path / "killed").rglob("*.aside"))


def test_ctrl_c_keeps_what_is_finished_and_says_130(tmp_path: Path) -> None:
    file = tmp_path / "slow.toml"
    file.write_text(SLOW.replace("replicates = 36", "replicates = 400"))
    command = [sys.executable, "-m", "remission", "run", str(file), "-o", str(tmp_path / "run"), "--workers", "2"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job would ignore it
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "run" / "rows").glob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=300)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert "the same command goes on" in told
    assert list((tmp_path / "run" / "rows").glob("*.parquet"))
    assert not list((tmp_path / "run").rglob("*.aside"))


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    from remission.engines.local import map_units

    marker = tmp_path / "died"
    found = dict(map_units(_dies_once, [(str(marker), number) for number in range(6)], workers=2))
    assert sorted(found.values()) == [0, 1, 4, 9, 16, 25]
    assert marker.exists()


def _dies_once(unit: tuple[str, int]) -> int:
    marker, number = unit
    if number == 3 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def test_a_unit_that_always_kills_its_worker_is_given_up() -> None:
    from remission import RemissionError
    from remission.engines.local import map_units

    with pytest.raises(RemissionError, match="died 3 times"):
        list(map_units(_dies_always, [1, 2, 3], workers=2))


def _dies_always(unit: int) -> int:
    if unit == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return unit


def test_a_folder_made_anew_is_opened_anew(tmp_path: Path) -> None:
    import shutil

    execute(Experiment.from_toml(text_of("gaussian")), tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    again = execute(Experiment.from_toml(text_of("gaussian"), ["seed=99"]), tmp_path / "run")
    assert rerun(again, 3).same


@pytest.mark.parametrize("side", ["synthetic", "real", "all"])
@pytest.mark.parametrize("refill", [True, False])
def test_one_sided_curators_leave_the_other_side_alone(side: str, refill: bool) -> None:
    """A random half of the synthetic items is dropped: with refill shares stay, without they move as they must."""
    from remission.realdata import RealData
    from remission.rng import Streams
    from remission.supply import Supply

    text = text_of("web-one-sided").split("[[curator]]")[0]
    text += f"[[curator]]\nkind = 'random'\nkeep = 0.5\non = '{side}'"
    experiment = Experiment.from_toml(text, [f"refill={str(refill).lower()}", "samples=40000"])
    world, streams = experiment.world(), Streams.of(1, [0])
    real = RealData(world.source, streams, 10)
    states = {1: world.model.fit(real.draw(100, streams), streams)}
    found = Supply(world, real, streams).arrivals(2, world.recipe(2), states)
    share, n = float(found.data.synthetic_share[0]), found.data.n
    expected = 0.6 if refill or side == "all" else 0.3 / 0.7 if side == "synthetic" else 0.6 / 0.8
    size = 40_000 if refill else 40_000 * {"all": 0.5, "synthetic": 0.7, "real": 0.8}[side]
    assert share == pytest.approx(expected, abs=4 * (0.25 / n) ** 0.5)
    assert n == pytest.approx(size, rel=0.03)


def test_the_folder_of_another_experiment_is_refused(tmp_path: Path) -> None:
    execute(Experiment.from_toml(text_of("gaussian")), tmp_path / "run")
    with pytest.raises(StoreError, match="of another experiment"):
        execute(Experiment.from_toml(text_of("kernel")), tmp_path / "run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    with pytest.raises(StoreError, match="not empty"):
        execute(Experiment.from_toml(text_of("gaussian")), tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is a file"):
        execute(Experiment.from_toml(text_of("gaussian")), tmp_path / "file")


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    store = execute(Experiment.from_toml(text_of("gaussian")), tmp_path / "run")
    with store.writing(), pytest.raises(StoreError, match="Another process"), Run(store.folder).writing():
        pass


@pytest.mark.parametrize("code", ["ENOSPC", "EROFS", "EACCES"])
def test_full_disk_and_read_only_folders_are_one_clear_message(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from remission import store

    def fails(*_: object) -> None:
        raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))

    experiment = Experiment.from_toml(text_of("gaussian"))
    monkeypatch.setattr(store, "_write_rows", fails)
    with pytest.raises(StoreError) as caught:
        execute(experiment, tmp_path / "run")
    assert "No space left" in str(caught.value) if code == "ENOSPC" else "cannot be written" in str(caught.value)
    assert not list((tmp_path / "run").rglob("*.aside"))
    assert not list((tmp_path / "run" / "rows").iterdir())
    monkeypatch.undo()
    assert execute(experiment, tmp_path / "run").is_complete


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    store = execute(Experiment.from_toml(text_of("gaussian")), tmp_path / "run")
    part = next((store.folder / "rows").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-50])
    with pytest.raises(StoreError, match="is damaged"):
        store.values()


def test_provenance_says_what_is_needed_to_do_it_again(tmp_path: Path) -> None:
    store = execute(Experiment.from_toml(text_of("own")), tmp_path / "run", command=["remission", "run", "x.toml"])
    told = json.loads((store.folder / "provenance.json").read_text())
    assert told["id"] == store.experiment.id
    assert told["command"] == ["remission", "run", "x.toml"]
    assert set(told["modules"]) == {"tests.own_parts"}
    assert {"numpy", "numba", "scipy"} <= set(told["packages"])
    digits = execute(Experiment.from_toml(text_of("digits")), tmp_path / "digits")
    assert next(iter(digits.provenance["inputs"].values()))


def test_changed_own_code_never_resumes_an_old_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from tests.own_parts import Laplace as Base\nclass Mine(Base):\n    'x'\n"
    (tmp_path / "mine_parts.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = text_of("gaussian").replace('kind = "gaussian"\n[regime]', 'kind = "mine_parts:Mine"\n[regime]')
    first = Experiment.from_toml(text).id
    (tmp_path / "mine_parts.py").write_text(code + "# changed\n")
    assert Experiment.from_toml(text).id != first


def test_a_run_with_own_parts_can_be_recreated_from_its_folder_alone(tmp_path: Path) -> None:
    """The user's module is gone: the code kept in the run folder re-creates the run, and a report needs no code at all."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "gone_parts.py").write_text((ROOT / "tests" / "own_parts.py").read_text())
    (work / "own.toml").write_text(text_of("own").replace("tests.own_parts", "gone_parts"))
    remission = [sys.executable, "-m", "remission"]
    subprocess.run([*remission, "run", "own.toml", "-o", "run"], cwd=work, check=True, capture_output=True)
    (work / "gone_parts.py").rename(work / "elsewhere.txt")
    done = subprocess.run(
        [*remission, "rerun", "work/run", "--replicate", "2"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (work / "run" / "modules" / "gone_parts.py").unlink()
    done = subprocess.run([*remission, "report", "work/run"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([*remission, "rerun", "work/run"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Cannot import 'gone_parts'" in done.stderr


def test_unequal_replicates_and_generations_in_a_sweep(tmp_path: Path) -> None:
    store = execute(Experiment.from_toml(text_of("gaussian") + "[sweep]\ngenerations = [2, 5]"), tmp_path / "run")
    assert store.is_complete
    from remission.lab.summary import summary

    rows = summary(store)
    assert max(row["generation"] for row in rows if row["point"] == 0) == 2
    assert max(row["generation"] for row in rows if row["point"] == 1) == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_go_when_their_parent_is_ended(number: int, tmp_path: Path) -> None:
    file = tmp_path / "slow.toml"
    file.write_text(SLOW.replace("replicates = 36", "replicates = 4000"))
    command = [sys.executable, "-m", "remission", "run", str(file), "-o", str(tmp_path / "run"), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "run" / "rows").glob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = _children(process.pid)
    assert len(workers) >= 2
    process.send_signal(number)
    assert process.wait(30) in (130, -number)
    deadline = time.monotonic() + 30
    while any(map(_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_alive, workers))


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
