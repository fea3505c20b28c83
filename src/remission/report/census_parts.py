"""The parts of a census page besides the shares: evidence, checks, copies, what was set aside, the sample, how to repeat."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from remission.report.axis import plain_number
from remission.report.census_rows import Interval, Stratum, ends, in_percent, many, number, percent, size
from remission.report.content import Finding, Section, Table, Tone

OPEN_ROWS = 12
_TONES: dict[str, Tone] = {"passed": "good", "failed": "bad"}


def evidence(document: Mapping[str, Any], rows: Sequence[Stratum]) -> Section:
    """What scores say alone, what is known besides them, and both together."""
    whole = rows[0]
    declared, archived, marked = (int(whole.fields[f"n_{name}"]) for name in ("declared", "archived", "marked"))
    alone = whole.interval("detected") if whole.fields["detected"] is not None else whole.share
    marks, archive = document["watermarks"], document["archive"]
    lines = (
        ("scores alone, where nothing else is known", whole.n - declared - archived - marked, *_three(alone), ""),
        ("declare that they are synthetic", declared, *_known(declared, 100.0), "count as synthetic"),
        (
            "in the archive of human documents", archived if archive else math.nan, *_known(archived, 0.0),
            f"count as human; {archive['documents']:,} were looked for" if archive else "not looked for",
        ),
        ("called watermarked", marked if marks else math.nan, math.nan, math.nan, math.nan, _marked(marks, marked)),
        ("all together", whole.n, *_three(whole.share), ""),
    )  # fmt: skip
    tables = [Table("Evidence", ("documents that are", "documents", "synthetic, %", "low, %", "high, %", "what it means"), lines)]  # fmt: skip
    if marks and marks["by_mark"]:
        tables.append(Table("Watermarks found", ("watermark", "documents"), _counts(marks["by_mark"]), len(marks["by_mark"]) > OPEN_ROWS))  # fmt: skip
    if any(row.fields["detected"] is not None for row in rows[1:]):
        tables.append(_evidence_by_stratum(rows))
    text = (
        "What is known of a document counts before its score: in the archive, then declared, then watermarked. "
        "The scores speak for all others, and the share of all is the mean of these groups by their documents."
    )
    return Section("What it rests on", text, tables=tuple(tables))


def _counts(found: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """The largest first; a census folder keeps them in another order."""
    return tuple(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _three(share: Interval) -> tuple[float, float, float]:
    return in_percent(share.value), in_percent(share.low), in_percent(share.high)


def _known(n: int, value: float) -> tuple[float, float, float]:
    return (value, value, value) if n else (math.nan, math.nan, math.nan)


def _marked(marks: Mapping[str, Any] | None, marked: int) -> str:
    if marks is None:
        return "not looked for"
    false = plain_number(number(marks["expected_false"]))
    told = (
        f"{marks['found']:,} of {marks['tested']:,} tested are called so at a rate of false discoveries of "
        f"{percent(marks['rate'])} ({marks['procedure'].upper()}); expected to be false: at most {false}"
    )
    rest = marks["found"] - marked
    counts = "counts" if rest == 1 else "count"
    return f"{told}. {rest:,} of them {counts} by what else is known." if rest else f"{told}."


def _evidence_by_stratum(rows: Sequence[Stratum]) -> Table:
    columns = (
        "stratum", "by scores alone, %", "low, %", "high, %", "declared", "archived", "watermarked", "all together, %",
    )  # fmt: skip
    lines = []
    for row in rows:
        alone = row.share if row.fields["detected"] is None else row.interval("detected")
        counts = (int(row.fields[f"n_{name}"]) for name in ("declared", "archived", "marked"))
        lines.append((row.name, *_three(alone), *counts, in_percent(row.share.value)))
    return Table("Evidence by stratum", columns, tuple(lines), True)


def calibration(document: Mapping[str, Any], rows: Sequence[Stratum]) -> Section:
    """How often the detector errs, and three checks whether that holds for this corpus."""
    checks, whole = document["checks"], rows[0]
    fpr, tpr = whole.interval("fpr"), whole.interval("tpr")
    facts = [
        ("false positives", _rate(fpr)), ("found of synthetic ones", _rate(tpr)),
        ("estimator", str(document["asked"]["estimator"])), ("level of intervals", percent(document["asked"]["level"])),
    ]  # fmt: skip
    columns = (
        "stratum", "FPR, %", "FPR low", "FPR high", "TPR, %", "TPR low", "TPR high", "shift p", "shift effect", "widened by",
    )  # fmt: skip
    which = Table(
        "Detector", ("what", "value"),
        (("folder", str(document["detector"])), ("hash, its calibration included", str(document["detector_hash"]))),
    )  # fmt: skip
    lines = []
    for row in rows:
        shift = row.fields["shift"] or {}
        more = (number(shift.get(name)) for name in ("p", "effect", "factor"))
        lines.append((row.name, *_three(row.interval("fpr")), *_three(row.interval("tpr")), *more))
    table = Table(
        "Error rates and shift by stratum", columns, tuple(lines), len(lines) > OPEN_ROWS,
        "FPR: share of human documents of the calibration above the threshold of the detector; TPR: share of its synthetic ones. "
        "Widened by: the factor on the variance for what the scores do not fit.",
    )  # fmt: skip
    return Section(
        "Calibration and checks",
        "The share is corrected for the errors that the detector makes on its calibration documents. That is right as far as the "
        "corpus is like them, which three checks ask.",
        facts=tuple(facts),
        findings=(_placebo(checks["placebo"]), _shift(checks["shift"], len(rows) - 1), _overlap(checks["overlap"])),
        tables=(which, table),
    )


def _rate(rate: Interval) -> str:
    return "not known" if not rate.known else f"{percent(rate.value, rate)} ({ends(rate)})"


def _placebo(found: Mapping[str, Any]) -> Finding:
    before, verdict = found["before"], found["verdict"]
    if verdict == "not possible":
        return Finding(
            "Placebo not possible.",
            f"Only {many(found['n'], 'document')} that could be judged {'is' if found['n'] == 1 else 'are'} dated before {before}: too few to see whether old "
            "documents come out as human, as they must. Add older documents of the same sources, with a column 'date'.",
        )
    share = Interval.of(found)
    told = f"{many(found['n'], 'document')} from before {before}, when nothing was synthetic, come out as {ends(share)} synthetic ({percent(number(found['level']))} interval)"
    if verdict == "passed":
        return Finding(
            "Placebo passed.", f"{told}. They must come out as human, and as far as can be seen they do.", "good"
        )
    return Finding(
        "Placebo failed.",
        f"{told}. The calibration does not belong to this corpus, so no share is given. Calibrate with human documents of these "
        "sources (`remission detect calibrate`), or see whether the dates are right.",
        _TONES.get(verdict, "neutral"),
    )


def _shift(found: Mapping[str, Any], strata: int) -> Finding:
    verdict = found["verdict"]
    if verdict == "not possible":
        return Finding(
            "Shift test not possible.",
            "It needs at least 50 synthetic documents of the corpus's kind in the calibration. Without it nobody sees whether the "
            "generators in the corpus are like those of the calibration.",
        )
    numbers = ""
    if found.get("p") is not None:
        numbers = (
            f" Of the whole: effect {plain_number(number(found['effect']))}, p = {plain_number(number(found['p']))}."
        )
    if verdict == "passed":
        return Finding(
            "Shift test passed.",
            f"The scores look like a mix of the calibration's human and synthetic ones.{numbers}",
            "good",
        )
    failed = [("the whole corpus" if name == "all" else str(name)) for name in found["failed"]]
    names = ", ".join(failed[:5]) + (f" and {len(failed) - 5:,} more" if len(failed) > 5 else "")
    return Finding(
        "Shift test failed.",
        f"In {names}{f' (of {strata:,} strata)' if strata else ''} the scores are no mix of the calibration's human and synthetic "
        f"ones, so there are only bounds.{numbers} Other documents or other generators are in it: calibrate with some of that kind.",
        "bad",
    )


def _overlap(found: Mapping[str, Any]) -> Finding:
    if not found["n"]:
        return Finding(
            "No overlap.", "No document of the corpus is among those the detector was fitted or calibrated on.", "good"
        )
    return Finding(
        "Overlap taken out.",
        f"{many(found['n'], 'document')} of the corpus {'is' if found['n'] == 1 else 'are'} among those the detector was fitted or calibrated on. Its error rates "
        "do not hold for them; they are not part of the share.",
    )


def copies(document: Mapping[str, Any]) -> Section:
    """Exact copies and near-duplicates, and what they do to the share."""
    found = document["copies"]
    title = "Copies and near-duplicates"
    if found is None:
        return Section(
            title,
            "Not looked for (--copies none): every row counts, copies as often as they occur, and intervals take documents as "
            "drawn one by one. Where there are many copies they are too narrow.",
        )
    near = found["documents"] - found["copies"]
    text = (
        "A content counts once, in the whole and in each stratum: the first document that has it. Near-duplicates all count, but "
        "one tells little beyond the other, so intervals take a group of them as drawn together, which makes them wider."
    )
    facts = (
        ("documents kept", f"{found['documents']:,}"), ("copies left out", f"{found['copies']:,}"),
        ("different contents", f"{near:,}"), ("groups of near-duplicates", f"{found['clusters']:,}"),
        ("contents in groups", f"{found['clustered']:,}"), ("in the largest group", f"{found['largest']:,}"),
    )  # fmt: skip
    return Section(title, text, facts=facts)


def set_aside(document: Mapping[str, Any]) -> Section:
    """What was not looked at, with reasons and places."""
    account = document["accounting"]
    title = "What was set aside or left out"
    tables = []
    if account["reasons"]:
        tables.append(Table("Set aside", ("reason", "rows"), _counts(account["reasons"])))
        places = tuple((one["reason"], one["file"], one["place"], one.get("rows")) for one in account["examples"])
        caption = "The first by file and place; the parts of the census name all. Place: the row from 1; in JSONL, the byte where the line starts."
        tables.append(Table("Examples", ("reason", "file", "place", "rows"), places, caption=caption))
    if account["dropped_for"]:
        tables.append(Table("Left out", ("reason", "rows"), _counts(account["dropped_for"])))
    dates = document["dates"]
    if dates["undated"]:
        odd = tuple((one["value"], one["file"], one["place"]) for one in dates["odd_dates"])
        caption = (
            f"The first by file and place, of {many(dates['undated'], 'document')}. They are kept, without a date."
        )
        tables.append(
            Table(
                "Values of the column date that are no date",
                ("value", "file", "place"),
                odd,
                len(odd) > OPEN_ROWS,
                caption,
            )
        )
    if document["ignored"]:
        tables.append(Table("Files that are no documents", ("file",), tuple((str(one),) for one in document["ignored"]), True))  # fmt: skip
    aside = account["quarantined"]
    text = (
        f"{many(aside, 'row')} could not be read and {'is' if aside == 1 else 'are'} set aside; a file that cannot be read at all "
        "counts as one. They are part of no share."
        if aside
        else "Nothing: every row of every file could be read."
    )
    if aside and account["in"]:
        text += f" That is {percent(aside / account['in'])} of what was read."
    return Section(title, text, tables=tuple(tables))


def sample(document: Mapping[str, Any], rows: Sequence[Stratum]) -> list[Section]:
    """What was drawn, what that stands for, and what looking at everything would take; nothing where all was looked at."""
    found = document["sample"]
    if found is None:
        return []
    lines = []
    for row in rows:
        about = row.interval("documents")
        lines.append((row.name, row.n, *(value if math.isfinite(value) else math.nan for value in (about.value, about.low, about.high))))  # fmt: skip
    table = Table(
        "Documents in the corpus",
        ("stratum", "in the sample", "in the corpus, about", "low", "high"),
        tuple(lines),
        len(lines) > OPEN_ROWS,
        "Different contents. A dash: no upper end can be given.",
    )
    return [Section("The sample", f"Documents are drawn with known probabilities and weighed by them. {_cost(found['cost'])}", facts=_drawn(found), tables=(table,))]  # fmt: skip


def _drawn(found: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    strata = tuple((f"documents drawn of {name}", percent(rate)) for name, rate in found["strata"])
    everywhere = ("documents drawn" + (" of others" if strata else ""), percent(found["rate"]))
    return (*strata, everywhere, ("files drawn", percent(found["files"])), ("seed", str(found["seed"])))


def _cost(cost: Mapping[str, Any] | None) -> str:
    if cost is None:
        return "What a full scan takes is not estimated, because fewer than two parts were made in the last run."
    hours, then, of = Interval.of(cost["hours"]), cost["copies"], " of one worker like those of this run"
    level, known = (
        f"{100 * cost['hours']['level']:g} % interval from {many(cost['parts'], 'part')}",
        cost.get("is_known", True),
    )
    told = f"A full scan takes about {_time(hours, of)[:-1]}; {level})"
    if not known:
        most = _time(Interval(hours.high, hours.high, hours.high), of).partition(" (")[0]
        told = f"A full scan takes at most {most} (upper end of the {level}; {many(cost['scored'], 'scored document')} are too few for more)"
    if cost["memory"] is not None:
        memory = Interval.of(cost["memory"])
        time = "a time that is not known from this run"
        if then is not None:
            one = Interval.of(then)
            time = f"about {_time(one)}"
        told += f". Then comes the pass over copies, in one process: {time}, and about {size(memory.value, exact=False)} of memory"
    if cost["money"] is None:
        return f"{told}. Give --price to see what that costs."
    money = Interval.of(cost["money"])
    both = (
        "Together that costs"
        if then is not None
        else "That costs"
        if cost["memory"] is None
        else "Without that pass it costs"
    )
    amount = (
        f"about {_money(money.value)} ({_money(money.low)} to {_money(money.high)})"
        if known
        else f"at most {_money(money.high)}"
    )
    return f"{told}. {both} {amount} at {cost['price']:g} an hour."


def _time(hours: Interval, of: str = "") -> str:
    """In a unit that fits, with the ends in brackets."""
    least = ((1.0, "hours", 1), (1 / 60, "minutes", 60), (0.0, "seconds", 3600))
    unit, factor = next((name, times) for most, name, times in least if hours.value >= most)
    value, low, high = (plain_number(factor * one) for one in (hours.value, hours.low, hours.high))
    return f"{value} {unit}{of} ({low} to {high})"


def _money(value: float) -> str:
    return f"{value:,.2f}" if value >= 1 or value == 0 else plain_number(value)


def again(document: Mapping[str, Any]) -> Section:
    """What was asked, so that the same can be asked again."""
    asked = {**document["asked"], "by": ", ".join(document["by"]) or "nothing"}
    taken = document["sample"]
    asked["sample"] = "everything" if taken is None else "; ".join(f"{name} {value}" for name, value in _drawn(taken))
    lines = [("census", document["census"]), *sorted(asked.items()), ("detector hash", document["detector_hash"]), ("parts", document["parts"])]  # fmt: skip
    notes = tuple(Finding("Note", str(line)) for line in document["notes"])
    text = (
        "The same settings on the same files give the same census, byte for byte. The folder holds the score of every document, and "
        "manifest.json the hashes of all inputs and parts. Every table here can be saved as CSV, with all digits."
    )
    rows = tuple((str(name), _plain(value)) for name, value in lines)
    return Section("How to repeat it", text, findings=notes, tables=(Table("Settings", ("setting", "value"), rows),))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
