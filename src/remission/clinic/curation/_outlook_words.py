"""An outlook in plain sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from remission.estimate import Estimate

if TYPE_CHECKING:
    from remission.clinic.curation.outlook import Curve, Effect, Outlook

_CLOSE = 3  # times the words of the sample, up to which its rare types are rare in a training set as well
_SHARP = 0.05  # temperature below which nothing is said of tipping: it is as good as taking the likeliest word
NAMES = {
    "types.alive": "types alive", "types.recall": "share of types alive", "types.rare-recall": "share of the rarer half of the types alive",
    "types.lost": "probability of the types that are gone",
    "types.once": "chance that a type expected once per training set is alive", "types.tail": "probability on rare types, of what it was",
    "distinct.1": "distinct words", "distinct.2": "distinct pairs of words", "distinct.3": "distinct triples of words",
    "entropy": "entropy (nats)", "perplexity": "perplexity of held-out text", "heterozygosity": "chance that two words differ",
    "max-share": "probability of the most frequent type",
}  # fmt: skip
_TOLD = ("perplexity", "distinct.2", "types.alive")  # of a simulation


def sentences(found: Outlook) -> list[str]:
    """The answer in words, the shares first."""
    of = "the training corpus is" if found.whole is None else "the judged documents are"
    lead = f"Before curation {percent(found.before)} of {of} synthetic, after it {percent(found.after)}."
    if found.whole is not None:
        before, after = map(percent, found.whole)
        lead += (
            f" Of all documents, where those that were not judged may be anything, it is {before} before and {after} after: what "
            "follows is for the judged ones alone."
        )
    if found.temperature == 1.0:
        told = [lead, _types(found), _long_run(found), _tips(found)]
    else:
        told = [lead, _tail(found), _beyond(found)]
    if found.sizes is not None:
        told += _simulated(found)
    return [line for line in told if line]


def percent(share: Estimate) -> str:
    """A share with its interval.

    >>> percent(Estimate(0.23, 0.2, 0.26, 0.95, "", 1)), percent(Estimate(float("nan"), 0.2, 0.26, 0.95, "", 1))
    ('23 % [20, 26]', '20 to 26 %')
    """
    low, high = f"{100 * share.low:.3g}", f"{100 * share.high:.3g}"
    if math.isnan(share.value):
        return f"{low} to {high} %"
    return f"{100 * share.value:.3g} %" + ("" if share.low == share.value == share.high else f" [{low}, {high}]")


def number(value: float) -> str:
    """Four digits, never as a power of ten below a billion.

    >>> number(12844.2), number(0.42634), number(-37600.0)
    ('12,844', '0.4263', '-37,600')
    """
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def _tip(one: Estimate) -> str:
    if math.isnan(one.value) or (one.value < 0.005 <= one.high):  # below 0 there is no temperature
        return f"{one.low:.2g} to {one.high:.2g}"
    return f"{one.value:.2g}" + ("" if one.low == one.value == one.high else f" [{one.low:.2g}, {one.high:.2g}]")


def _types(found: Outlook) -> str:
    rare = found.tokens <= _CLOSE * found.sample.tokens
    row = "types.rare-recall" if rare else "types.once"
    before, after, human = (found.curve(name, row) for name in ("before", "after", "human"))
    what = "of the rarer half of the word types" if rare else "of the word types that come once in a training set"
    return (
        f"By the laws of word frequencies, with {found.tokens:,} words per training set, {_last(before)} {what} are alive after "
        f"{found.generations} generation{'s' if found.generations > 1 else ''} as the corpus was; after curation {_last(after)}; "
        f"without any synthetic text {_last(human)}."
    )


def _last(curve: Curve) -> str:
    return percent(Estimate(curve.values[-1], curve.low[-1], curve.high[-1], 1.0, "", 0))


def _long_run(found: Outlook) -> str:
    if not {"before", "after"} <= found.long_run.keys():
        return ""
    kept = {name: found.long_run[name]["types.once"] for name in ("before", "after")}
    whole = [name for name, share in (("before", found.before), ("after", found.after)) if share.value == 1.0]
    if whole:
        return f"A corpus without human text ({' and '.join(whole)} curation) ends with a single type: total collapse."
    if any(math.isnan(value) for value in kept.values()):
        return "There is no tipping point short of 100 % synthetic, but so little fresh text lets diversity fall for very long."
    return (
        "Unbiased sampling has no tipping point short of 100 % synthetic: fresh human text lets diversity settle. A type that comes "
        f"once in a training set is then alive {100 * kept['before']:.3g} % of the time before curation, {100 * kept['after']:.3g} % after "
        "(63.2 % without synthetic text)."
    )


def _tips(found: Outlook) -> str:
    tips = [(name, found.tips.get(name)) for name in ("before", "after")]
    known = [f"below {_tip(one)} {name} curation" for name, one in tips if one is not None]
    if not any(one is not None and one.high >= _SHARP for _, one in tips):  # nobody samples like that
        return ""
    return (
        f"Models that sample more sharply than they learned can tip: diversity runs away at a temperature {', '.join(known)} "
        f"(law T1, for equally frequent types)."
    )


def _tail(found: Outlook) -> str:
    before, after, human = (found.curve(name, "types.tail") for name in ("before", "after", "human"))
    settled = [found.long_run.get(name, {}).get("types.tail", math.nan) for name in ("before", "after")]
    told = (
        f"Sampled at a temperature of {found.temperature:g}, in training sets without limit, the rarer half of the word types has "
        f"{_last(before)} of its probability left after {found.generations} generation{'s' if found.generations > 1 else ''} as the corpus "
        f"was; after curation {_last(after)}; without any synthetic text {_last(human)}"
    )
    if any(math.isnan(value) for value in settled):
        return f"{told}."
    return f"{told}. In the long run {100 * settled[0]:.3g} % and, after curation, {100 * settled[1]:.3g} % are left."


def _beyond(found: Outlook) -> str:
    """Where the shares lie against the threshold of law T1: a synthetic share as large as the temperature."""
    from remission.theory.tipping_point import temperature_threshold

    if found.temperature > 1.0:
        return "Above a temperature of 1 sampling flattens: nothing runs away, but models forget what was common."
    most = 1.0 - temperature_threshold(found.temperature)
    places = [f"{name} curation it {_place(getattr(found, name), most)}" for name in ("before", "after")]
    return (
        f"At this temperature the diversity of equally frequent types runs away when more than {100 * most:.3g} % of the training set is "
        f"synthetic (law T1): {', '.join(places)}. Of types of different frequency the rare ones fade smoothly, from any share on."
    )


def _place(share: Estimate, most: float) -> str:
    if share.low > most:
        return "is beyond that"
    return "is not" if share.high <= most else "may be beyond that"


def _simulated(found: Outlook) -> list[str]:
    assert found.sizes is not None
    size = found.sizes
    effects = {one.row: one for one in found.effects if one.method == "simulated"}
    return [
        f"The loops were also run, on a small bigram model of the corpus itself: {size.tokens:,} words per training set, "
        f"{size.replicates} runs of each.",
        *(
            f"{NAMES[row].capitalize()} in generation {found.generations}, simulated: {_change(effects[row])}."
            for row in _TOLD
            if row in effects
        ),
    ]


def _change(effect: Effect) -> str:
    change = effect.change
    span = f"[{number(change.low)}, {number(change.high)}]"
    if math.isnan(effect.before) or math.isnan(effect.after):
        return f"curation changes it by {span}, over both ends of the shares ({number(effect.human)} without synthetic text)"
    clear = "" if change.low > 0 or change.high < 0 or change.low == change.high == 0 else ", which may be chance"
    return (
        f"{number(effect.before)} as it was, {number(effect.after)} after curation, {number(effect.human)} without synthetic text "
        f"(change {number(change.value)} {span}{clear})"
    )
