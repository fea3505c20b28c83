"""Charts are well-formed SVG whatever the numbers; what is drawn lies where the numbers say."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remission.report import palette, svg
from remission.report.axis import Scale, linear_axis, log_axis, plain_number
from remission.report.content import Chart, Series

NAN = math.nan
ROOT = "{http://www.w3.org/2000/svg}"


def chart(*series: Series, **options: object) -> Chart:
    settings = {"title": "Variance", "caption": "", "x_label": "generation", "y_label": "moments.variance"} | options
    return Chart(series=series, **settings)  # type: ignore[arg-type]


def line(*y: float, **options: object) -> Series:
    return Series("replace", tuple(range(1, len(y) + 1)), y, **options)  # type: ignore[arg-type]


def parse(one: Chart) -> ElementTree.Element:
    root = ElementTree.fromstring(svg.draw(one, "c", alone=True).encode())
    for path in root.iter(f"{ROOT}path"):
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", path.get("d") or "")]
        assert all(abs(number) <= 1e4 for number in numbers)
        assert "nan" not in (path.get("d") or "")
    return root


def paths(one: Chart, name: str) -> list[str]:
    return [path.get("d") or "" for path in parse(one).iter(f"{ROOT}path") if path.get("class") == name]


CASES = {
    "one generation": chart(line(2.0, low=(1.5,), high=(2.5,))),
    "constant": chart(line(5.0, 5.0, 5.0)),
    "constant zero": chart(line(0.0, 0.0)),
    "all missing": chart(line(NAN, NAN)),
    "no series": chart(),
    "no points": chart(Series("a", (), ())),
    "infinite": chart(line(1.0, math.inf, -math.inf, 2.0)),
    "zero on log": chart(line(0.0, 0.0), log_y=True),
    "negative on log": chart(line(-1.0, -2.0, 3.0), log_y=True),
    "huge range": chart(line(*(10.0 ** (-30 * k) for k in range(10))), log_y=True),
    "huge range, linear": chart(line(-1.7e308, 1.7e308)),
    "tiny": chart(line(1e-320, 2e-320)),
    "large offset": chart(line(*(1e8 + 1e-3 * k for k in range(9)))),
    "interval below zero on log": chart(line(1.0, 2.0, low=(-1.0, 1.0), high=(3.0, 3.0)), log_y=True),
    "unbounded interval": chart(line(1.0, 2.0, low=(-math.inf, 1.0), high=(3.0, math.inf))),
    "long labels": chart(line(1.0, 2.0), title="t" * 300, x_label="x" * 300, y_label="y" * 300),
    "markup": chart(Series("<b>&\"'", (1, 2), (1.0, 2.0)), title="<script>", x_label="<i>", y_label="&"),
    "theory that explodes": chart(line(1.0, 1.1, 1.2), line(1.0, 1e10, 1e300, kind="theory")),
    "eight": chart(*(Series(f"s{g}", (1, 2, 3), (g, g + 1.0, g), group=g) for g in range(8))),
    "nine": chart(*(Series(f"s{g}", (1, 2, 3), (g, g + 1.0, g), group=g) for g in range(9))),
}


@pytest.mark.parametrize("name", CASES)
def test_is_well_formed_and_says_what_it_is(name: str) -> None:
    root = parse(CASES[name])
    assert root.get("role") == "img"
    assert root.find(f"{ROOT}title").text == CASES[name].title
    assert root.find(f"{ROOT}desc").text


numbers = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324]))


@given(st.lists(st.tuples(numbers, numbers, numbers), max_size=12), st.booleans(), st.booleans())
def test_any_numbers_can_be_drawn(rows: list[tuple[float, float, float]], log: bool, zero: bool) -> None:
    columns = tuple(zip(*rows, strict=True)) or ((), (), ())
    one = Series("a", tuple(range(len(rows))), columns[0], columns[1], columns[2])
    parse(chart(one, log_y=log, y_zero=zero))


def test_gaps_stay_gaps() -> None:
    (path,) = paths(chart(line(1.0, 2.0, NAN, 3.0, 4.0, NAN, 5.0)), "line")
    assert path.count("M") == 3
    assert path.endswith("h0")
    (whole,) = paths(chart(line(1.0, 2.0, 2.5, 3.0)), "line")
    assert whole.count("M") == 1


def test_not_positive_is_a_gap_on_a_logarithmic_axis_only() -> None:
    values = line(1.0, 0.0, 2.0)
    assert paths(chart(values, log_y=True), "line")[0].count("M") == 2
    assert paths(chart(values), "line")[0].count("M") == 1


def test_lines_fall_when_values_fall() -> None:
    (path,) = paths(chart(line(3.0, 2.0, 1.0)), "line")
    heights = [float(y) for y in re.findall(r",([\d.]+)", path)]
    assert heights == sorted(heights)
    assert heights[0] < heights[-1]


def test_a_band_holds_its_line() -> None:
    one = chart(line(1.0, 2.0, low=(0.5, 1.5), high=(1.5, 2.5)))
    (band,), (path,) = paths(one, "band"), paths(one, "line")
    heights = [float(y) for y in re.findall(r",([\d.]+)", band)]
    for y in re.findall(r",([\d.]+)", path):
        assert min(heights) < float(y) < max(heights)


def test_theory_may_not_flatten_what_was_measured() -> None:
    calm = svg.y_axes(chart(line(1.0, 2.0)))[0]
    wild = svg.y_axes(chart(line(1.0, 2.0), line(1.0, 1e9, kind="theory")))[0]
    assert wild.high - wild.low < 3 * (calm.high - calm.low)


def test_theory_is_dashed_and_lies_over_the_lines() -> None:
    text = svg.draw(chart(line(1.0, 2.0, kind="theory"), line(1.0, 2.0)), "c")
    assert text.index('class="series measured') < text.index('class="series theory')
    assert "stroke-dasharray" in text[text.index('class="series theory') :]


def test_several_theory_lines_are_one_entry_of_the_key() -> None:
    both = chart(line(1.0), line(1.0, group=1), line(1.0, kind="theory"), line(1.0, kind="theory", group=1))
    assert [(name, indices) for name, _, _, indices in svg.key(both)] == [
        ("replace", [0]),
        ("replace", [1]),
        ("theory", [2, 3]),
    ]


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="equally long"):
        Series("a", (1, 2), (1.0,))


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12))
def test_linear_ticks_lie_inside_and_read_back(low: float, span: float) -> None:
    axis = linear_axis(low, low + span)
    reach = axis.high - axis.low  # wider than the span where that is lost in rounding
    for value, label in axis.ticks:
        assert axis.low - reach * 1e-6 <= value <= axis.high + reach * 1e-6
        assert label
    if not axis.base and len(axis.ticks) > 1:
        assert len({label for _, label in axis.ticks}) == len(axis.ticks)


@given(st.floats(-299, 299), st.floats(0.0, 300))
def test_log_ticks_are_few_and_inside(low: float, decades: float) -> None:
    axis = log_axis(10**low, 10 ** min(low + decades, 300))
    assert len(axis.ticks) <= 9
    for value, _ in axis.ticks:
        assert axis.low * 0.999 <= value <= axis.high * 1.001


def test_a_scale_maps_its_ends() -> None:
    for log in (False, True):
        scale = Scale(0.1, 1000.0, 10, 90, log)
        assert scale(0.1) == pytest.approx(10)
        assert scale(1000.0) == pytest.approx(90)
    assert Scale(1.0, 100.0, 0, 10, True)(10.0) == pytest.approx(5)


@given(st.floats(-1e15, 1e15, allow_subnormal=False).filter(lambda v: v == 0 or abs(v) > 1e-15))
def test_numbers_for_people_are_right_to_three_digits(value: float) -> None:
    text = plain_number(value).replace("\N{MINUS SIGN}", "-")
    if "\N{MULTIPLICATION SIGN}" in text or re.fullmatch(r"-?10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", text):
        text = text if "\N{MULTIPLICATION SIGN}" in text else text.replace("10", "1\N{MULTIPLICATION SIGN}10", 1)
        mantissa, power = text.split("\N{MULTIPLICATION SIGN}10")
        text = mantissa + "e" + power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert float(text) == pytest.approx(value, rel=6e-3)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(("colours", "paper"), [
    (palette.GROUPS + palette.THEORY, "#ffffff"), (palette.GROUPS_DARK + palette.THEORY_DARK, "#14171a"),
])  # fmt: skip
def test_lines_stand_out_from_the_paper(colours: tuple[str, ...], paper: str) -> None:
    for colour in colours:
        light, dark = sorted((luminance(colour), luminance(paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3.0, colour
