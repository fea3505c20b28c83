"""Pictures with captions, and the line that an artifact is held against."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
from report_fakes import FakeStore, fake_store
from test_report_images import decode

from remission.report.build import build
from remission.report.gallery import PAIRS, galleries
from remission.report.page import render

WORDS = ("\n", "red", "cat", "<b>bold</b>", "&")


def captioned_store(channels: int = 3) -> FakeStore:
    """Six by four pictures whose value names the generation, each with three words."""
    pixels = 24 * channels
    samples: dict[int, Any] = {}
    for t in (0, 1, 5):
        items = np.zeros((9, pixels + 3))
        items[:, :pixels] = np.linspace(0, 1, pixels) if t == 0 else 0.1 * t
        items[:, pixels:] = [[1, 2, 0], [3, 4, 0], [0, 0, 0], *[[2, 2, 2]] * 6]
        samples[t] = items
    space = {
        "kind": "captioned", "shape": (pixels + 3,), "size": 5, "names": WORDS, "picture": (6, 4), "channels": channels,
        "joiner": " ",
    }  # fmt: skip
    store = fake_store(5, samples={0: samples}, space=space, verdicts=[])
    store.points, store.point_names = [{}], ["emoji"]
    return store


def test_captions_stand_beside_their_pictures() -> None:
    for channels in (1, 3):
        (gallery,) = galleries(captioned_store(channels))
        assert gallery.kind == "captioned"
        assert [column.label for column in gallery.columns] == ["real", "generation 1", "generation 5"]
        assert all(len(column.items) == PAIRS for column in gallery.columns)
        shown = gallery.columns[0].items
        assert [text for _, text in shown][:4] == ["red cat", "<b>bold</b> &", "(no words)", "cat cat cat"]
        assert shown[0][0].shape == ((6, 4, 3) if channels == 3 else (6, 4))
        assert gallery.bounds == (0.0, 1.0)
        assert np.allclose(gallery.columns[2].items[0][0], 0.5)


def test_the_page_shows_them_escaped_and_in_colour() -> None:
    page = render(build(captioned_store()))
    assert "&lt;b&gt;bold&lt;/b&gt; &amp;" in page
    assert "<b>bold" not in page
    pairs = re.findall(r'<div class="pair"><img src="data:image/png;base64,([^"]+)" alt=""><span>([^<]*)</span>', page)
    assert len(pairs) == 3 * PAIRS
    depth, colour, rows = decode(base64.b64decode(pairs[0][0]))
    assert (depth, colour, rows.shape) == (8, 2, (6, 4, 3))
    assert (rows == np.rint(255 * np.linspace(0, 1, 72)).reshape(6, 4, 3)).all()


def test_colour_pictures_without_captions_use_their_channels() -> None:
    store = captioned_store()
    store.space = store.space | {"kind": "image", "shape": (72,)}
    store.samples = {0: {t: items[:, :72] for t, items in store.samples[0].items()}}
    (gallery,) = galleries(store)
    assert gallery.kind == "image"
    assert gallery.columns[0].items.shape == (9, 6, 4, 3)
    grey = captioned_store(1)  # as many numbers as a colour picture would have is no reason to see one
    grey.space = grey.space | {"kind": "image", "picture": (3, 2), "shape": (24,)}
    grey.samples = {0: {t: items[:, :24] for t, items in grey.samples[0].items()}}
    assert galleries(grey)[0].columns[0].items.shape == (9, 3, 2)


def test_the_neutral_line_is_drawn_where_no_law_speaks() -> None:
    store = captioned_store()
    rows = [
        {"point": 0, "generation": t, "metric": "artifact-rate", "n": 9, "mean": 0.2 * t, "median": 0.2 * t, "mean_log": 0.0,
         "low": 0.1 * t, "high": 0.3 * t, "level": 0.95, "of": "mean", "estimable": True}
        for t in (1, 2)
    ]  # fmt: skip
    store.summary, store.theory = rows, []
    store.directions = {"artifact-rate": "either"}
    store.neutral = [{"point": 0, "generation": t, "metric": "artifact-rate", "value": 0.2} for t in (1, 2)]
    sentence = "The artifact is amplified: twice as much."
    store.verdicts = [{"point": 0, "definition": "artifact-rate", "verdict": "amplified", "sentence": sentence}]
    report = build(store)
    (chart,) = report.charts
    line = next(series for series in chart.series if series.kind == "reference")
    assert (line.name, line.y) == ("emoji, frequencies kept", (0.2, 0.2))
    (finding,) = report.sections[0].findings
    assert sentence in finding.sentence
    assert finding.tone == "bad"
    law = {"point": 0, "metric": "artifact-rate", "law": "artifact-rate", "value": 0.2, "scale": "mean", "source": ""}
    store.theory = [law | {"generation": t} for t in (1, 2)]
    assert not [series for series in build(store).charts[0].series if series.kind == "reference"], (
        "the law says the same"
    )
