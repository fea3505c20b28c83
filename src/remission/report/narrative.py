"""The story of a run in plain words: what was run, and what came out."""

from __future__ import annotations

import math
from typing import Any

from remission.report.axis import plain_number
from remission.report.content import Finding, RunStore, Tone, is_number
from remission.report.words import LEADING, bare, counted, joined, title_of

REGIMES = {
    "replace": "every generation is trained only on the output of the one before it",
    "accumulate": "every generation is trained on everything made so far, real data included",
    "accumulate-subsample": "every generation is trained on a random subset of everything made so far",
    "fresh": "a share of new real data is mixed into every generation",
    "fixed-real": "the same real sample is used again in every generation, beside synthetic data",
    "weighted": "real and synthetic data are mixed with fixed weights",
    "web": "the share of synthetic data grows with time, as on the web",
    "periodic": "new real data arrive every few generations",
    "stages": "the regime changes over time",
}


def part(experiment: dict[str, Any], name: str) -> dict[str, Any]:
    """A sub-table of an experiment, empty when absent; a bare string is a kind."""
    value = experiment.get(name) or {}
    return {"kind": value} if isinstance(value, str) else dict(value)


def parts(experiment: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of sub-tables, from ``curator`` or ``curators``."""
    value = experiment.get(name) or experiment.get(name + "s") or []
    return [dict(value)] if isinstance(value, dict) else [{"kind": v} if isinstance(v, str) else dict(v) for v in value]


def numbers_of(experiment: dict[str, Any]) -> dict[str, Any]:
    """The plain numbers: generations, replicates, samples, seed."""
    return {**{k: v for k, v in experiment.items() if not isinstance(v, dict | list)}, **part(experiment, "experiment")}


def lead(store: RunStore) -> str:
    """What was run, in a paragraph."""
    numbers = numbers_of(store.experiment)
    source, model = (part(store.experiment, name).get("kind", "unnamed") for name in ("source", "model"))
    swept = varied(store)
    words = [
        f"A generative model ({model}) was trained on real data ({source}), then on what it had itself produced, and so on"
        + (f" for {counted(int(numbers['generations']), 'generation')}." if numbers.get("generations") else ".")
    ]
    if "regime" not in swept and "regime.kind" not in swept:
        regime = part(store.experiment, "regime").get("kind", "replace")
        words.append(f"The regime is {regime}" + (f": {REGIMES[regime]}." if regime in REGIMES else "."))
    curators = [str(curator.get("kind", "unnamed")) for curator in parts(store.experiment, "curator")]
    if curators:
        words.append(f"Data were selected before training by {joined(curators)}.")
    if swept:
        words.append(f"{counted(len(store.points), 'setting')} are compared; they differ in {joined(list(swept))}.")
    replicates, samples = numbers.get("replicates"), numbers.get("samples")
    if replicates and samples:
        repeated = counted(int(replicates), "independent replicate")
        many = counted(int(samples), "item") if isinstance(samples, int) else "a changing number of items"
        words.append(f"The whole loop was repeated in {repeated}, with {many} per generation.")
    return " ".join(words)


def facts(store: RunStore) -> tuple[tuple[str, str], ...]:
    """The experiment at a glance: what is the same everywhere, then what is varied."""
    experiment, numbers, swept = store.experiment, numbers_of(store.experiment), varied(store)
    rows = [
        (name, setting({key: item for key, item in part(experiment, name).items() if f"{name}.{key}" not in swept}))
        for name in ("source", "model", "regime")
        if name not in swept
    ]
    rows += [("curator", setting(curator)) for curator in parts(experiment, "curator")]
    labels = {
        "generations": "generations",
        "replicates": "replicates",
        "samples": "items per generation",
        "seed": "seed",
    }
    rows += [(label, setting(numbers[name])) for name, label in labels.items() if numbers.get(name) is not None]
    rows += [
        (f"varied: {name}", ", ".join(values[:12]) + (" …" if len(values) > 12 else ""))
        for name, values in swept.items()
    ]
    return tuple((name, value) for name, value in rows if value)


def varied(store: RunStore) -> dict[str, list[str]]:
    """The swept keys, each with its different values."""
    out: dict[str, dict[str, None]] = {}
    for point in store.points:
        for name, value in point.items():
            out.setdefault(str(name), {})[setting(value)] = None
    return {name: list(values) for name, values in out.items()}


def setting(value: Any) -> str:
    """A part of an experiment in one short line.

    >>> setting({"kind": "fresh", "share": 0.1, "base": {"kind": "replace"}})
    'fresh (share 0.1, base replace)'
    """
    if isinstance(value, dict):
        rest = ", ".join(
            f"{key} {setting(item)}" for key, item in value.items() if key != "kind" and item not in (None, "", [], ())
        )
        kind = str(value.get("kind", ""))
        return f"{kind} ({rest})" if kind and rest else kind or rest
    if isinstance(value, list | tuple):
        return "[" + ", ".join(setting(item) for item in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def kinds(experiment: dict[str, Any]) -> set[str]:
    """The words in the kinds of source, model, regime and what they wrap, such as gaussian and replace."""
    found: set[str] = set()
    for name in ("source", "model", "regime"):
        value: Any = part(experiment, name)
        while isinstance(value, dict):
            found |= set(str(value.get("kind", "")).split("-"))
            value = value.get("base")
    return found - {""}


def fitting_first(laws: list[dict[str, Any]], experiment: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of theory, those first whose law is named after what was run: of laws that agree, it is the plainest."""
    words = kinds(experiment)
    return sorted(laws, key=lambda law: (-len(words & set(str(law["law"]).split("-"))), len(str(law["law"]))))


def leading_metric(store: RunStore) -> str | None:
    """The row the findings are about: the first of a fixed order that was measured."""
    rows = list(dict.fromkeys(row["metric"] for row in store.summary))
    by_name = {bare(row): row for row in reversed(rows)}
    for name in LEADING:
        if name in by_name:
            return by_name[name]
    directed = [row for row in rows if store.directions.get(row) in ("falls", "rises")]
    return (directed or rows or [None])[0]


def on_one_scale(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one line, all about the mean, or all about the median where the mean cannot be estimated everywhere.

    A line that changes from mean to median half way would show a jump that nobody measured. Where a row has no
    interval of the median, it has none at all (rows may carry one as ``median_low`` and ``median_high``).
    """
    if not any(row.get("of") == "median" for row in rows):
        return rows
    return [
        row
        if row.get("of") == "median"
        else row | {"of": "median", "low": row.get("median_low"), "high": row.get("median_high")}
        for row in rows
    ]


def value_of(row: dict[str, Any]) -> float:
    """The number the interval of a summary row is about."""
    value = row.get("median" if row.get("of") == "median" else "mean")
    return math.nan if value is None else float(value)


def findings(store: RunStore) -> tuple[Finding, ...]:
    """One answer per grid point: what became of the leading metric, then the verdicts."""
    metric = leading_metric(store)
    out = []
    for point, name in enumerate(store.point_names):
        said = [_change(store, metric, rows) for rows in [_rows(store, metric, point)] if rows and metric is not None]
        mine = [verdict for verdict in store.verdicts if verdict.get("point") == point]
        said += [(str(verdict["sentence"]), _fate(verdict)) for verdict in mine if is_fate(verdict)]
        verdicts = [verdict for verdict in mine if not is_fate(verdict)]
        said += [_verdicts(verdicts)] if len(verdicts) > 2 else [_one_verdict(verdict) for verdict in verdicts]
        if said:
            out.append(Finding(name, " ".join(text for text, _ in said), _together([tone for _, tone in said]), point))
    overall = [verdict for verdict in store.verdicts if verdict.get("point") is None]
    out += [Finding("all settings", *_one_verdict(verdict)) for verdict in overall]
    return tuple(out)


def _rows(store: RunStore, metric: str | None, point: int) -> list[dict[str, Any]]:
    """The known values of a metric at a grid point, from generation 1 on."""
    rows = (row for row in store.summary if row["point"] == point and row["metric"] == metric)
    known = (row for row in rows if row["generation"] >= 1 and is_number(value_of(row)))
    return on_one_scale(sorted(known, key=lambda row: row["generation"]))


def _together(tones: list[Tone]) -> Tone:
    """Bad news wins; good news only when nothing else was said."""
    return "bad" if "bad" in tones else "good" if set(tones) == {"good"} else "neutral"


def _change(store: RunStore, metric: str, rows: list[dict[str, Any]]) -> tuple[str, Tone]:
    sentence, tone = _moved(store, metric, rows)
    return sentence + _theory_says(store, metric, rows[-1]), tone


def _moved(store: RunStore, metric: str, rows: list[dict[str, Any]]) -> tuple[str, Tone]:
    first, last = value_of(rows[0]), value_of(rows[-1])
    low, high = (rows[-1].get(end) for end in ("low", "high"))
    known = low is not None and high is not None and is_number(low) and is_number(high)
    interval = f" [{plain_number(low)}, {plain_number(high)}]" if low is not None and high is not None and known else ""
    what = _noun(metric) + (", median over replicates," if rows[-1].get("of") == "median" else "")
    when = f"generation {rows[-1]['generation']}"
    if len(rows) == 1:
        return f"{what} is {plain_number(last)}{interval} at {when}.", "neutral"
    start = f"from {plain_number(first)} at generation {rows[0]['generation']}"
    if low is not None and high is not None and known and low <= first <= high:
        return f"{what} shows no clear change: {start} to {plain_number(last)}{interval} by {when}.", "good"
    if last == first:
        return f"{what} stayed at {plain_number(last)}{interval} until {when}.", "good"
    verb = "fell" if last < first else "rose"
    direction = store.directions.get(metric, "either")
    collapse = (verb == "fell" and direction == "falls") or (verb == "rose" and direction == "rises")
    tone: Tone = (
        "neutral"
        if direction == "either"
        else "bad"
        if collapse and _large(first, last)
        else "neutral"
        if collapse
        else "good"
    )
    return f"{what} {verb} {start} to {plain_number(last)}{interval} by {when}.", tone


def _large(first: float, last: float) -> bool:
    """A change by a quarter of the larger of the two: marked; smaller ones are only stated."""
    return abs(last - first) > 0.25 * max(abs(first), abs(last))


def _noun(metric: str) -> str:
    return (
        "The variance relative to the real data" if bare(metric) == "moments.ratio" else title_of(metric).split(":")[0]
    )


def _theory_says(store: RunStore, metric: str, row: dict[str, Any]) -> str:
    wanted = "median" if row.get("of") == "median" else "mean"
    for law in fitting_first(store.theory, store.experiment):
        same = all(law[key] == row[key] for key in ("point", "generation", "metric"))
        if same and law.get("scale") == wanted and is_number(law["value"]):
            low, high = row.get("low"), row.get("high")
            where = ""
            if low is not None and high is not None and is_number(low) and is_number(high):
                where = ", inside the interval" if low <= law["value"] <= high else ", outside the interval"
            return f" Theory ({law['law']}) says {plain_number(float(law['value']))}{where}."
    return ""


def _one_verdict(verdict: dict[str, Any]) -> tuple[str, Tone]:
    sentence = str(verdict.get("sentence") or verdict.get("verdict", "")).strip()
    label = definition_of(verdict)
    return f"{label}: {sentence}" if label else sentence, _tone(str(verdict.get("verdict", "")))


def _verdicts(verdicts: list[dict[str, Any]]) -> tuple[str, Tone]:
    """Several definitions of collapse in one sentence: which say yes, and how many say what else."""
    by_answer: dict[str, list[str]] = {}
    for verdict in verdicts:
        by_answer.setdefault(str(verdict.get("verdict", "")), []).append(definition_of(verdict))
    yes = [name for answer, names in by_answer.items() if _tone(answer) == "bad" for name in names]
    clear = [name for answer, names in by_answer.items() if _tone(answer) == "good" for name in names]
    asked = len(yes) + len(clear)
    if not asked:
        return "None of the published definitions of collapse could be decided.", "neutral"
    if not yes:
        return f"Collapse by none of the {counted(asked, 'published definition')} that could be decided.", "good"
    which = f"{len(yes)} of the {asked} published definitions" if asked > 1 else "the only published definition"
    named = f": {joined(yes)}" if len(yes) <= 4 else ""
    return f"Collapse by {which} that could be decided{named}.", "bad" if 2 * len(yes) >= asked else "neutral"


def is_fate(verdict: dict[str, Any]) -> bool:
    """Whether a verdict is about a planted artifact and not about collapse."""
    return definition_of(verdict) == "artifact-rate"


def _fate(verdict: dict[str, Any]) -> Tone:
    """An artifact that grows is bad news."""
    return "bad" if verdict.get("verdict") == "amplified" else "neutral"


def definition_of(verdict: dict[str, Any]) -> str:
    """What a verdict is about."""
    return str(verdict.get("definition") or verdict.get("axis") or "").strip()


def _tone(verdict: str) -> Tone:
    word = verdict.lower().strip()
    if word in ("collapse", "collapsed", "collapses", "alarm", "fail", "failed", "lost", "copied", "bad", "yes"):
        return "bad"
    if word in ("no collapse", "no-collapse", "healthy", "ok", "good", "pass", "passed", "stable", "kept", "no"):
        return "good"
    return "neutral"
