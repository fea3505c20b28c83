"""What measurements are called in plain words, and which family of the report each belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from remission.report.names import FAMILY_OF, NAMES


@dataclass(frozen=True)
class Family:
    """A section of the report: its heading and the sentence it opens with."""

    title: str
    opening: str
    words: tuple[str, ...]  # a row belongs to the first family one of whose words its name contains


FAMILIES = (
    Family(
        "Cost of treatment",
        "What went into training: how many items had to be drawn for each training set, and how much of it was synthetic. No "
        "direction of these numbers is collapse; fewer draws are cheaper.",
        ("refill", "cost", "draws", "kept", "bought"),
    ),
    Family(
        "Tails",
        "How much of what is rare in the real data is still produced. Tails go first in collapse: these curves fall "
        "before an average moves.",
        ("tail", "rare", "quantile", "kurtosis", "hill", "hapax", "unseen", "survival", "extreme"),
    ),
    Family(
        "Authenticity",
        "Whether the output is new or repeats its training data. Values fall when a model copies, even while every "
        "measure of quality looks fine.",
        ("auth", "c-t", "copy", "memor", "novelty", "nearest"),
    ),
    Family(
        "Text",
        "How varied the written output is. In collapse, vocabulary and the share of distinct phrases fall, while repetition "
        "and compressibility rise.",
        ("distinct", "bleu", "type-token", "compression", "mtld", "repetition", "perplexity", "mattr", "hd-d", "rouge", "chao", "n-gram", "ngram", "length"),
    ),
    Family(
        "Diversity",
        "How many different things are still produced. In collapse these curves fall: fewer modes, fewer types, less entropy.",
        ("types", "heterozygosity", "entropy", "recall", "coverage", "vendi", "modes", "simpson", "diversity", "alive"),
    ),
    Family(
        "Risk",
        "How well a model trained on the mixture does its task on clean real data. In collapse the error rises and accuracy falls.",
        ("risk", "accuracy", "loss", "error-rate", "group"),
    ),
    Family(
        "Moments",
        "Where the centre of the output lies and how wide it spreads. In collapse the variance within a generation "
        "falls while the error of the mean rises; their sum moves only where data are selected or biased.",
        ("moment", "variance", "mean", "covariance", "std"),
    ),
    Family(
        "Artifacts",
        "How often an artifact that was planted in the first data comes back. A model that keeps frequencies moves its rate "
        "by chance alone (line: frequencies kept); above that line the loop amplifies it, below it washes out.",
        ("artifact",),
    ),
    Family(
        "Pictures",
        "What the pictures look like, whatever they show, against real ones: blur takes sharpness and fine detail away, noise adds "
        "both. When pictures get alike, their spread falls.",
        ("pixels", "spectrum", "sharpness", "contrast"),
    ),
    Family(
        "Fidelity",
        "How far the output lies from real data it never saw. Distances rise in collapse. Precision and density can improve while a model "
        "collapses, so they are never to be read without the diversity above.",
        ("frechet", "wasserstein", "mmd", "kid", "precision", "density", "mauve", "frontier", "divergence", "distance", "likelihood", "kl", "w2", "sinkhorn", "energy"),
    ),
)  # fmt: skip
OTHER = Family("Other measurements", "Further numbers measured at every generation.", ())
ORDER = (
    "Moments",
    "Tails",
    "Diversity",
    "Fidelity",
    "Authenticity",
    "Pictures",
    "Text",
    "Risk",
    "Artifacts",
    "Cost of treatment",
    "Other measurements",
)

# the first one that was measured becomes the chart beside the findings
LEADING = (
    "artifact-rate", "moments.ratio", "moments.variance", "types.recall", "mode-coverage.hit", "heterozygosity", "test-risk.accuracy",
    "test-risk.excess", "test-risk.held-out", "novel-ngrams.recall", "distinct.2", "tail-mass.ratio", "prdc.recall", "entropy",
    "perplexity",
)  # fmt: skip

DIRECTIONS = {
    "falls": "Falls in collapse.",
    "rises": "Rises in collapse.",
    "either": "Can move either way in collapse.",
}


def bare(metric: str) -> str:
    """A row without what stands in brackets.

    >>> bare("moments[of=training].variance")
    'moments.variance'
    """
    return re.sub(r"\[[^\]]*\]", "", metric)


def title_of(metric: str) -> str:
    """Plain words for a row.

    >>> title_of("moments.ratio"), title_of("moments[of=training].ratio"), title_of("self-bleu.4")
    ('Variance relative to the real data', 'Variance relative to the real data (of training)', 'Self bleu 4')
    """
    plain = bare(metric)
    words = NAMES.get(plain) or _vendi(plain) or re.sub(r"[-_.]+", " ", plain).strip()
    options = ", ".join(re.findall(r"\[([^\]]*)\]", metric)).replace("=", " ")
    return (words[:1].upper() + words[1:] if words else metric) + (f" ({options})" if options else "")


def _vendi(plain: str) -> str:
    """The Vendi profile has a row per order."""
    found = re.fullmatch(r"vendi\.q([^-]+)(-ratio)?", plain)
    if not found:
        return ""
    order = "infinity" if found[1] == "inf" else found[1]
    return f"Vendi score of order {order}" + (" relative to the real data" if found[2] else "")


def family_of(metric: str) -> Family:
    """The family of a row; rows of metrics from elsewhere are placed by the words in their names.

    >>> [family_of(row).title for row in ("moments.variance", "types.rare-recall", "prdc.precision", "my-entropy", "xyz")]
    ['Moments', 'Tails', 'Fidelity', 'Diversity', 'Other measurements']
    """
    plain = bare(metric).lower().replace("_", "-")
    known = FAMILY_OF.get(plain) or FAMILY_OF.get(plain.split(".")[0])
    if known:
        return next(family for family in FAMILIES if family.title == known)
    return next((family for family in FAMILIES if any(word in plain for word in family.words)), OTHER)


def is_logarithm(metric: str) -> bool:
    """Whether a row is already a logarithm, so that a law for its mean log is a law for its mean."""
    return "log-" in bare(metric)


def joined(words: list[str]) -> str:
    """A list in a sentence.

    >>> joined(["a"]), joined(["a", "b"]), joined(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join(words) if len(words) < 3 else ", ".join(words[:-1]) + " and " + words[-1]


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count and its noun.

    >>> counted(1, "generation"), counted(200, "replicate"), counted(2, "copy", "copies")
    ('1 generation', '200 replicates', '2 copies')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}".replace(",", "\u2009" if count >= 10000 else "")
