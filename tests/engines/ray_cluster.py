"""Two Ray nodes on this machine: loopback only, with authentication, ended by their own process ids."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TOKEN = secrets.token_hex(32)  # one for all clusters: the library reads it once a process


@dataclass
class Cluster:
    """A head and another node.

    Attributes:
        address: of the head.
        other: process ids of the other node.
    """

    address: str
    folder: Path
    pids: list[int] = field(default_factory=list)
    other: list[int] = field(default_factory=list)

    def remove_other(self) -> None:
        """The other node goes, as when its machine is switched off."""
        for pid in self.other:
            end(pid)


def end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += tree(int(child))
    return found


@contextlib.contextmanager
def two_nodes(folder: Path) -> Iterator[Cluster]:
    """A cluster of two nodes with one processor each, while the block lasts."""
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    settings = {
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    port = free_port()
    cluster = Cluster(f"127.0.0.1:{port}", folder)
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        for role in (["--head", f"--port={port}"], [f"--address=127.0.0.1:{port}"]):
            command = [sys.executable, "-m", "ray.scripts.scripts", "start", *role, "--node-ip-address=127.0.0.1"]
            command += ["--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats", "--block"]
            command += ["--include-dashboard=false", "--dashboard-host=127.0.0.1"] if "--head" in role else []
            command += [f"--temp-dir={folder / 'ray'}"] if "--head" in role else []
            with open(folder / f"node-{len(nodes)}.log", "wb") as log:
                nodes.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
            _wait_for(nodes[-1], folder / f"node-{len(nodes) - 1}.log")
        cluster.other = tree(nodes[1].pid)
        yield cluster
    finally:
        for node in nodes:
            for pid in tree(node.pid):
                end(pid)
            node.wait(30)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _wait_for(node: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        text = log.read_text(errors="replace")
        if "Ray runtime started" in text:
            return
        if node.poll() is not None:
            break
        time.sleep(0.2)
    raise RuntimeError(f"a node did not start: {log.read_text(errors='replace')[-2000:]}")
