"""The import rule: arrows only go down, leaves never import one another, heavy libraries stay in leaves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "remission"

# From bottom to top. A module may import from the layers below its own and from its own folder.
LAYERS: list[set[str]] = [
    {"errors", "aside"},
    {"numerics"},
    {"notes", "folders", "desk", "gold"},
    {"networks"},
    {"toml", "rng", "component", "data", "laws", "schedule", "estimate", "fingerprint", "spelling", "marks"},
    {"sampling", "recipe", "documents", "watermarking"},
    {"scored", "evidence", "segments"},
    {"interfaces"},
    {"view", "world"},
    {"simple"},
    {"registry"},
    {"calibration"},
    {"sources", "models", "regimes", "curators", "metrics", "theory", "detectors", "prevalence", "watermarks"},
    {"identity", "realdata", "corpus"},
    {"spec"},
    {"pool", "supply", "progress"},
    {"loop"},
    {"checks", "defaults", "store"},
    {"engines"},
    {"lab"},
    {"clinic"},
    {"adapters"},
    {"report"},
    {"demo"},
    {"cli"},
]
LEAVES = {"sources", "models", "regimes", "curators", "metrics", "theory", "detectors", "prevalence", "watermarks"}
# Modules of one layer that build on each other, lowest first.
WITHIN = [("laws", "data"), ("rng", "numerics"), ("simple", "view"), ("supply", "realdata"), ("world", "interfaces")]
HEAVY = {
    "torch",
    "safetensors",
    "tokenizers",
    "transformers",
    "diffusers",
    "peft",
    "accelerate",
    "datasets",
    "datatrove",
    "ray",
    "matplotlib",
    "sklearn",
    "scipy",
    "pandas",
    "pyarrow",
    "rich",
    "jinja2",
    "pooch",
}


def _modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def _unit(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def _imports(path: Path) -> list[tuple[str, bool]]:
    """(module, at the top level of the file) for every import that runs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "remission" else [node.module]
            )
            found += [(str(name), id(node) in top) for name in names]
    return found


def _level(unit: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if unit in layer)


def violations(path: Path) -> list[str]:
    unit = _unit(path)
    if unit in ("__init__", "__main__"):
        return []
    found = []
    for module, top in _imports(path):
        parts = module.split(".")
        if parts[0] in HEAVY and top and unit not in {"report", "networks"}:
            found.append(f"{unit}: imports {parts[0]} at the top of {path.name}")
        if parts[:2] == ["remission", "networks"] and top and unit != "networks":
            found.append(f"{path.name}: imports networks, and with them torch, at the top")
        if parts[0] != "remission" or len(parts) < 2 or parts[1] in (unit, "__version__"):
            continue
        if (unit, parts[1]) in WITHIN:
            continue
        if unit in LEAVES and parts[1] in LEAVES:
            found.append(f"{path.name}: leaf {unit} imports leaf {parts[1]}")
        elif _level(parts[1]) >= _level(unit) and not (parts[1] in LAYERS[_level(unit)] and unit not in LEAVES):
            found.append(f"{path.name}: {unit} imports {parts[1]}, which lies above it")
    return found


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_arrows_go_down(path: Path) -> None:
    assert violations(path) == []


def test_the_rule_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "models" / "bad.py"
    bad.parent.mkdir()
    bad.write_text("import torch\nfrom remission.metrics.moments import Moments\nfrom remission.loop import run\n")
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    assert len(violations(bad)) == 3


def test_no_import_cycles_and_no_heavy_library_when_listing() -> None:
    """Importing the package and listing everything works with every heavy library blocked."""
    code = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {sorted(HEAVY - {"rich"})!r}:
            raise ImportError(f"blocked: {{name}}")
sys.meta_path.insert(0, Block())
import remission
from remission import registry
for folder in registry.FOLDERS:
    for name in registry.names(folder):
        assert registry.summary(folder, name), (folder, name)
print("ok")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "ok", done.stderr


def test_interfaces_stay_small() -> None:
    assert len((SOURCE / "interfaces.py").read_text().splitlines()) <= 400


def test_public_names_exist() -> None:
    import remission

    for name in remission.__all__:
        assert getattr(remission, name) is not None
