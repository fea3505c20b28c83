"""Colours that stay apart for colour-blind readers and on a grey printer; each group also has a marker shape."""

from __future__ import annotations

GROUPS = ("#0b64ad", "#c8500a", "#0a7f5c", "#a2479b", "#8a6a00", "#2590b4", "#636363", "#a0283c")
GROUPS_DARK = ("#6cb3f2", "#f59a5b", "#4fc9a0", "#e09ada", "#d9b83f", "#7fd6ea", "#b5b5b5", "#f08a99")
# theory lies on top of the measured line of its group, so it is the same hue, but much darker
THEORY = ("#04294a", "#5c2403", "#033a28", "#4b1d47", "#3f3000", "#0a3a4b", "#1f1f1f", "#4b0e1a")
THEORY_DARK = ("#dcedfc", "#fde3d1", "#cff5e6", "#f9e4f7", "#f8edc4", "#dbf5fb", "#f0f0f0", "#fcdde2")
INK, MUTED, GRID, PAPER = "#1d2329", "#5a646e", "#e3e6e9", "#ffffff"


def group_of(index: int) -> int:
    """The colour of a group; they repeat after eight."""
    return index % len(GROUPS)


def stylesheet() -> str:
    """The CSS variables ``--g0`` ... (lines) and ``--t0`` ... (theory), for light and dark pages."""
    pairs = [(f"--g{i}", *both) for i, both in enumerate(zip(GROUPS, GROUPS_DARK, strict=True))]
    pairs += [(f"--t{i}", *both) for i, both in enumerate(zip(THEORY, THEORY_DARK, strict=True))]
    lines = [f"{name}:light-dark({light},{dark})" for name, light, dark in pairs]
    return (
        ":root{"
        + ";".join(lines)
        + "}\n"
        + "\n".join(f".g{i}{{--c:var(--g{i});--d:var(--t{i})}}" for i in range(len(GROUPS)))
    )


def marker(group: int, x: float, y: float, size: float = 3.4) -> str:
    """Path data of the marker of a group: circle, square, triangle, diamond, and so on."""
    shapes = (
        [(0.92 * size, 0.38 * size), (0.38 * size, 0.92 * size), (-0.38 * size, 0.92 * size), (-0.92 * size, 0.38 * size),
         (-0.92 * size, -0.38 * size), (-0.38 * size, -0.92 * size), (0.38 * size, -0.92 * size), (0.92 * size, -0.38 * size)],
        [(-0.85 * size, -0.85 * size), (0.85 * size, -0.85 * size), (0.85 * size, 0.85 * size), (-0.85 * size, 0.85 * size)],
        [(0.0, -1.1 * size), (1.05 * size, 0.8 * size), (-1.05 * size, 0.8 * size)],
        [(0.0, -1.25 * size), (1.1 * size, 0.0), (0.0, 1.25 * size), (-1.1 * size, 0.0)],
        [(0.0, 1.1 * size), (1.05 * size, -0.8 * size), (-1.05 * size, -0.8 * size)],
        [(-1.1 * size, -0.5 * size), (1.1 * size, -0.5 * size), (1.1 * size, 0.5 * size), (-1.1 * size, 0.5 * size)],
        [(-0.5 * size, -1.2 * size), (0.5 * size, -1.2 * size), (0.5 * size, 1.2 * size), (-0.5 * size, 1.2 * size)],
        [(-1.1 * size, 0.0), (0.9 * size, -1.0 * size), (0.9 * size, 1.0 * size)],
    )  # fmt: skip
    corners = shapes[group_of(group)]
    return "M" + "L".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners) + "Z"
