"""Run every benchmark, each in a process of its own, print one table and write it to RESULTS.md.

``--quick`` runs smaller sets and writes nothing, unless ``--out`` names a file.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
UNIT = r"[\d.e+-]+ (?:s|ms|us|ns|MiB|mbit)"
LINE = re.compile(
    rf"(?P<name>\S.*?)\s+(?P<ours>{UNIT})\s+(?P<peer>{UNIT})\s+(?P<ratio>[\d.]+x)\s+\((?P<goal>[^)]*)\)"
    r"(?:\s+(?P<verdict>ok|short|-))?.*"
)
PACKAGES = ("numpy", "numba", "scipy", "scikit-learn")


def cases(text: str) -> list[dict[str, str]]:
    """The cases among printed lines; a line without a verdict is judged by the number in its goal."""
    found = []
    for row in text.splitlines():
        match = LINE.fullmatch(row)
        if match is None:
            if found and row.startswith("    "):
                found[-1]["name"] += f" ({row.strip()})"
            continue
        case = {key: value or "" for key, value in match.groupdict().items()}
        number = re.search(r"[\d.]+", case["goal"])
        if not case["verdict"]:
            met = number is not None and float(case["ratio"][:-1]) >= float(number[0])
            case["verdict"] = "-" if number is None else "ok" if met else "short"
        found.append(case)
    return found


def machine() -> str:
    """Processor, cores, system and versions."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        model = next((row.split(":")[1].strip() for row in info.read_text().splitlines() if "model name" in row), model)
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, {packages}"


def measured(name: str, quick: bool) -> tuple[list[dict[str, str]], bool]:
    """Run one benchmark, passing on what it prints; its cases, and whether it ended well."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *(["--quick"] if quick else [])]
    paths = os.pathsep.join(str(HERE.parent / part) for part in ("src", "."))
    process = subprocess.Popen(
        command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths}
    )
    assert process.stdout is not None
    lines = []
    for row in process.stdout:
        print(row, end="", flush=True)
        lines.append(row)
    return cases("".join(lines)), process.wait() == 0


def document(found: dict[str, list[dict[str, str]]]) -> str:
    """The table in Markdown."""
    rows = [
        f"| {name} | {case['name']} | {case['ours']} | {case['peer']} | {case['ratio']} | {case['goal']} "
        f"| {case['verdict']} |"
        for name, some in found.items() for case in some
    ]  # fmt: skip
    return "\n".join(
        [
            "# Benchmarks", "",
            f"{datetime.date.today().isoformat()}, remission {version('remission')}. {machine()}.", "",
            "One core each; the best of several interleaved runs. Made by `python -m benchmarks`, which says what each",
            "peer is and does; do not edit.", "",
            "| benchmark | case | ours | peer or base | ratio | goal | |", "|---|---|---|---|---|---|---|", *rows, "",
        ]
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run all, or those named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sets and fewer rounds")
    parser.add_argument("--out", type=Path, help="where to write the table")
    known = sorted(path.stem for path in HERE.glob("[a-z]*.py"))
    parser.add_argument("names", nargs="*", metavar="name", choices=[[], *known], default=[], help=", ".join(known))
    options = parser.parse_args(arguments)
    names = options.names or known
    found, failed = {}, []
    for name in names:
        print(f"--- {name}", flush=True)
        found[name], well = measured(name, options.quick)
        if not well:
            failed.append(name)
    short = [case["name"] for some in found.values() for case in some if case["verdict"] == "short"]
    print(f"{sum(map(len, found.values()))} cases, {len(short)} short of their goal", *short, sep="\n  ")
    out = options.out or (None if options.quick or options.names else HERE / "RESULTS.md")
    if out is not None:
        out.write_text(document(found), encoding="utf-8")
    if failed:
        print(f"Ended with an error: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
