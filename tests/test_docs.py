"""The documentation says what is: blocks load, commands print what is shown, links resolve, reference pages are fresh."""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from remission import Experiment, registry
from remission.checks import check_experiment
from remission.cli import COMMANDS
from remission.cli import _run as command_line
from remission.clinic._plan_file import read_question
from remission.lab.execute import resolved

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
NEEDS_DOWNLOAD = {"uci-wine.toml"}
_BLOCK = re.compile(r"^```(\S[^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_UNDER_NAME = re.compile(r"^`(\w+\.py)`[^\n]*\n\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PROGRESS = re.compile(r"^.*: \d+ %, about \d+ s left$", re.MULTILINE)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: Path) -> list[tuple[str, str]]:
    """(words behind the fence, content) of every marked block, in order."""
    return [(match[1], match[2]) for match in _BLOCK.finditer(page.read_text(encoding="utf-8"))]


def named(page: str) -> str:
    return str(Path(page).relative_to(ROOT)) if isinstance(page, Path) else str(page)


WITH_TOML = [page for page in PAGES if any(info.startswith("toml") for info, _ in blocks(page))]
REPLAYED = [
    page for page in PAGES if page.parent == DOCS and any("pycon" in x or "replay" in x for x, _ in blocks(page))
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


def write_files(page: Path, folder: Path) -> None:
    """Blocks marked ``file=NAME``, and those under a paragraph that begins with the name of a file."""
    for info, content in blocks(page):
        _, mark, name = info.partition("file=")
        if mark:
            (folder / name).write_text(content, encoding="utf-8")
    for match in _UNDER_NAME.finditer(page.read_text(encoding="utf-8")):
        (folder / match[1]).write_text(match[2], encoding="utf-8")


# --- reference pages --------------------------------------------------------------------------------------------


def reference_pages() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("reference_script", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.pages())


def test_reference_pages_are_what_the_source_says() -> None:
    made = reference_pages()
    assert set(made) == {path.name for path in (DOCS / "reference").iterdir()}
    for name, text in made.items():
        assert (DOCS / "reference" / name).read_text(encoding="utf-8") == text, f"{name} is stale: run `make docs`"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert f"## {command}\n" in (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    told = "".join(page.read_text(encoding="utf-8") for page in PAGES if page.parent.name != "reference")
    assert f"remission {command}" in told or f"`{command}" in told


@pytest.mark.parametrize("folder", registry.FOLDERS)
def test_every_part_is_documented(folder: str) -> None:
    text = (DOCS / "reference" / f"{folder}.md").read_text(encoding="utf-8")
    for name in registry.names(folder):
        assert f"\n## {name}\n" in text


def test_every_setting_and_regime_is_explained() -> None:
    text = (DOCS / "experiment-file.md").read_text(encoding="utf-8")
    for key in Experiment.SETTINGS:
        assert f"| `{key}` |" in text
    regimes = (DOCS / "regimes.md").read_text(encoding="utf-8")
    for name in registry.names("regimes"):
        assert f"\n### {name}\n" in regimes


# --- what is shown is true --------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", WITH_TOML, ids=named)
def test_toml_blocks_load(page: Path, place: Path) -> None:
    write_files(page, place)
    for info, content in blocks(page):
        if info.split()[0] != "toml":
            continue
        tables = tomllib.loads(content)
        if info == "toml plan":
            (place / "plan.toml").write_text(content, encoding="utf-8")
            read_question(place / "plan.toml")
        elif info == "toml fragment":
            part = {"source": {"kind": "gaussian"}, "model": {"kind": "gaussian"}, "regime": {"kind": "fresh"}}
            if not {"sweep", "project"} & set(tables):
                Experiment.from_tables(part | tables)
        else:
            check_experiment(resolved(Experiment.from_toml(content, folder=place)))


def differences(page: Path, folder: Path) -> list[str]:
    """Where what a page shows is not what happens."""
    write_files(page, folder)
    checker, found = doctest.OutputChecker(), []
    names: dict[str, object] = {}
    for info, content in blocks(page):
        for source, want, got in _console(content) if info == "console replay" else []:
            if not checker.check_output(want, got, FLAGS):
                found.append(f"$ {source}\n--- shown\n{want}\n--- found\n{got}")
        if info == "pycon":
            test = doctest.DocTestParser().get_doctest(content, names, page.name, None, None)
            said = io.StringIO()
            doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.write, clear_globs=False)
            names.update(test.globs)
            found += [said.getvalue()] if said.getvalue() else []
    return found


def _console(content: str) -> Iterator[tuple[str, str, str]]:
    for piece in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
        line, _, want = piece.partition("\n")
        words = shlex.split(line)
        assert words[0] == "remission", line
        told, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(complained):
            command_line(words[1:])
        yield line, want, told.getvalue() + _PROGRESS.sub("", complained.getvalue())


@pytest.mark.parametrize("page", REPLAYED, ids=named)
def test_commands_print_what_is_shown(page: Path, place: Path) -> None:
    assert differences(page, place) == []


def test_a_wrong_output_is_noticed(place: Path) -> None:
    page = place / "page.md"
    shown = "```console replay\n$ remission --version\nremission 99\n```\n```pycon\n>>> 1 + 1\n3\n```\n"
    page.write_text(shown, encoding="utf-8")
    assert len(differences(page, place)) == 2
    page.write_text(shown.replace("99", "...").replace("\n3\n", "\n2\n"), encoding="utf-8")
    assert differences(page, place) == []


def test_python_files_shown_can_be_imported(place: Path) -> None:
    import numpy as np

    write_files(DOCS / "extending.md", place)
    from my_block import Range  # type: ignore[import-not-found]

    experiment = resolved(
        Experiment.from_toml((place / "own-metric.toml").read_text(encoding="utf-8"), ["generations=2"])
    )
    import dataclasses

    from remission import run

    changed = dataclasses.replace(experiment, metric=(Range(),), replicates=3)
    whole = list(run(changed))[-1].rows["my_block:Range"]
    assert whole.shape == (3,)
    assert np.array_equal(list(run(changed, [1]))[-1].rows["my_block:Range"], whole[1:2])


def test_the_layers_are_listed() -> None:
    from tests.test_layers import LAYERS

    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    places = [min(text.index(f"`{unit}`", text.index("## Layers")) for unit in layer) for layer in LAYERS]
    assert places == sorted(places)


# --- links ------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    text = re.sub(r"`[^`\n]*`", "", _BLOCK.sub("", page.read_text(encoding="utf-8")))
    found = []
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_internal_links_resolve(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](nowhere.md) [b](#one) [c](#two) [d](page.md#one)\n", encoding="utf-8")
    assert broken_links(page) == ["nowhere.md", "#two"]


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        assert page == DOCS / "README.md" or f"({page.relative_to(DOCS).as_posix()})" in index, page


# --- examples ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file", [file for file in EXAMPLES if file.name not in NEEDS_DOWNLOAD], ids=lambda file: file.name
)
def test_examples_can_run(file: Path, place: Path) -> None:
    check_experiment(resolved(Experiment.from_file(file)))


def test_the_example_that_needs_a_download(place: Path, monkeypatch: pytest.MonkeyPatch, shared: Path) -> None:
    monkeypatch.setenv("REMISSION_MIRROR", str(shared / "data"))
    check_experiment(resolved(Experiment.from_file(ROOT / "examples" / "uci-wine.toml")))


def test_the_plan_of_the_examples_can_be_read() -> None:
    assert read_question(ROOT / "examples" / "plans" / "prose.toml").items == 2000


@pytest.mark.parametrize("name", ["own-metric", "filter"])
def test_examples_run(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(ROOT / "examples" / f"{name}.toml")
    assert (
        command_line(
            ["run", file, "--set", "replicates=3", "--set", "generations=2", "-o", str(place / "out"), "--json"]
        )
        == 0
    )
    assert '"schema": "remission/run/1"' in capsys.readouterr().out


def test_the_metric_of_the_examples_is_the_one_that_is_explained() -> None:
    shown = dict(blocks(DOCS / "extending.md"))["python file=my_metric.py"]
    assert (ROOT / "examples" / "my_metric.py").read_text(encoding="utf-8") == shown
